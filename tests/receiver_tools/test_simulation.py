"""Simulated chats: the same for the same seed, true in themselves, and of the documented shapes."""

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chathooks_events.catalog import TRIGGERS, schema
from chathooks_events.envelope import decode_body
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.simulation.moments import SimulatedEvent
from chathooks_receiver.tools.simulation.scenarios import SCENARIOS, events, moments
from support.chat_reader import ChatReader, Untrue

EVENTS = 600
SEEDS = st.integers(min_value=0, max_value=2**63)
NAMES = sorted(SCENARIOS)


def first(scenario: str, seed: int, count: int = EVENTS) -> list[SimulatedEvent]:
    return list(islice(events(scenario, seed), count))


def body(event: SimulatedEvent) -> bytes:
    return (
        Identity()
        .request(event.trigger, event.data, event_id=event.event_id, now_s=event.at_s)
        .body
    )


@cache
def validator(trigger: str) -> Draft202012Validator:
    return Draft202012Validator(schema(trigger))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(scenario=st.sampled_from(NAMES), seed=SEEDS)
def test_a_chat_is_true_in_itself(scenario: str, seed: int) -> None:
    reader = ChatReader()
    for event in first(scenario, seed):
        reader.read(event)


@pytest.mark.parametrize("scenario", NAMES)
def test_a_long_chat_is_true_in_itself(scenario: str) -> None:
    reader = ChatReader()
    for event in first(scenario, 20_26, 5_000):
        reader.read(event)


@pytest.mark.parametrize("scenario", NAMES)
def test_every_body_is_of_the_documented_shape(scenario: str) -> None:
    for event in first(scenario, 3):
        content = body(event)
        errors = [
            error.message
            for error in validator(event.trigger).iter_errors(msgspec.json.decode(content))
        ]
        assert errors == [], event.trigger
        received = decode_body(content)
        assert isinstance(received.data, TRIGGERS[event.trigger].data_type)
        assert received.event_id == event.event_id


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_everything_shows_every_trigger_within_the_first_3000_events(seed: int) -> None:
    assert {event.trigger for event in first("everything", seed, 3_000)} == set(TRIGGERS)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(scenario=st.sampled_from(NAMES), seed=SEEDS)
def test_the_same_seed_makes_the_same_bytes(scenario: str, seed: int) -> None:
    assert [body(event) for event in first(scenario, seed, 200)] == [
        body(event) for event in first(scenario, seed, 200)
    ]


def _digest(scenario: str, seed: int) -> str:
    return hashlib.sha256(b"".join(body(event) for event in first(scenario, seed))).hexdigest()


def test_another_process_makes_the_same_bytes() -> None:
    program = "from receiver_tools.test_simulation import _digest; print(_digest('everything', 42))"
    paths = [path for path in sys.path if path.endswith("tests")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "99"},
    )
    assert done.stdout.strip() == _digest("everything", 42)


def test_other_seeds_are_other_chats_and_share_no_dedupe_key() -> None:
    def keys(seed: int) -> set[str]:
        found = set()
        for event in first("everything", seed, 400):
            request = Identity(platform="cometchat").request(
                event.trigger, event.data, event_id=event.event_id, now_s=event.at_s
            )
            found.add(decode_body(request.body).dedupe_key())
        return found

    assert not keys(1) & keys(2)


@pytest.mark.parametrize("scenario", NAMES)
def test_events_can_be_told_apart_without_event_ids(scenario: str) -> None:
    keys = Counter()  # type: Counter[str]
    for event in first(scenario, 11):
        request = Identity(platform="cometchat").request(
            event.trigger, event.data, event_id=event.event_id, now_s=event.at_s
        )
        received = decode_body(request.body)
        assert received.event_id is None
        # A platform that sends no ids may repeat the key of a group after a change and back.
        if TRIGGERS[event.trigger].category != "group":
            keys[received.dedupe_key()] += 1
    assert keys.most_common(1)[0][1] == 1


def test_moments_that_the_api_can_cause_carry_their_call() -> None:
    calls = [moment.call for moment in islice(moments("group", 5), 200)]
    assert sum(call is not None for call in calls) > 40
    for moment in islice(moments("everything", 5), 300):
        if any(event.trigger == "message_sent" for event in moment.events) and moment.call:
            assert moment.call.makes_message


def _drop(found: list[SimulatedEvent], trigger: str) -> list[SimulatedEvent]:
    assert any(event.trigger == trigger for event in found)
    left = [event for event in found if event.trigger != trigger]
    return [msgspec.structs.replace(event, stream=None) for event in left]


def _swap(found: list[SimulatedEvent], trigger: str) -> list[SimulatedEvent]:
    at = next(i for i, event in enumerate(found) if event.trigger == trigger)
    moved = [found[at], *found[:at], *found[at + 1 :]]
    return [msgspec.structs.replace(event, stream=None, at_s=0) for event in moved]


def _read_all(found: list[SimulatedEvent]) -> None:
    reader = ChatReader()
    for event in found:
        reader.read(event)


@pytest.mark.parametrize(
    ("scenario", "change", "trigger"),
    [
        ("chat", _drop, "message_sent"),
        ("chat", _swap, "message_edited"),
        ("chat", _swap, "message_read_receipt"),
        ("chat", _drop, "message_delivery_receipt"),
        ("chat", _drop, "user_blocked"),
        ("group", _drop, "group_created"),
        ("group", _drop, "group_member_added"),
        ("group", _swap, "group_member_unbanned"),
        ("call", _drop, "call_initiated"),
        ("call", _drop, "call_participant_joined"),
        ("moderation", _drop, "moderation_engine_blocked"),
    ],
)
def test_the_reader_objects_to_chats_that_are_not_true(
    scenario: str, change: Callable[..., Any], trigger: str
) -> None:
    changed = change(first(scenario, 4), trigger)
    with pytest.raises((Untrue, KeyError)):
        _read_all(changed)
