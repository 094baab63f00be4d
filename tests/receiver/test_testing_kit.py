"""What `chathooks_receiver.testing` builds is what a sender sends."""

import random
import re

import msgspec
import pytest

from chathooks_events.catalog import TRIGGERS
from chathooks_events.errors import UnknownTrigger
from chathooks_events.samples import sample
from chathooks_receiver.receiver import Receiver
from chathooks_receiver.testing import (
    TEST_CREDENTIALS,
    TEST_SECRET,
    FakeSender,
    event_id_at,
    signed_request,
)

NOW_S = 1_767_225_600.25


def receiver() -> Receiver:
    return Receiver(
        handler=lambda event: None,
        now_s=lambda: NOW_S,
        secrets=[TEST_SECRET],
        credentials=[TEST_CREDENTIALS],
    )


@pytest.mark.parametrize("trigger", list(TRIGGERS))
def test_every_trigger_is_accepted_by_a_receiver_that_checks_everything(trigger: str) -> None:
    request = signed_request(trigger, timestamp_s=NOW_S)
    assert receiver().handle(request.method, request.headers, request.body).status == 200
    assert msgspec.json.decode(request.body)["trigger"] == trigger


def test_own_data_are_sent_as_given() -> None:
    data = sample("message_sent")
    data["message"]["data"]["text"] = "grüß dich"
    request = signed_request("message_sent", data, timestamp_s=NOW_S)
    assert msgspec.json.decode(request.body)["data"] == data


def test_an_unknown_trigger_needs_data_and_is_sent_then() -> None:
    with pytest.raises(UnknownTrigger):
        signed_request("message_teleported")
    request = signed_request("message_teleported", {"to": "mars"}, timestamp_s=NOW_S)
    assert receiver().handle(request.method, request.headers, request.body).status == 200


def test_without_an_event_id_nothing_is_signed() -> None:
    request = signed_request("call_started", event_id=None)
    assert "webhook-signature" not in request.headers
    body = msgspec.json.decode(request.body)
    assert "eventId" not in body
    assert body["type"] == "call"


def test_a_forged_secret_is_refused() -> None:
    forged = signed_request("message_sent", secret="whsec_" + "A" * 43 + "=", timestamp_s=NOW_S)
    assert receiver().handle(forged.method, forged.headers, forged.body).status == 401


def test_each_delivery_of_a_sender_is_a_new_event_and_a_retry_is_not(
    chathooks_sender: FakeSender,
) -> None:
    first = chathooks_sender.request("message_sent")
    second = chathooks_sender.request("message_sent")
    again = chathooks_sender.request("message_sent", event_id=first.event_id, attempt=2)
    assert first.event_id != second.event_id
    assert again.body == first.body
    assert again.headers["chathooks-attempt"] == "2"
    assert int(second.headers["chathooks-number"]) == 2


def test_event_ids_are_uuids_of_version_7_that_tell_their_time() -> None:
    made = event_id_at(NOW_S, random.Random(1))
    pattern = r"evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(pattern, made)
    assert int(made[4:].replace("-", "")[:12], 16) == int(NOW_S * 1000)
    assert made == event_id_at(NOW_S, random.Random(1))
