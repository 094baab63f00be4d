"""Sides that deliver from a store that was there before: the whole server, started on its data directory.

Side "scale" appends the spec's events as requests do, and then delivers them: the window is from the server's start to
the last acknowledgement committed. Side "memory" starts on what is pending and delivers for the spec's seconds; what
counts is the largest resident size of the process.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks.drain import DRAIN_S_MAX, delivered
from benchmarks.processes import resident_mib
from benchmarks.serving import settings_of
from benchmarks.side import Counted, Spec, Window
from benchmarks.workload import DATA, TRIGGER
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.app.build import STORE_FILE, build
from chathooks.delivery.records import State
from chathooks.events.outbox import Outbox
from chathooks.events.streams import Stream
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.ids import EventIds, system_random

APP = 1
STREAMS = 1_000
EVENTS_PER_COMMAND = 1_000

_EVENTS = """
WITH RECURSIVE new(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM new WHERE n < :count)
INSERT INTO feed (app, trigger_number, event_id, stream, sequence, created_at, data)
SELECT app, trigger_number, printf('evt_01890a5d-ac96-7%03x-bcce-%012x', n % 4096, n),
    stream, sequence + n, created_at, :data
FROM new CROSS JOIN (SELECT * FROM feed WHERE event_id IS NOT NULL ORDER BY position DESC LIMIT 1)
"""
_DELIVERIES = """
INSERT INTO deliveries (lane, number, position, trigger_number, state, attempt, failures, replay, created_at)
SELECT l.lane, l.next_number + f.position - :first, f.position, f.trigger_number, :state, :attempt, 0, 0, f.created_at
FROM lanes AS l CROSS JOIN feed AS f WHERE f.position >= :first
ORDER BY l.lane, f.position
"""
_ATTEMPTS = """
INSERT INTO attempts
SELECT d.lane, d.number, a.attempt, a.started_at, a.duration_us, a.status, a.failure, a.detail,
    a.response_headers, a.response_body
FROM deliveries AS d CROSS JOIN (SELECT * FROM attempts LIMIT 1) AS a WHERE d.position >= :first
"""
_LANES = "UPDATE lanes SET next_number = next_number + :count"
_LANES_ENDED = """
UPDATE progress SET (cursor, head) = (
    SELECT next_number, next_number FROM lanes WHERE lanes.lane = progress.lane)
"""
_FANNED_OUT = "UPDATE fanout SET position = (SELECT MAX(position) FROM feed)"
_STREAM = """
UPDATE streams SET sequence = (SELECT MAX(sequence) FROM feed WHERE feed.stream = streams.stream)
"""


def fill(folder: Path, events: int, *, pending: bool) -> int:
    """Store `events` events by bulk insert, each delivered or pending for every webhook; answers bytes stored.

    The store is a stopped server's that made at least one delivery of each webhook: new rows are as its rows are.
    """
    path = folder / STORE_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        (last,) = connection.execute("SELECT MAX(position) FROM feed").fetchone()
        given = {"count": events, "first": last + 1, "data": DATA}
        state = {"state": int(State.PENDING if pending else State.DELIVERED)}
        connection.execute(_EVENTS, given)
        connection.execute(_DELIVERIES, {**given, **state, "attempt": int(not pending)})
        connection.execute(_LANES, given)
        if not pending:
            connection.execute(_ATTEMPTS, given)
            connection.execute(_LANES_ENDED)
        connection.execute(_FANNED_OUT)
        connection.execute(_STREAM)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


async def _append(store: SqliteStore, events: int) -> None:
    clock = SystemClock()
    outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))

    def command(numbers: range) -> Callable[[SqliteTransaction], Awaitable[None]]:
        async def append(tx: SqliteTransaction) -> None:
            for number in numbers:
                stream = Stream(f"group/{number % STREAMS}")
                await outbox.append(tx, app=APP, trigger=TRIGGER, data=DATA, stream=stream)

        return append

    for numbers in _portions(events):
        await store.write(command(numbers))


def _portions(events: int) -> Iterator[range]:
    for first in range(0, events, EVENTS_PER_COMMAND):
        yield range(first, min(first + EVENTS_PER_COMMAND, events))


def _sqlite(store: SqliteStore | PostgresStore) -> SqliteStore:
    assert isinstance(store, SqliteStore)  # the spec names no database
    return store


async def _unsettled(store: SqliteStore) -> int:
    async def query(tx: SqliteTransaction) -> int:
        sql = "SELECT COUNT(*) FROM deliveries WHERE state <> ?"
        count: int = tx._connection.execute(sql, (int(State.DELIVERED),)).fetchone()[0]
        return count

    return await store.read(query)


async def _scale(spec: Spec) -> Counted:
    runtime = await build(settings_of(spec))
    await _append(_sqlite(runtime.store), spec.events)
    window = Window(spec, delivered)
    window.begin()
    async with asyncio.timeout(DRAIN_S_MAX):
        await runtime.start()
        await runtime.engine.quiet()
    counted = window.end({"rss_mib": round(resident_mib(), 1)})
    left = await _unsettled(_sqlite(runtime.store))
    await runtime.stop()
    if left or counted.done != spec.events:
        raise RuntimeError(f"{counted.done} of {spec.events} were delivered, {left} are not")
    return counted


async def _memory(spec: Spec) -> Counted:
    runtime = await build(settings_of(spec))
    window = Window(spec, delivered)
    window.begin()
    await runtime.start()
    await asyncio.sleep(spec.seconds)
    counted = window.end({"rss_mib": round(resident_mib("VmHWM"), 1)})
    left = await _unsettled(_sqlite(runtime.store))
    await runtime.stop()
    return msgspec.structs.replace(counted, notes={**counted.notes, "left": left})


async def run(spec: Spec) -> Counted:
    """Run side "scale" or "memory"."""
    return await (_scale(spec) if spec.side == "scale" else _memory(spec))
