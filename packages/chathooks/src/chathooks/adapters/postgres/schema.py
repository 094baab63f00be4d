"""The schema of a PostgreSQL store: where it stands, and its migrations.

`serve` applies nothing here: several machines may share the store, and the one that upgrades it says so with
`chathooks migrate apply`. All pending migrations are one transaction under the store's lock, so nobody serves meanwhile
and a failure leaves what was.
"""

from typing import Any

import structlog
from psycopg import AsyncConnection, AsyncRawCursor

from chathooks.adapters.postgres.statements import Migration, migrations, statements
from chathooks.kernel.errors import StartRefused

_SQL = statements("schema.sql")

log = structlog.get_logger("store")


async def schema_version(connection: AsyncConnection[Any]) -> tuple[int, int]:
    """(number of the newest migration applied, least migration that a program must know); zeros where there is none."""
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(_SQL["has_schema"])
        row = await cursor.fetchone()
        if row is None or not row[0]:
            return 0, 0
        await cursor.execute(_SQL["version"])
        version = await cursor.fetchone()
    assert version is not None  # noqa: S101 -- an aggregate has one row
    return int(version[0]), int(version[1])


def pending(version: int) -> list[Migration]:
    """Migrations that a store of this version lacks."""
    return [step for step in migrations() if step.number > version]


def refuse_newer(version: int, compatible: int) -> None:
    """Raises StartRefused where the store is of a newer program that this one cannot stand in for."""
    newest = migrations()[-1].number
    if version > newest and compatible > newest:
        raise StartRefused(
            "ERR_STORE_TOO_NEW",
            f"The store's schema is version {version}, this program knows {newest}. "
            "Start it with the newer Chathooks that made it.",
        )


def refuse_older(version: int) -> None:
    """Raises StartRefused where migrations are missing."""
    missing = pending(version)
    if missing:
        raise StartRefused(
            "ERR_STORE_TOO_OLD",
            f"The store's schema is version {version}, this program needs {missing[-1].number}. "
            "Back the database up, then type: chathooks migrate apply",
        )


async def apply(connection: AsyncConnection[Any], *, up_to: int | None = None) -> list[Migration]:
    """Apply what is missing in one transaction; answers what was applied. The caller holds the store's lock.

    Args:
        connection: a session in autocommit.
        up_to: stop after this migration; all where None.

    Raises:
        StartRefused: the store is newer than this program.
    """
    version, compatible = await schema_version(connection)
    refuse_newer(version, compatible)
    steps = [step for step in pending(version) if up_to is None or step.number <= up_to]
    if not steps:
        return []
    async with connection.transaction(), AsyncRawCursor(connection) as cursor:
        await cursor.execute(_SQL["no_time_limit"])
        if version == 0:
            await cursor.execute(_SQL["make_schema"])
        for step in steps:
            await cursor.execute(step.script, prepare=False)
            await cursor.execute(_SQL["add_migration"], (step.number, step.name, step.compatible))
    for step in steps:
        log.info("schema migrated", number=step.number, name=step.name)
    return steps
