"""Work that is done over and over is begun and ended together, any number of times."""

import asyncio

import pytest
import structlog

from chathooks.app import schedules
from chathooks.app.schedules import Periodic, Schedules
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.errors import StoreUnavailable
from support.waiting import eventually

pytestmark = pytest.mark.anyio

S = 1_000
ENDED_S_MAX = 5.0


class Work:
    """Counts its rounds; `open` lets them end."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def round(self) -> None:
        self.begun += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.ended += 1


async def armed(clock: ManualClock) -> None:
    """Wait until the next round has its timer."""
    await eventually(lambda: clock.next_timer_ms() is not None)


async def test_each_kind_of_work_is_done_at_its_own_pace(clock: ManualClock) -> None:
    often, seldom = Work(), Work()
    both = Schedules(clock, [Periodic(2, often.round), Periodic(5, seldom.round)])
    both.start()
    both.start()
    try:
        for seconds in range(1, 7):
            await eventually(lambda: len(clock._timers) == 2)
            clock.advance(S)
            await eventually(lambda s=seconds: (often.ended, seldom.ended) == (s // 2, s // 5))
    finally:
        await both.stop()
    assert not both.running
    assert clock.next_timer_ms() is None


async def test_they_can_be_begun_and_ended_over_and_over(clock: ManualClock) -> None:
    work = Work()
    one = Schedules(clock, [Periodic(2, work.round)])
    for rounds in range(1, 4):
        one.start()
        assert one.running
        await armed(clock)
        clock.advance(2 * S)
        await eventually(lambda r=rounds: work.ended == r)
        await one.stop()
        clock.advance(10 * S)
        assert (work.begun, one.running) == (rounds, False)


async def test_the_first_round_of_what_was_taken_over_comes_sooner(clock: ManualClock) -> None:
    work = Work()
    one = Schedules(clock, [Periodic(600, work.round)], first_within_s=60)
    one.start()
    try:
        await armed(clock)
        clock.advance(60 * S)
        await eventually(lambda: work.ended == 1)
        await armed(clock)
        assert clock.next_timer_ms() == clock.steady_ms() + 600 * S
    finally:
        await one.stop()


async def test_a_stop_waits_for_the_round_under_way(clock: ManualClock) -> None:
    work = Work()
    work.open.clear()
    one = Schedules(clock, [Periodic(1, work.round)])
    one.start()
    await armed(clock)
    clock.advance(S)
    await eventually(lambda: work.begun == 1)
    stopping = asyncio.create_task(one.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    work.open.set()
    await asyncio.wait_for(stopping, ENDED_S_MAX)
    assert work.ended == 1


async def test_a_round_that_does_not_end_is_cut_off(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "ROUND_ENDS_S", 0.05)
    work = Work()
    work.open.clear()
    one = Schedules(clock, [Periodic(1, work.round)])
    one.start()
    await armed(clock)
    clock.advance(S)
    await eventually(lambda: work.begun == 1)
    await asyncio.wait_for(one.stop(), ENDED_S_MAX)
    work.open.set()
    await asyncio.sleep(0)
    assert work.ended == 0


@pytest.mark.parametrize(
    ("error", "level"), [(StoreUnavailable("away"), "warning"), (ValueError("a fault"), "error")]
)
async def test_a_round_that_fails_is_told_of_and_ends_no_later_one(
    clock: ManualClock, error: Exception, level: str
) -> None:
    work = Work()
    work.error = error
    one = Schedules(clock, [Periodic(1, work.round)])
    with structlog.testing.capture_logs() as lines:
        one.start()
        await armed(clock)
        clock.advance(S)
        await eventually(lambda: len(lines) == 1)
        work.error = None
        await armed(clock)
        clock.advance(S)
        await eventually(lambda: work.ended == 1)
        await one.stop()
    assert [line["log_level"] for line in lines] == [level]
