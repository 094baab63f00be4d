"""What `chathooks doctor` looks at in a PostgreSQL store. Nothing is changed and no lock is taken."""

from dataclasses import dataclass

from psycopg import AsyncRawCursor

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.schema import pending, refuse_newer, schema_version
from chathooks.adapters.postgres.statements import statements

ENDPOINTS_MAX = 1000

_SQL = statements("session.sql")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found."""

    where: str
    server_version: int
    fsync: bool
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
            await cursor.execute(_SQL["facts"])
            facts = await cursor.fetchone()
            assert facts is not None  # noqa: S101 -- the statement has one row
            endpoints = []
            if version:
                await cursor.execute(_SQL["enabled_endpoints"], (ENDPOINTS_MAX,))
                endpoints = [(row[0], row[1]) for row in await cursor.fetchall()]
        return Looked(
            database.describe(),
            facts[0] // 10_000,
            facts[2] == "on",
            connection.pgconn.ssl_in_use,
            [f"{step.number:04} {step.name}" for step in pending(version)],
            endpoints,
        )
    finally:
        await connection.close()
