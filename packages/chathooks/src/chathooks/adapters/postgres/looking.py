"""What `chathooks doctor` looks at in a PostgreSQL store. Nothing is changed and no lock is taken."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncRawCursor

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.schema import pending, refuse_newer, schema_version
from chathooks.adapters.postgres.statements import statements

ENDPOINTS_MAX = 1000
BEATS_S_MAX = 3.0
"""How long a look waits for every seat to beat; they do each second."""
LOOK_AGAIN_S = 0.25
SEATS_SINCE = 15
"""The migration that made their table."""
_NS_PER_MS = 1_000_000

_SQL = statements("session.sql")


@dataclass(frozen=True, slots=True)
class SeenSeat:
    """A writing session of a node."""

    name: str
    """The node's."""
    works: bool
    """Whether it can deliver."""
    shares: int
    """Of the lanes, that it delivers for."""
    leads: bool
    beats: bool
    """Whether its session lives and it beat while it was looked at."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found."""

    where: str
    server_version: int
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    """As Chathooks' sessions have it."""
    connections_max: int
    """Of all users but those for whom PostgreSQL keeps some."""
    connections: int
    """Of everybody, now."""
    ahead_ms: int
    """By how much the database's clock is ahead of this machine's, at least; 0 where the round trip may be the reason."""
    encrypted: bool
    missing: list[str]
    """Names of migrations."""
    endpoints: list[tuple[str, str]]
    """(id, url) of enabled webhooks."""
    seats: list[SeenSeat]
    """Of the nodes of the cluster; none where one process has the store for itself, or nobody does."""


async def look(database: Database) -> Looked:
    """Look once. Raises StartRefused where the database cannot be used."""
    connection = await database.connect_or_refuse()
    try:
        version, compatible = await schema_version(connection)
        refuse_newer(version, compatible)
        async with AsyncRawCursor(connection) as cursor:
            facts = await _row(cursor, "facts")
            full_page_writes, synchronous_commit, most, reserved, connections = await _row(
                cursor, "settings_of_server"
            )
            ahead_ms = await _ahead_ms(cursor)
            seats = await _seats(cursor) if version >= SEATS_SINCE else []
            endpoints = []
            if version:
                await cursor.execute(_SQL["enabled_endpoints"], (ENDPOINTS_MAX,))
                endpoints = [(row[0], row[1]) for row in await cursor.fetchall()]
        return Looked(
            where=database.describe(),
            server_version=facts[0] // 10_000,
            fsync=facts[2] == "on",
            full_page_writes=full_page_writes == "on",
            synchronous_commit=synchronous_commit,
            connections_max=most - reserved,
            connections=connections,
            ahead_ms=ahead_ms,
            encrypted=connection.pgconn.ssl_in_use,
            missing=[f"{step.number:04} {step.name}" for step in pending(version)],
            endpoints=endpoints,
            seats=seats,
        )
    finally:
        await connection.close()


async def _row(cursor: AsyncRawCursor[Any], name: str) -> tuple[Any, ...]:
    await cursor.execute(_SQL[name])
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 -- the statement has one row
    return tuple(row)


async def _ahead_ms(cursor: AsyncRawCursor[Any]) -> int:
    await _row(cursor, "time_now")  # the first run of a statement takes longer
    before_ms = time.time_ns() // _NS_PER_MS
    (database_ms,) = await _row(cursor, "time_now")
    after_ms = -(-time.time_ns() // _NS_PER_MS)
    if database_ms > after_ms:
        return int(database_ms - after_ms)
    return int(min(0, database_ms - before_ms))


async def _seats(cursor: AsyncRawCursor[Any]) -> list[SeenSeat]:
    first: dict[int, int] = {}
    moved: set[int] = set()
    ends_at = time.monotonic() + BEATS_S_MAX
    while True:
        await cursor.execute(_SQL["seats_now"])
        rows = await cursor.fetchall()
        for _, _, seat, beat, *_ in rows:
            if beat > first.setdefault(seat, beat):
                moved.add(seat)
        if all(row[2] in moved for row in rows) or time.monotonic() > ends_at:
            break
        await asyncio.sleep(LOOK_AGAIN_S)
    return [
        SeenSeat(name, bool(works), shares, leads, alive and seat in moved)
        for name, works, seat, _, alive, shares, leads in rows
    ]
