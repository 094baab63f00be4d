"""Seen events in a PostgreSQL table, shared by any number of processes and machines."""

import asyncio
import uuid
from pathlib import Path

import asyncpg

from chathooks_receiver.database import named_statements
from chathooks_receiver.dedupe import CLAIM_LEASE_S, Claim, DedupeUnavailable

WINDOW_S = 7 * 86_400
"""How long events are remembered: retries end after a minute, replays come within days."""
CONNECTIONS_MAX = 8
COMMAND_TIMEOUT_S = 2.0
PRUNE_EVERY = 1_000
"""Confirmations between two prunings, each of at most 2,000 rows."""

_SQL = named_statements(Path(__file__).with_suffix(".sql"))
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresDedupe:
    """The accepted events of the last `window_s` seconds, in the table `chathooks_seen` of the database at `dsn`."""

    def __init__(
        self, dsn: str, *, window_s: float = WINDOW_S, lease_s: float = CLAIM_LEASE_S
    ) -> None:
        """Name the database. `lease_s` is how long a claim holds, in seconds."""
        self._dsn = dsn
        self._window_s = window_s
        self._lease_s = lease_s
        self._owner = uuid.uuid4().hex
        self._pool: asyncpg.Pool | None = None
        self._until_prune = PRUNE_EVERY
        self._releasing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect and make the table. Raises `DedupeUnavailable`."""
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=CONNECTIONS_MAX,
                command_timeout=COMMAND_TIMEOUT_S,
                timeout=COMMAND_TIMEOUT_S,
            )
            await self._pool.execute(_SQL["schema"])
        except _ERRORS as error:
            await self.close()
            raise DedupeUnavailable(f"PostgreSQL: {error}") from None

    def look(self, digest: bytes) -> Claim | None:
        """None: ask with `claim`."""
        return None

    async def claim(self, digest: bytes) -> Claim:
        """Take a lease on it, or say who has it. Raises `DedupeUnavailable`."""
        pool = self._connected()
        try:
            if await pool.fetchval(_SQL["claim"], digest, self._lease_s, self._owner):
                return Claim.FRESH
            seen = await pool.fetchval(_SQL["state"], digest)
        except _ERRORS as error:
            raise DedupeUnavailable(f"PostgreSQL: {error}") from None
        return Claim.SEEN if seen else Claim.BUSY

    async def confirm(self, digest: bytes) -> None:
        """Record it. Raises `DedupeUnavailable`."""
        pool = self._connected()
        try:
            await pool.execute(_SQL["confirm"], digest)
            self._until_prune -= 1
            if self._until_prune <= 0:
                self._until_prune = PRUNE_EVERY
                await pool.execute(_SQL["prune"], self._window_s)
        except _ERRORS as error:
            raise DedupeUnavailable(f"PostgreSQL: {error}") from None

    def release(self, digest: bytes) -> None:
        """Give the claim back in the background."""
        task = asyncio.get_running_loop().create_task(self._give_back(digest))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _give_back(self, digest: bytes) -> None:
        try:
            await self._connected().execute(_SQL["release"], digest, self._owner)
        except (*_ERRORS, DedupeUnavailable):
            return  # the lease lapses by itself

    async def close(self) -> None:
        """Disconnect."""
        if self._releasing:
            await asyncio.wait(self._releasing, timeout=COMMAND_TIMEOUT_S)
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def _connected(self) -> asyncpg.Pool:
        if self._pool is None:
            raise DedupeUnavailable("PostgreSQL: not open.")
        return self._pool
