"""Bodies are spliced around stored bytes, and read back without surprises whatever arrives."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import (
    EnvelopeTemplate,
    ReceivedEvent,
    decode_body,
    encode_envelope,
)
from chathooks_events.errors import InvalidSessionType, MalformedBody, UnknownTrigger
from chathooks_events.samples import sample_body, sample_data

NESTING = 200_000

known = st.sampled_from(list(TRIGGERS))


def received(name: str, **changes: object) -> ReceivedEvent:
    body = {**msgspec.json.decode(sample_body(name)), **changes}
    return decode_body(msgspec.json.encode({k: v for k, v in body.items() if v is not None}))


def envelope(data: bytes, trigger: str = "message_received") -> bytes:
    return b'{"trigger":"%s","data":%s,"appId":"a","region":"us","webhook":"w"}' % (
        trigger.encode(),
        data,
    )


@given(known, st.text(), st.text(), st.text(), st.text())
def test_whatever_the_ids_a_body_is_read_back_as_it_was_made(
    name: str, app_id: str, region: str, webhook_id: str, event_id: str
) -> None:
    data = msgspec.json.encode(sample_data(name))
    body = encode_envelope(
        name, data, app_id=app_id, region=region, webhook_id=webhook_id, event_id=event_id
    )
    event = decode_body(body)
    assert event.data == sample_data(name)
    assert event.raw_data == data
    assert (event.trigger, event.app_id, event.region) == (name, app_id, region)
    assert (event.webhook_id, event.event_id) == (webhook_id, event_id)
    assert event.session_type == TRIGGERS[name].session_type


def test_the_stored_bytes_are_delivered_unchanged() -> None:
    data = b'{ "call" : 1.50, "\\u00e9": "\xc3\xa9" }'
    body = EnvelopeTemplate("demo", "us", "orders").body("call_busy", data, "evt_1")
    assert body == (
        b'{"trigger":"call_busy","data":' + data + b',"appId":"demo","region":"us",'
        b'"webhook":"orders","eventId":"evt_1"}'
    )


@pytest.mark.parametrize("name", list(TRIGGERS))
def test_the_top_level_type_stands_on_session_events_alone(name: str) -> None:
    body = msgspec.json.decode(sample_body(name))
    assert body.get("type") == TRIGGERS[name].session_type
    assert set(body) - {"type"} == {"trigger", "data", "appId", "region", "webhook", "eventId"}


def test_a_recording_of_a_call_may_say_so() -> None:
    template = EnvelopeTemplate("demo", "us", "orders")
    body = template.body("recording_generated", b"{}", "evt_1", session_type="call")
    assert msgspec.json.decode(body)["type"] == "call"


def test_an_unknown_trigger_or_session_type_is_refused_when_producing() -> None:
    template = EnvelopeTemplate("demo", "us", "orders")
    with pytest.raises(UnknownTrigger, match="message_received"):
        template.body("message_received", b"{}", "evt_1")
    with pytest.raises(InvalidSessionType, match="webinar") as caught:
        template.body("recording_generated", b"{}", "evt_1", "webinar")
    assert caught.value.code == "ERR_SESSION_TYPE_INVALID"


def test_unknown_fields_are_tolerated_when_receiving() -> None:
    body = msgspec.json.decode(sample_body("message_sent"))
    body["later"] = {"field": 1}
    body["data"]["later"] = 2
    body["data"]["message"]["later"] = [3]
    assert decode_body(msgspec.json.encode(body)).data == sample_data("message_sent")


def test_an_unknown_trigger_is_received_as_a_dict() -> None:
    event = decode_body(envelope(b'{"a":[1]}'))
    assert event.data == {"a": [1]}
    assert event.event_id is None


MALFORMED = {
    "nothing": b"",
    "not JSON": b"{trigger}",
    "cut off": sample_body("message_sent")[:-1],
    "two values": sample_body("message_sent") + b"{}",
    "an array": b"[]",
    "no data": b'{"trigger":"message_sent","appId":"a","region":"us","webhook":"w"}',
    "data of another trigger": envelope(b'{"group":{}}', "message_sent"),
    "data that is no object": envelope(b"[1]"),
    "a null trigger": b'{"trigger":null,"data":{},"appId":"a","region":"us","webhook":"w"}',
    "bytes that are not UTF-8": envelope(b'{"a":"\xff"}'),
    "half a surrogate pair": envelope(b'{"a":"\\ud800"}'),
    "a number beyond all bounds": envelope(b'{"a":1e999}'),
    "a time before 1970": sample_body("user_blocked").replace(b'"blockedAt":1', b'"blockedAt":-1'),
    "arrays nested too deeply": b"[" * NESTING,
    "data nested too deeply": envelope(b'{"a":' * NESTING + b"1" + b"}" * NESTING),
    "unread fields nested too deeply": envelope(b"{}")[:-1] + b',"b":' + b"[" * NESTING,
    "metadata nested too deeply": sample_body("message_sent").replace(
        b'"phone"', b"[" * NESTING + b"]" * NESTING
    ),
}


@pytest.mark.parametrize("what", list(MALFORMED))
def test_a_malformed_body_is_one_documented_error(what: str) -> None:
    with pytest.raises(MalformedBody) as caught:
        decode_body(MALFORMED[what])
    assert caught.value.code == "ERR_MALFORMED_BODY"
    assert caught.value.message.startswith("The body is ")


@given(st.binary())
@settings(max_examples=500)
def test_random_bytes_never_raise_anything_else(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_body(body)


@given(known, st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3)), max_size=4))
@settings(max_examples=2_000)
def test_damaged_bodies_never_raise_anything_else(
    name: str, damages: list[tuple[int, bytes]]
) -> None:
    body = sample_body(name)
    for position, replacement in damages:
        at = position % (len(body) + 1)
        body = body[:at] + replacement + body[at + 1 :]
    try:
        event = decode_body(body)
    except MalformedBody:
        return
    try:
        key = event.dedupe_key()
    except MalformedBody:
        return
    assert isinstance(key, str)


def test_the_event_id_is_the_key_to_deduplicate_on() -> None:
    assert received("message_sent", eventId="evt_1").dedupe_key() == "evt_1"


def test_without_event_id_two_edits_of_a_message_have_different_keys() -> None:
    body = msgspec.json.decode(sample_body("message_edited"))
    later = {"message": {**body["data"]["message"], "editedAt": 2_000_000_000}}
    first = received("message_edited", eventId=None)
    again = received("message_edited", eventId=None, region="eu")
    second = received("message_edited", eventId=None, data=later)
    assert first.dedupe_key() == again.dedupe_key() != second.dedupe_key()


def test_without_event_id_each_webhook_and_trigger_has_its_own_key() -> None:
    events = [
        received("message_sent", eventId=None),
        received("message_sent", eventId=None, webhook="other"),
        received("user_mentioned", eventId=None),
    ]
    assert len({event.dedupe_key() for event in events}) == 3


def test_without_event_id_the_members_concerned_are_part_of_the_key() -> None:
    body = msgspec.json.decode(sample_body("group_member_added"))
    others = {**body["data"], "members": {"carol": {"uid": "carol", "name": "Carol"}}}
    bob = received("group_member_added", eventId=None)
    carol = received("group_member_added", eventId=None, data=others)
    assert bob.dedupe_key() != carol.dedupe_key()


def test_without_event_id_an_unknown_trigger_is_known_by_its_whole_data() -> None:
    first = decode_body(envelope(b'{"a":1,"b":2}')).dedupe_key()
    assert first == decode_body(envelope(b'{"b":2,"a":1}')).dedupe_key()
    assert first != decode_body(envelope(b'{"a":1,"b":3}')).dedupe_key()


def test_a_key_passes_over_fields_that_are_absent_or_no_objects() -> None:
    event = decode_body(
        envelope(
            b'{"users":{"bob":{"uid":"bob","name":"Bob"}},"by":{"uid":"a","name":"A"}}',
            "user_blocked",
        )
    )
    assert event.dedupe_key() == '[["w"],["user_blocked"],["a"],["bob"],[]]'
    odd = msgspec.structs.replace(event, raw_data=b'{"users":[],"by":"a"}')
    assert odd.dedupe_key() == '[["w"],["user_blocked"],[],[],[]]'


def test_a_key_over_unreadable_undocumented_parts_is_a_documented_error() -> None:
    event = decode_body(
        envelope(b'{"users":{},"by":{"uid":"a","name":"A"},"later":1e999}', "user_blocked")
    )
    with pytest.raises(MalformedBody):
        event.dedupe_key()
