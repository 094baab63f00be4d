"""A receiver accepts what is rightly addressed to it, once, and answers everything else with a clear refusal."""

import base64
import tracemalloc
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import ReceivedEvent
from chathooks_events.errors import InvalidSecret
from chathooks_events.samples import sample_body, sample_data
from chathooks_events.signing import SigningKey, basic_authorization
from chathooks_receiver.receiver import Receiver, Response
from chathooks_receiver.window import SeenWindow

NOW_S = 1_767_225_600
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CREDENTIALS = ("orders", "correct horse")
JSON = {"Content-Type": "application/json"}
BODY = sample_body("message_sent")


class Inbox:
    """A handler that keeps what it gets, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.events: list[ReceivedEvent] = []
        self.broken = False

    def __call__(self, event: ReceivedEvent) -> None:
        if self.broken:
            raise OSError("the queue is full")
        self.events.append(event)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def receiver(inbox: Inbox, **options: object) -> Receiver:
    return Receiver(handler=inbox, now_s=lambda: NOW_S, **options)  # type: ignore[arg-type]  # options vary


def signed(body: bytes, event_id: str = "evt_1", at_s: int = NOW_S) -> dict[str, str]:
    return {
        **JSON,
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": SigningKey.parse(SECRET).sign(event_id, at_s, body),
    }


def error_code(response: Response) -> str:
    assert response.headers["Content-Type"] == "application/json"
    error = msgspec.json.decode(response.body)["error"]
    assert error["message"]
    return str(error["code"])


@pytest.mark.parametrize("name", list(TRIGGERS))
def test_every_trigger_reaches_the_handler_as_its_own_type(name: str, inbox: Inbox) -> None:
    response = receiver(inbox).handle("POST", JSON, sample_body(name))
    assert response.status == 200
    assert msgspec.json.decode(response.body) == {"status": "accepted"}
    assert [event.data for event in inbox.events] == [sample_data(name)]


def test_a_duplicate_is_acknowledged_without_calling_the_handler_again(inbox: Inbox) -> None:
    endpoint = receiver(inbox)
    answers = [endpoint.handle("POST", JSON, BODY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert msgspec.json.decode(answers[2].body) == {"status": "duplicate"}
    assert len(inbox.events) == 1


def test_an_event_that_the_handler_did_not_accept_is_handed_over_again(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = receiver(inbox)
    inbox.broken = True
    refused = endpoint.handle("POST", JSON, BODY)
    assert (refused.status, error_code(refused)) == (500, "ERR_HANDLER_FAILED")
    assert b"queue is full" not in refused.body
    assert "queue is full" in caplog.text
    inbox.broken = False
    assert endpoint.handle("POST", JSON, BODY).status == 200
    assert len(inbox.events) == 1


def test_bodies_without_event_id_are_deduplicated_by_their_content(inbox: Inbox) -> None:
    body = msgspec.json.decode(BODY)
    del body["eventId"]
    endpoint = receiver(inbox)
    for text in (msgspec.json.encode(body), msgspec.json.format(msgspec.json.encode(body))):
        assert endpoint.handle("POST", JSON, text).status == 200
    assert len(inbox.events) == 1


def test_only_the_newest_events_are_remembered(inbox: Inbox) -> None:
    endpoint = receiver(inbox, seen_events_max=2)
    for event_id in ("evt_1", "evt_2", "evt_3", "evt_3", "evt_2", "evt_1"):
        endpoint.handle("POST", JSON, sample_body("user_blocked", event_id=event_id))
    assert [event.event_id for event in inbox.events] == ["evt_1", "evt_2", "evt_3", "evt_1"]


def test_a_window_never_outgrows_its_size_and_has_at_least_one_place() -> None:
    window = SeenWindow(2)
    for key in ("a", "b", "a", "c"):
        window.add(key)
    assert len(window) == 2
    assert ("a" in window, "b" in window, "c" in window) == (True, False, True)
    with pytest.raises(ValueError, match="at least one"):
        SeenWindow(0)


def test_long_keys_take_no_more_memory_than_short_ones() -> None:
    window = SeenWindow()
    tracemalloc.start()
    try:
        for number in range(100):
            window.add(f"{number}" + "x" * 100_000)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(window) == 100
    assert kept_bytes < 200_000


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/json",
        "application/json; charset=utf-8",
        " application/json ;",
    ],
)
def test_json_is_recognised_however_it_is_written(content_type: str, inbox: Inbox) -> None:
    assert receiver(inbox).handle("POST", {"CONTENT-TYPE": content_type}, BODY).status == 200


REFUSALS: dict[str, tuple[str, Mapping[str, str], bytes, int, str]] = {
    "GET": ("GET", JSON, BODY, 405, "ERR_METHOD_NOT_ALLOWED"),
    "no method": ("", JSON, BODY, 405, "ERR_METHOD_NOT_ALLOWED"),
    "too large": ("POST", JSON, b" " * 1_048_577, 413, "ERR_BODY_TOO_LARGE"),
    "no type": ("POST", {}, BODY, 415, "ERR_UNSUPPORTED_MEDIA_TYPE"),
    "a form": ("POST", {"content-type": "text/json"}, BODY, 415, "ERR_UNSUPPORTED_MEDIA_TYPE"),
    "no JSON": ("POST", JSON, b"{", 400, "ERR_MALFORMED_BODY"),
    "nested": ("POST", JSON, b'{"a":' * 100_000, 400, "ERR_MALFORMED_BODY"),
    "half": ("POST", JSON, BODY[:-1], 400, "ERR_MALFORMED_BODY"),
}


@pytest.mark.parametrize("what", list(REFUSALS))
def test_what_is_no_delivery_is_refused_and_the_handler_never_hears_of_it(
    what: str, inbox: Inbox
) -> None:
    method, headers, body, status, code = REFUSALS[what]
    response = receiver(inbox).handle(method, headers, body)
    assert (response.status, error_code(response)) == (status, code)
    assert inbox.events == []


def test_a_405_names_the_allowed_method(inbox: Inbox) -> None:
    assert receiver(inbox).handle("PUT", JSON, BODY).headers["Allow"] == "POST"


def test_a_body_of_exactly_the_limit_is_read(inbox: Inbox) -> None:
    assert receiver(inbox, body_bytes_max=len(BODY)).handle("POST", JSON, BODY).status == 200
    assert receiver(inbox, body_bytes_max=len(BODY) - 1).handle("POST", JSON, BODY).status == 413


def test_without_accepted_credentials_nothing_is_read(inbox: Inbox) -> None:
    endpoint = receiver(inbox, credentials=[("old", "password"), CREDENTIALS])
    for authorization in ({}, {"Authorization": basic_authorization("orders", "wrong")}):
        response = endpoint.handle("POST", {**JSON, **authorization}, b"{")
        assert (response.status, error_code(response)) == (401, "ERR_CREDENTIALS")
        assert response.headers["WWW-Authenticate"] == 'Basic realm="webhook"'
    right = {**JSON, "authorization": basic_authorization(*CREDENTIALS)}
    assert endpoint.handle("POST", right, BODY).status == 200


def test_without_a_fresh_signature_over_the_body_nothing_is_read(inbox: Inbox) -> None:
    endpoint = receiver(inbox, secrets=[SECRET])
    for headers, code in (
        (JSON, "ERR_SIGNATURE_HEADER_MISSING"),
        (signed(BODY + b" "), "ERR_SIGNATURE_MISMATCH"),
        (signed(BODY, at_s=NOW_S - 301), "ERR_SIGNATURE_TIMESTAMP"),
    ):
        response = endpoint.handle("POST", headers, BODY)
        assert (response.status, error_code(response)) == (401, code)
    assert inbox.events == []
    assert endpoint.handle("POST", signed(BODY), BODY).status == 200


def test_where_both_are_configured_both_are_required(inbox: Inbox) -> None:
    endpoint = receiver(inbox, credentials=[CREDENTIALS], secrets=[SECRET])
    basic = {"Authorization": basic_authorization(*CREDENTIALS)}
    assert endpoint.handle("POST", {**JSON, **basic}, BODY).status == 401
    assert endpoint.handle("POST", signed(BODY), BODY).status == 401
    assert endpoint.handle("POST", {**signed(BODY), **basic}, BODY).status == 200


def test_headers_may_come_as_pairs_and_the_first_of_a_repeated_one_counts(inbox: Inbox) -> None:
    pairs = [*signed(BODY).items(), ("Webhook-Id", "evt_other")]
    assert receiver(inbox, secrets=[SECRET]).handle("POST", iter(pairs), BODY).status == 200


def test_a_broken_secret_is_refused_when_the_receiver_is_made(inbox: Inbox) -> None:
    with pytest.raises(InvalidSecret):
        receiver(inbox, secrets=["whsec_short"])


header_names = st.sampled_from(
    ["content-type", "authorization", "webhook-id", "webhook-timestamp", "webhook-signature"]
)


@given(
    st.sampled_from(["POST", "post", "GET", "\ud800"]),
    st.lists(st.tuples(header_names | st.text(), st.text())),
    st.binary() | st.integers(0, len(BODY)).map(lambda at: BODY[:at] + b"\xff" + BODY[at + 1 :]),
    st.booleans(),
)
@settings(max_examples=1_000)
def test_whatever_arrives_there_is_an_answer(
    method: str, headers: list[tuple[str, str]], body: bytes, protected: bool
) -> None:
    inbox = Inbox()
    options = {"credentials": [CREDENTIALS], "secrets": [SECRET]} if protected else {}
    endpoint = receiver(inbox, **options)
    answer = endpoint.handle(method, [*headers, *JSON.items()], body)
    assert answer.status in {200, 400, 401, 405, 415}
    assert len(inbox.events) == (answer.status == 200)
