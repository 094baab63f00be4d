"""The demo's endpoint takes what is signed and addressed to it, and stumbles exactly as planned."""

import base64

import msgspec
import pytest

from chathooks.demo.endpoint import Acceptance, Inbox, Stumble
from chathooks_events.samples import sample_body
from chathooks_events.signing import SigningKey, basic_authorization

NOW_S = 1_767_225_600
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CREDENTIALS = ("chathooks", "a throw-away password")


def inbox(stumble: Stumble | None = None, webhook: str = "flaky-crm") -> Inbox:
    return Inbox(
        webhook, credentials=CREDENTIALS, secret=SECRET, now_s=lambda: NOW_S, stumble=stumble
    )


def body(trigger: str, event_id: str = "evt_1", webhook: str = "flaky-crm") -> bytes:
    content = msgspec.json.decode(sample_body(trigger))
    return msgspec.json.encode({**content, "eventId": event_id, "webhook": webhook})


def headers(content: bytes, number: int = 1) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "authorization": basic_authorization(*CREDENTIALS),
        "webhook-id": "evt_1",
        "webhook-timestamp": str(NOW_S),
        "webhook-signature": SigningKey.parse(SECRET).sign("evt_1", NOW_S, content),
        "chathooks-number": str(number),
    }


def post(to: Inbox, content: bytes, number: int = 1) -> int:
    return to.handle("POST", headers(content, number), content).status


def test_what_is_accepted_is_recorded_with_its_number() -> None:
    box = inbox()
    assert post(box, body("message_sent"), 4) == 200
    assert box.accepted == [Acceptance("flaky-crm", 4, "evt_1", "message_sent", False)]


def test_a_second_delivery_of_an_event_is_recorded_as_a_duplicate() -> None:
    box = inbox()
    assert [post(box, body("message_sent")), post(box, body("message_sent"))] == [200, 200]
    assert [item.duplicate for item in box.accepted] == [False, True]


@pytest.mark.parametrize("name", ["authorization", "webhook-signature"])
def test_a_request_without_credentials_or_signature_is_refused_and_not_recorded(name: str) -> None:
    box = inbox()
    content = body("message_sent")
    sent = headers(content)
    del sent[name]
    assert box.handle("POST", sent, content).status == 401
    assert box.accepted == []


def test_a_changed_body_is_refused() -> None:
    box = inbox()
    sent = headers(body("message_sent"))
    assert box.handle("POST", sent, body("message_sent", event_id="evt_2")).status == 401
    assert box.accepted == []


def test_what_is_no_event_is_refused() -> None:
    content = b"{}"
    assert inbox().handle("POST", headers(content), content).status == 400


@pytest.mark.filterwarnings("default")
def test_an_event_for_another_webhook_is_not_acknowledged() -> None:
    box = inbox()
    assert post(box, body("message_sent", webhook="activity-log")) == 500
    assert box.accepted == []


def test_it_stumbles_twice_over_the_first_event_of_the_trigger_and_over_no_other() -> None:
    box = inbox(Stumble("user_mentioned", 2))
    first, second = body("user_mentioned"), body("user_mentioned", event_id="evt_2")
    statuses = [
        post(box, body("message_sent")),
        post(box, first),
        post(box, second),
        post(box, first),
        post(box, first),
        post(box, second),
    ]
    assert statuses == [200, 503, 200, 503, 200, 200]
