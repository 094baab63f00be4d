"""What is not certainly an engine's own any more is not begun: delivery contract §3.2, "after a recorded acknowledgement
nothing more is sent".

A process that stood still for longer than its seat lasts may have been replaced: what it claimed before, another has sent
meanwhile. Until it has shown that it is well it begins nothing, and hands back what it had claimed.
"""

import asyncio
from pathlib import Path

import pytest

from chathooks.kernel.clock import ManualClock
from support.rig import Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

EVENTS = 40


class Certainty:
    """Says what an engine is told."""

    def __init__(self, rig: Rig) -> None:
        self.holds = True
        self._engine = rig.engine
        rig.engine._starter._certain = lambda: self.holds

    def regain(self) -> None:
        self.holds = True
        self._engine.go_on()


async def come_to_rest(rig: Rig) -> None:
    """Until the engine has nothing in flight and does nothing more."""
    async with asyncio.timeout(20):
        while rig.engine.lanes.in_flight or rig.engine._bell.is_set():  # noqa: ASYNC110 -- it has no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ordered", [False, True])
async def test_nothing_begins_while_the_lanes_may_be_anothers(
    tmp_path: Path, clock: ManualClock, ordered: bool
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        certainty = Certainty(rig)
        lane = await rig.webhook(endpoint.url(), concurrency=2, ordered=ordered)
        endpoint.hold()
        await rig.events(EVENTS)
        await endpoint.arrived(1 if ordered else 2)
        certainty.holds = False
        begun = len(endpoint.requests)
        endpoint.release()
        await come_to_rest(rig)
        assert len(endpoint.requests) == begun
        states = list((await rig.states(lane)).values())
        assert states.count("delivered") == begun
        assert states.count("pending") == EVENTS - begun
        certainty.regain()
        await rig.quiet()
        assert sorted(request.number for request in endpoint.requests) == list(range(1, EVENTS + 1))
        assert set((await rig.states(lane)).values()) == {"delivered"}
        assert {attempt for _, attempt, _, _ in await rig.attempts(lane)} == {1}


async def test_what_was_claimed_just_before_is_handed_back_as_it_was(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A retry and a replay, claimed by a cycle whose commit was answered only after the process had stood still."""
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        certainty = Certainty(rig)
        await rig.webhook(endpoint.url("/retried"), webhook_id="retried", retry=True)
        failed = await rig.webhook(endpoint.url("/replayed"), webhook_id="replayed")
        await rig.event()
        await rig.quiet()
        take = rig.engine._starter.take
        claimed: list[bool] = []

        def stand_still_then_take(lane: object, to: object, items: list[object]) -> None:
            certainty.holds = False
            claimed.extend(bool(items) for _ in items)
            take(lane, to, items)  # type: ignore[arg-type]

        rig.engine._starter.take = stand_still_then_take  # type: ignore[assignment,method-assign]
        await rig.replay.one(1, failed, 1)
        clock.advance(10_000)
        await come_to_rest(rig)
        assert claimed
        assert len(endpoint.requests) == 2
        rig.engine._starter.take = take  # type: ignore[method-assign]
        endpoint.default = 200
        certainty.regain()
        await rig.quiet()
        clock.advance(1)
        await rig.quiet()
        assert len(endpoint.requests) == 4
        for name in ("retried", "replayed"):
            hook = await rig.stored_webhook(name)
            assert await rig.states(hook.lane) == {1: "delivered"}
            assert [row[1] for row in await rig.attempts(hook.lane)] == [1, 2]
