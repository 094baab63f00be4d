"""Triggers taken from a lane with a large backlog: one look through it, however many they are (§2)."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.delivery import sweeping
from chathooks.delivery.queue import Sweep
from chathooks.kernel.clock import ManualClock
from chathooks_events.catalog import TRIGGERS
from support.rig import running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

KEPT = "message_sent"
REMOVED = [name for name in sorted(TRIGGERS) if name != KEPT][:20]
NUMBERS_PER_CYCLE = 10


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(from, below) of each look at a part of a backlog."""
    seen: list[tuple[int, int]] = []
    real = SqliteTransaction.sweep

    async def sweep(
        self: SqliteTransaction, sweep: Sweep, below: int, withdrawn: Mapping[int, int]
    ) -> list[tuple[int, int | None, int]]:
        seen.append((sweep.from_number, below))
        return await real(self, sweep, below, withdrawn)

    monkeypatch.setattr(SqliteTransaction, "sweep", sweep)
    monkeypatch.setattr(sweeping, "SWEEP_NUMBERS_PER_CYCLE", NUMBERS_PER_CYCLE)
    return seen


async def test_many_triggers_removed_at_once_are_one_look_through_the_backlog(
    tmp_path: Path, clock: ManualClock, looks: list[tuple[int, int]]
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        endpoint.hold()
        lane = await rig.webhook(endpoint.url(), triggers=[KEPT, *REMOVED], concurrency=1)
        await rig.event(KEPT)
        await endpoint.arrived(1)
        for name in (*REMOVED, KEPT):
            await rig.event(name)
        waiting = len(REMOVED) + 1
        await rig.webhook(endpoint.url(), triggers=[KEPT], concurrency=1)
        endpoint.release()
        await endpoint.arrived(2)
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states == ["delivered", *["cancelled"] * len(REMOVED), "delivered"]
        assert looks
        assert len(looks) <= waiting / NUMBERS_PER_CYCLE + 1
        assert len(set(looks)) == len(looks), "no part was looked at twice"


async def test_a_change_while_the_backlog_is_looked_through_begins_anew_and_misses_nothing(
    tmp_path: Path, clock: ManualClock, looks: list[tuple[int, int]]
) -> None:
    first, second = REMOVED[:2]
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        endpoint.hold()
        lane = await rig.webhook(endpoint.url(), triggers=[KEPT, first, second], concurrency=1)
        await rig.event(KEPT)
        await endpoint.arrived(1)
        for _ in range(30):
            await rig.event(first)
            await rig.event(second)
        await rig.webhook(endpoint.url(), triggers=[KEPT, second], concurrency=1)
        await rig.webhook(endpoint.url(), triggers=[KEPT], concurrency=1)
        await rig.event(KEPT)
        endpoint.release()
        await endpoint.arrived(2)
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states == ["delivered", *["cancelled"] * 60, "delivered"]


async def test_a_sweep_goes_on_after_a_crash(
    tmp_path: Path, clock: ManualClock, looks: list[tuple[int, int]]
) -> None:
    name = REMOVED[0]
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        endpoint.hold()
        lane = await rig.webhook(endpoint.url(), triggers=[KEPT, name], concurrency=1)
        await rig.event(KEPT)
        await endpoint.arrived(1)
        for _ in range(25):
            await rig.event(name)
        await rig.webhook(endpoint.url(), triggers=[KEPT], concurrency=1)
        await rig.crash()
        endpoint.release()
        await rig.restart()
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states == ["delivered", *["cancelled"] * 25]
