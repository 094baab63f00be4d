"""The kernel: ids that only grow, a clock that never fires early, masks that hide."""

import asyncio
import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.kernel.clock import ManualClock, SystemClock
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.ids import EventIds, api_key

NOW_MS = 1_700_000_000_000


@given(st.lists(st.integers(-5_000, 5_000), max_size=300))
def test_event_ids_are_uuid7_and_strictly_increasing_even_when_the_clock_steps_back(
    steps: list[int],
) -> None:
    clock = ManualClock(NOW_MS)
    ids = EventIds(clock.wall_ms, os.urandom)
    made = []
    for step in steps:
        clock.step_wall(step)
        made.append(ids.next())
    assert made == sorted(set(made))
    for text in made:
        parsed = uuid.UUID(text.removeprefix("evt_"))
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert str(parsed) == text.removeprefix("evt_")


def test_more_ids_than_fit_in_a_millisecond_still_increase() -> None:
    ids = EventIds(lambda: NOW_MS, os.urandom)
    made = [ids.next() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_an_event_id_carries_the_time_it_was_made() -> None:
    text = EventIds(lambda: NOW_MS, os.urandom).next()
    assert uuid.UUID(text.removeprefix("evt_")).int >> 80 == NOW_MS


def test_an_api_key_is_40_lower_case_hex_characters() -> None:
    key = api_key(os.urandom)
    assert len(key) == 40
    assert set(key) <= set("0123456789abcdef")


@given(st.text(max_size=60))
def test_a_mask_shows_at_most_four_characters_and_never_half_of_the_secret(secret: str) -> None:
    shown = mask(secret).lstrip("*") if not secret.endswith("*") else ""
    assert len(shown) <= 4
    assert not shown or len(secret) > 8


def test_equal_keys_have_equal_digests_and_no_other() -> None:
    assert digest("a") == digest("a") != digest("b")
    assert len(digest("\ud800")) == 32


@pytest.mark.anyio
async def test_a_timer_never_fires_before_its_time() -> None:
    clock = SystemClock()
    fired: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    due = clock.steady_ms() + 20
    clock.call_at(due, lambda: fired.set_result(clock.steady_ms()))
    assert await asyncio.wait_for(fired, 5) >= due


@pytest.mark.anyio
async def test_a_cancelled_timer_does_not_fire() -> None:
    clock = SystemClock()
    fired: list[str] = []
    done = asyncio.Event()
    clock.call_at(clock.steady_ms() + 5, lambda: fired.append("cancelled")).cancel()
    clock.call_at(clock.steady_ms() + 10, done.set)
    await asyncio.wait_for(done.wait(), 5)
    assert fired == []


def test_the_manual_clock_runs_timers_in_order_of_their_time() -> None:
    clock = ManualClock()
    ran: list[int] = []
    for delay in (30, 10, 20):
        clock.call_at(clock.steady_ms() + delay, lambda delay=delay: ran.append(delay))  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
    clock.advance(25)
    assert ran == [10, 20]
    clock.advance(5)
    assert ran == [10, 20, 30]
