"""What `chathooks doctor` looks at in a PostgreSQL store. Nothing is changed and no lock is taken."""

import time
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncRawCursor

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.schema import pending, refuse_newer, schema_version
from chathooks.adapters.postgres.statements import statements

ENDPOINTS_MAX = 1000
_NS_PER_MS = 1_000_000

_SQL = statements("session.sql")


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
