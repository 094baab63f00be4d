"""News that arrives while a cycle is being committed is not lost: delivery contract §2 "ready for replay"."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chathooks.adapters.sqlite.statements import migrations, statements
from chathooks.kernel.clock import ManualClock
from support.rig import running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_a_replay_in_the_batch_of_a_cycle_that_looked_before_it_is_made_at_once(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await rig.events(2)
        await rig.quiet()
        endpoint.default = 200
        write = rig.store.write
        beside: list[asyncio.Task[None]] = []

        async def write_with_a_replay_behind_it(
            command: Callable[[Any], Awaitable[Any]], **how: Any
        ) -> Any:
            monkeypatch.setattr(rig.store, "write", write)
            cycle = asyncio.create_task(write(command, **how))
            beside.append(asyncio.create_task(rig.replay.one(1, lane, 1)))
            return await cycle

        await rig.replay.one(1, lane, 2)
        monkeypatch.setattr(rig.store, "write", write_with_a_replay_behind_it)
        await endpoint.arrived(4)
        await asyncio.gather(*beside)
        await rig.quiet()
        assert beside
        assert await rig.states(lane) == {1: "delivered", 2: "delivered"}


async def test_a_cycle_that_the_database_asks_for_again_is_made_once(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may be run more than once; what an undone run claimed must not be sent as well."""

    class Undone(Exception):
        pass

    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), concurrency=10)
        await rig.quiet()
        write = rig.store.write

        async def write_twice(command: Callable[[Any], Awaitable[Any]], **how: Any) -> Any:
            async def undone(tx: Any) -> None:
                await command(tx)
                raise Undone

            with contextlib.suppress(Undone):
                await write(undone, **how)
            return await write(command, **how)

        with monkeypatch.context() as patch:
            patch.setattr(rig.store, "write", write_twice)
            for _ in range(30):
                await write(
                    lambda tx: rig.outbox.append(
                        tx, app=1, trigger="message_sent", data=b"{}", stream=None
                    )
                )
            await endpoint.arrived(30)
            await rig.quiet()
        assert sorted(request.number for request in endpoint.requests) == list(range(1, 31))
        assert set((await rig.states(lane)).values()) == {"delivered"}


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    "name", ["interrupted_first", "waiting_at_cursor", "waiting_due", "next_due"]
)
def test_what_an_engine_asks_for_often_or_at_its_start_scans_no_deliveries(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    for _, _, script in migrations():
        connection.executescript(script)
    sql = statements("deliveries.sql")[name]
    places = len(set(re.findall(r"\?\d", sql))) or sql.count("?")
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * places).fetchall()
    connection.close()
    scanned = [row[3] for row in plan if row[3].startswith(("SCAN d", "SCAN deliveries", "SCAN f"))]
    assert scanned == []


async def test_a_due_time_of_another_boots_clock_waits_no_longer_than_the_schedule(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        await rig.stop()
        clock._steady_ms -= 365 * 86_400_000  # the next boot's clock was set right by a year
        endpoint.default = 200
        await rig.restart()
        clock.advance(30_000)
        await endpoint.arrived(2)
        await rig.quiet()
        assert await rig.states(lane) == {1: "delivered"}
