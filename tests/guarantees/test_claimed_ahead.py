"""Deliveries claimed ahead of their lane's slots are handed back unless they were sent: delivery contract §2, §3.2, §7."""

from pathlib import Path

import pytest

from chathooks.delivery.cycle import EngineLimits
from chathooks.kernel.clock import ManualClock
from support.rig import Rig, running
from support.scripted_endpoint import ScriptedEndpoint
from support.waiting import until

pytestmark = pytest.mark.anyio

EVENTS = 30
SLOTS = 2
BEGUN = 2 * SLOTS
"""Attempts begun once the first two were acknowledged and the next two are held."""
LIMITS = EngineLimits(timeout_s=30.0)


async def claim_ahead(rig: Rig, endpoint: ScriptedEndpoint) -> int:
    """A lane whose endpoint acknowledged two deliveries and holds two more, with others claimed behind them."""
    endpoint.hold()
    lane = await rig.webhook(endpoint.url(), concurrency=SLOTS)
    await rig.events(EVENTS)
    await endpoint.arrived(SLOTS)
    endpoint.release()
    endpoint.hold()  # those that wait were let go, later ones wait
    await endpoint.arrived(BEGUN)

    async def claimed() -> bool:
        return bool(rig.engine.lanes.by_key[lane].ahead)

    await until(claimed)
    return lane


async def test_no_more_attempts_run_at_once_than_the_lane_has_slots(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await claim_ahead(rig, endpoint)
        in_flight = [state for state in (await rig.states(lane)).values() if state == "in_flight"]
        assert len(in_flight) > SLOTS
        endpoint.release()
        await rig.quiet()
        assert endpoint.concurrent_max == SLOTS
        assert [request.number for request in endpoint.requests] == list(range(1, EVENTS + 1))
        assert set((await rig.states(lane)).values()) == {"delivered"}


async def test_what_was_claimed_ahead_when_its_webhook_is_disabled_is_never_sent(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await claim_ahead(rig, endpoint)
        await rig.webhook(endpoint.url(), concurrency=SLOTS, enabled=False)
        endpoint.release()
        await rig.quiet()
        assert len(endpoint.requests) == BEGUN
        states = list((await rig.states(lane)).values())
        assert states == ["delivered"] * BEGUN + ["cancelled"] * (EVENTS - BEGUN)
        assert [number for number, *_ in await rig.attempts(lane)] == list(range(1, BEGUN + 1))
        assert rig.fanout_backlog(lane) == 0


async def test_what_was_claimed_ahead_goes_where_the_changed_webhook_says_as_a_first_attempt(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await claim_ahead(rig, endpoint)
        await rig.webhook(endpoint.url("/new"), concurrency=SLOTS)
        endpoint.release()
        await rig.quiet()
        assert {request.path for request in endpoint.requests[BEGUN:]} == {"/new"}
        assert sorted(request.number for request in endpoint.requests) == list(range(1, EVENTS + 1))
        assert {request.attempt for request in endpoint.requests} == {1}
        assert set((await rig.states(lane)).values()) == {"delivered"}
        assert rig.fanout_backlog(lane) == 0


async def test_a_stop_hands_back_what_was_claimed_ahead(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await claim_ahead(rig, endpoint)
        rig.engine.hold()
        endpoint.release()
        await rig.stop()
        assert len(endpoint.requests) == BEGUN
        await rig.restart()
        await rig.quiet()
        assert sorted(request.number for request in endpoint.requests) == list(range(1, EVENTS + 1))
        assert {request.attempt for request in endpoint.requests} == {1}
        assert {failure for *_, failure in await rig.attempts(lane)} == {None}


async def test_after_a_crash_what_was_claimed_ahead_is_made_as_an_extra_attempt(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await claim_ahead(rig, endpoint)
        unsent = [item.number for item in rig.engine.lanes.by_key[lane].ahead]
        await rig.crash()
        endpoint.release()
        await rig.restart()
        await rig.quiet()
        attempts = await rig.attempts(lane)
        for number in unsent:
            assert [row[1:] for row in attempts if row[0] == number] == [
                (1, None, "interrupted"),
                (2, 200, None),
            ]
        assert set((await rig.states(lane)).values()) == {"delivered"}


async def test_a_lane_that_is_refused_claims_nothing_ahead(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock, LIMITS) as rig:
        lane = await rig.webhook(endpoint.url(), concurrency=SLOTS)
        seen: set[int] = set()
        take = rig.engine._starter.take

        def watched(taken: object, *rest: object) -> None:
            take(taken, *rest)  # type: ignore[arg-type]  # handed on as it came
            seen.add(len(taken.ahead))  # type: ignore[attr-defined]  # a lane

        rig.engine._starter.take = watched  # type: ignore[method-assign]  # to look at each claim
        await rig.events(EVENTS)
        await rig.quiet()
        assert seen == {0}
        assert set((await rig.states(lane)).values()) == {"failed"}


async def test_an_attempt_that_cannot_begin_ends_the_engine(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, LIMITS) as rig:
        await claim_ahead(rig, endpoint)

        def refuse(*_: object) -> None:
            raise RuntimeError("cannot begin")

        monkeypatch.setattr(rig.engine._starter, "_begin", refuse)
        endpoint.release()
        with pytest.raises(RuntimeError, match="cannot begin"):
            await rig.engine.ended()
        await rig.crash()
        await rig.restart()
        await rig.quiet()
        assert {request.number for request in endpoint.requests} == set(range(1, EVENTS + 1))
