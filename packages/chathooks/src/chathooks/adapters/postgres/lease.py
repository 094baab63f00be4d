"""Who writes: one process at a time, by a lock that lives in the very session that writes.

The advisory lock belongs to the session of the writing connection. While the session lives nobody else can take
it; when it ends, whatever it had not committed ends with it, and only then the lock is free. So a process that was
cut off, or stopped for a minute, cannot write after its successor began: no clock has a part in it.

Each process that takes the lock for the first time begins an epoch. One that gets the lock back after a lost
connection looks whether it is still its own epoch: if it is, nobody wrote meanwhile and its memory is right; if not,
it must end. The row of the lease also holds the number of the latest commit. Once the lock is held again, every
transaction of the old session is decided, so that number tells whether the commit that was under way was made.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection, AsyncRawCursor, errors

from chathooks.adapters.postgres.statements import statements
from chathooks.kernel.errors import StartRefused

LOCK_CLASS = 0x43485448
"""First half of the advisory lock's key ("CHTH"); the second names the schema."""
MIGRATION_LOCK_CLASS = LOCK_CLASS + 1
LOCK_WAITS = 5
"""How often a start waits for the lock, LOCK_TIMEOUT_S each: the session of a killed process ends soon."""

_SQL = statements("lease.sql")

log = structlog.get_logger("store")


@dataclass(frozen=True, slots=True)
class Lease:
    """What the holder of the lock knows."""

    epoch: int
    batch: int
    """Number of the latest commit."""
    session: int
    """Process number of the session at the server."""


async def _row(cursor: AsyncRawCursor[Any], name: str, *parameters: object) -> tuple[Any, ...]:
    await cursor.execute(_SQL[name], parameters)
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.DatabaseError("the lease has no row")
    return tuple(row)


async def take_lock(connection: AsyncConnection[Any], where: str) -> None:
    """Take the lock for a start or a migration, waiting a bounded time.

    Raises:
        StartRefused: another process holds it.
    """
    async with AsyncRawCursor(connection) as cursor:
        if (await _row(cursor, "take_lock", LOCK_CLASS))[0]:
            return
        log.warning("another process holds the store; waiting for it to end", store=where)
        for _ in range(LOCK_WAITS):
            try:
                await cursor.execute(_SQL["wait_for_lock"], (LOCK_CLASS,))
            except errors.LockNotAvailable:
                continue
            return
    raise StartRefused(
        "ERR_STORE_IN_USE",
        f"Another process is serving the database {where}. Stop it first, or start this one with another "
        "CHATHOOKS_DATABASE_URL.",
    )


async def share_store(connection: AsyncConnection[Any], where: str) -> None:
    """Keep everybody from taking the store for himself, waiting a bounded time for one who has it.

    Raises:
        StartRefused: a process has it for itself.
    """
    async with AsyncRawCursor(connection) as cursor:
        for waits in range(LOCK_WAITS):
            try:
                await cursor.execute(_SQL["share_store"], (LOCK_CLASS,))
            except errors.LockNotAvailable:
                if waits == 0:
                    log.warning("a process has the store for itself; waiting for it", store=where)
                continue
            return
    raise StartRefused(
        "ERR_STORE_IN_USE",
        f"A process has the database {where} for itself: a server without CHATHOOKS_NATS_URL, or chathooks migrate. "
        "Stop it first, or start it as a node of the cluster.",
    )


async def take_migration_lock(connection: AsyncConnection[Any]) -> None:
    """Be the only one that migrates a store which others serve. Raises StartRefused."""
    async with AsyncRawCursor(connection) as cursor:
        try:
            await cursor.execute(_SQL["lock_migrations"], (MIGRATION_LOCK_CLASS,))
        except errors.LockNotAvailable:
            raise StartRefused(
                "ERR_STORE_IN_USE", "Another chathooks migrate is at work. Wait for it to end."
            ) from None


async def begin_epoch(connection: AsyncConnection[Any]) -> Lease:
    """The lease of a process that has just taken the lock."""
    async with AsyncRawCursor(connection) as cursor:
        epoch, batch, session = await _row(cursor, "new_epoch")
    return Lease(epoch, batch, session)


async def take_back(connection: AsyncConnection[Any], old: Lease) -> Lease | None:
    """The lock for a process that lost its connection; None where another process has written since.

    Raises:
        psycopg.Error: it is not to be had now; try again.
    """
    async with AsyncRawCursor(connection) as cursor:
        if not (await _row(cursor, "take_lock", LOCK_CLASS))[0]:
            # The old session may linger, if the network was cut: the server has not noticed.
            await cursor.execute(_SQL["end_session"], (LOCK_CLASS, old.session))
            await cursor.execute(_SQL["wait_for_lock"], (LOCK_CLASS,))
        epoch, batch, session = await _row(cursor, "look_at_lease")
    return Lease(epoch, batch, session) if epoch == old.epoch else None


async def load_counters(connection: AsyncConnection[Any]) -> dict[str, int]:
    """The latest number given of each counter."""
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(_SQL["load_counters"])
        return {str(name): int(value) for name, value in await cursor.fetchall()}


async def sign_batch(
    cursor: AsyncRawCursor[Any], epoch: int, batch: int, moved: dict[str, int]
) -> bool:
    """Write the commit's number and the counters into the transaction; False where the epoch is over."""
    (signed,) = await _row(cursor, "sign_batch", epoch, batch, list(moved), list(moved.values()))
    return bool(signed)
