"""The catalog is complete, stable, and says of each trigger what is really delivered."""

from datetime import datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import msgspec
import pytest

from chathooks_events import payloads
from chathooks_events.catalog import (
    TRIGGERS,
    schema,
    session_types,
    trigger_by_name,
    trigger_by_number,
)
from chathooks_events.errors import UnknownTrigger
from chathooks_events.samples import sample, sample_body, sample_data

CORE = {
    "message": [
        "message_sent",
        "message_edited",
        "message_deleted",
        "message_delivery_receipt",
        "message_read_receipt",
        "message_reaction_added",
        "message_reaction_removed",
        "user_mentioned",
    ],
    "user": ["user_blocked", "user_unblocked", "user_connection_status_changed"],
    "group": [
        "group_created",
        "group_updated",
        "group_deleted",
        "group_member_added",
        "group_member_removed",
        "group_member_banned",
        "group_member_unbanned",
        "group_member_joined",
        "group_member_left",
        "group_member_kicked",
        "group_member_scope_changed",
        "group_owner_transferred",
    ],
    "call": [
        "call_initiated",
        "call_started",
        "call_ended",
        "call_participant_joined",
        "call_participant_left",
        "call_busy",
        "call_cancelled",
        "call_rejected",
        "call_unanswered",
    ],
    "meeting": [
        "meeting_started",
        "meeting_ended",
        "meeting_participant_joined",
        "meeting_participant_left",
        "recording_generated",
    ],
    "moderation": [
        "moderation_engine_approved",
        "moderation_engine_blocked",
        "moderation_manual_approved",
    ],
}

FURTHER = {
    "message": [
        "message_delivered_to_all",
        "message_read_by_all",
        "message_pinned",
        "message_unpinned",
        "conversation_pinned",
        "conversation_unpinned",
    ],
    "meeting": ["transcription_generated"],
    "moderation": ["moderation_engine_failed"],
    "campaign": [
        "after_campaign_completed",
        "after_campaign_failed",
        "after_feed_item_sent",
        "after_feed_item_delivered",
        "after_feed_item_read",
        "after_feed_item_interacted",
        "after_push_notification_sent",
        "after_push_notification_delivered",
        "after_push_notification_clicked",
        "after_notification_created",
    ],
}

# Rows of stored events hold these numbers: a line here may be added, never changed or removed.
NUMBERS = {
    "message_sent": 1,
    "message_edited": 2,
    "message_deleted": 3,
    "message_delivery_receipt": 4,
    "message_read_receipt": 5,
    "message_reaction_added": 6,
    "message_reaction_removed": 7,
    "user_mentioned": 8,
    "user_blocked": 9,
    "user_unblocked": 10,
    "user_connection_status_changed": 11,
    "group_created": 12,
    "group_updated": 13,
    "group_deleted": 14,
    "group_member_added": 15,
    "group_member_removed": 16,
    "group_member_banned": 17,
    "group_member_unbanned": 18,
    "group_member_joined": 19,
    "group_member_left": 20,
    "group_member_kicked": 21,
    "group_member_scope_changed": 22,
    "group_owner_transferred": 23,
    "call_initiated": 24,
    "call_started": 25,
    "call_ended": 26,
    "call_participant_joined": 27,
    "call_participant_left": 28,
    "call_busy": 29,
    "call_cancelled": 30,
    "call_rejected": 31,
    "call_unanswered": 32,
    "meeting_started": 33,
    "meeting_ended": 34,
    "meeting_participant_joined": 35,
    "meeting_participant_left": 36,
    "recording_generated": 37,
    "moderation_engine_approved": 38,
    "moderation_engine_blocked": 39,
    "moderation_manual_approved": 40,
    "message_delivered_to_all": 41,
    "message_read_by_all": 42,
    "message_pinned": 43,
    "message_unpinned": 44,
    "conversation_pinned": 45,
    "conversation_unpinned": 46,
    "transcription_generated": 47,
    "moderation_engine_failed": 48,
    "after_campaign_completed": 49,
    "after_campaign_failed": 50,
    "after_feed_item_sent": 51,
    "after_feed_item_delivered": 52,
    "after_feed_item_read": 53,
    "after_feed_item_interacted": 54,
    "after_push_notification_sent": 55,
    "after_push_notification_delivered": 56,
    "after_push_notification_clicked": 57,
    "after_notification_created": 58,
}

SESSION_TYPES = {
    **{
        f"{kind}_{what}": (word,)
        for kind, word in (("call", "call"), ("meeting", "meet"))
        for what in ("started", "ended", "participant_joined", "participant_left")
    },
    "recording_generated": ("call", "meet"),
    "transcription_generated": ("call", "meet"),
}

DOCUMENTED_KEYS = {
    "message_sent": ("data.message.id",),
    **{
        f"call_{name}": ("data.call.id", "data.call.sentAt")
        for name in ("initiated", "busy", "cancelled", "rejected", "unanswered")
    },
    **{
        f"{kind}_{what}": ("data.sessionId", field)
        for kind in ("call", "meeting")
        for what, field in (
            ("started", "data.created_at"),
            ("participant_joined", "data.occupant.joined_at"),
            ("participant_left", "data.occupant.left_at"),
            ("ended", "data.destroyed_at"),
        )
    },
    "recording_generated": ("data.sessionId", "data.startTime"),
}

by_trigger = pytest.mark.parametrize("name", list(TRIGGERS))


def formats() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker()

    def is_uri(value: Any) -> bool:
        return not isinstance(value, str) or value.startswith("https://")

    def is_date_time(value: Any) -> bool:
        return not isinstance(value, str) or bool(msgspec.convert(value, datetime))

    checker.checks("uri")(is_uri)
    checker.checks("date-time", raises=msgspec.ValidationError)(is_date_time)
    return checker


def problems(name: str, body: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema(name), format_checker=formats())
    return [error.message for error in validator.iter_errors(body)]


def names(table: dict[str, list[str]]) -> set[str]:
    return {name for group in table.values() for name in group}


def test_there_are_58_triggers_and_the_core_is_the_40_of_the_overview() -> None:
    assert len(TRIGGERS) == 58
    assert {name for name, item in TRIGGERS.items() if item.core} == names(CORE)
    assert len(names(CORE)) == 40
    assert {name for name, item in TRIGGERS.items() if not item.core} == names(FURTHER)


def test_every_trigger_stands_in_its_category() -> None:
    for table in (CORE, FURTHER):
        for category, members in table.items():
            assert {TRIGGERS[name].category for name in members} == {category}


def test_numbers_never_change() -> None:
    assert {name: item.number for name, item in TRIGGERS.items()} == NUMBERS
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert [item.number for item in TRIGGERS.values()] == sorted(NUMBERS.values())


def test_a_trigger_is_found_by_name_and_by_number() -> None:
    for name, number in NUMBERS.items():
        assert trigger_by_number(number) is trigger_by_name(name) is TRIGGERS[name]


def test_an_unknown_name_or_number_is_a_clear_error() -> None:
    with pytest.raises(UnknownTrigger, match="59") as by_number:
        trigger_by_number(59)
    with pytest.raises(UnknownTrigger, match="message_received") as by_name:
        trigger_by_name("message_received")
    assert by_number.value.code == by_name.value.code == "ERR_TRIGGER_NOT_FOUND"
    for ask in (schema, sample, sample_body):
        with pytest.raises(UnknownTrigger):
            ask("message_received")


@by_trigger
def test_the_payload_type_is_named_after_its_trigger(name: str) -> None:
    struct_name = "".join(word.title() for word in name.split("_"))
    assert TRIGGERS[name].data_type is getattr(payloads, struct_name)


@by_trigger
def test_the_description_is_one_plain_sentence(name: str) -> None:
    description = TRIGGERS[name].description
    assert description[0].isupper()
    assert description.endswith(".")
    assert description.count(".") == 1


@by_trigger
def test_session_events_and_no_others_have_a_session_type(name: str) -> None:
    allowed = SESSION_TYPES.get(name, ())
    assert session_types(TRIGGERS[name]) == allowed
    assert (TRIGGERS[name].session_type in allowed) if allowed else not TRIGGERS[name].session_type


@pytest.mark.parametrize("name", list(DOCUMENTED_KEYS))
def test_documented_dedupe_keys_are_kept(name: str) -> None:
    assert TRIGGERS[name].dedupe_key == ("webhook", "trigger", *DOCUMENTED_KEYS[name])


@by_trigger
def test_every_path_of_a_dedupe_key_is_in_the_schema(name: str) -> None:
    document = schema(name)

    def step(node: dict[str, Any], key: str) -> list[dict[str, Any]]:
        if "$ref" in node:
            node = document["$defs"][node["$ref"].removeprefix("#/$defs/")]
        if "anyOf" in node:
            return [found for choice in node["anyOf"] for found in step(choice, key)]
        found = node["additionalProperties"] if key == "*" else node["properties"].get(key)
        return [found] if found else []

    for path in TRIGGERS[name].dedupe_key:
        nodes = [document]
        for key in path.split("."):
            nodes = [found for node in nodes for found in step(node, key)]
        assert nodes, path


@by_trigger
def test_the_schema_is_valid_and_describes_the_whole_body(name: str) -> None:
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"] == name
    assert document["$id"].endswith(name)
    assert document["properties"]["trigger"] == {"const": name}
    assert {"trigger", "data", "appId", "region", "webhook", "eventId"} <= set(document["required"])
    assert ("type" in document["required"]) == (name in SESSION_TYPES)
    assert schema(name) is document


@by_trigger
def test_the_schema_never_allows_null(name: str) -> None:
    assert b'"null"' not in msgspec.json.encode(schema(name))
    assert b"null" not in msgspec.json.encode(schema(name))


@by_trigger
def test_the_sample_satisfies_the_schema(name: str) -> None:
    assert problems(name, msgspec.json.decode(sample_body(name))) == []


@by_trigger
def test_a_body_without_a_required_field_is_refused_by_the_schema(name: str) -> None:
    for field in schema(name)["required"]:
        body = msgspec.json.decode(sample_body(name))
        del body[field]
        assert problems(name, body), field
    data_schema = schema(name)["$defs"][TRIGGERS[name].data_type.__name__]
    for field in data_schema["required"]:
        body = msgspec.json.decode(sample_body(name))
        del body["data"][field]
        assert problems(name, body), field


@by_trigger
def test_the_sample_of_another_trigger_is_refused_by_the_schema(name: str) -> None:
    other = "user_blocked" if name != "user_blocked" else "group_updated"
    assert problems(name, msgspec.json.decode(sample_body(other)))


@by_trigger
def test_a_sample_is_a_new_dict_each_time_and_holds_no_null(name: str) -> None:
    first = sample(name)
    first.clear()
    assert sample(name)
    assert sample(name) == msgspec.json.decode(msgspec.json.encode(sample_data(name)))
    assert b"null" not in sample_body(name)


@by_trigger
def test_the_schema_names_every_event_id_format_violation(name: str) -> None:
    body = msgspec.json.decode(sample_body(name, event_id="evt_1"))
    assert any("evt_1" in problem for problem in problems(name, body))
