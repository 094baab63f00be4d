"""Seen events in an SQLite file that several processes of one machine share: workers of one server, for example.

A claim is a row with a lease, so an event costs two group commits. A process alone is better served by `dedupe.sqlite`.
"""

import sqlite3
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from chathooks_receiver.database import Database, DatabaseUnavailable, named_statements
from chathooks_receiver.dedupe import CLAIM_LEASE_S, Claim, DedupeUnavailable

EVENTS_MAX = 1_000_000
"""How many events are remembered: about 60 MB of disk."""
PRUNE_EVERY = 1_000
"""Confirmations between two prunings."""

_SQL = named_statements(Path(__file__).with_suffix(".sql"))


class SharedSqliteDedupe:
    """The last `events_max` accepted events, in the file `path`."""

    def __init__(
        self,
        path: Path | str,
        *,
        events_max: int = EVENTS_MAX,
        lease_s: float = CLAIM_LEASE_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Name the file. `lease_s` is how long a claim holds (seconds). ValueError if `events_max` is below one."""
        if events_max < 1:
            raise ValueError("The window holds at least one event.")
        # A power cut may take the last confirmations: that can make a second copy, never lose an event.
        self._database = Database(Path(path), _SQL["schema"], synchronous="NORMAL", shared=True)
        self._events_max = events_max
        self._lease_ms = int(lease_s * 1000)
        self._now_s = now_s
        self._owner = uuid.uuid4().hex
        self._until_prune = PRUNE_EVERY

    async def open(self) -> None:
        """Open or make the file. Raises `DedupeUnavailable`."""
        try:
            await self._database.open()
        except DatabaseUnavailable as error:
            raise DedupeUnavailable(str(error)) from None

    def look(self, digest: bytes) -> Claim | None:
        """None: ask with `claim`."""
        return None

    async def claim(self, digest: bytes) -> Claim:
        """Take a lease on it, or say who has it. Raises `DedupeUnavailable`."""
        try:
            rows = self._database.read(_SQL["state"], (digest,))
            if rows and rows[0][0] is None:
                return Claim.SEEN
            return await self._database.run(lambda connection: self._take(connection, digest))
        except DatabaseUnavailable as error:
            raise DedupeUnavailable(str(error)) from None

    def _take(self, connection: sqlite3.Connection, digest: bytes) -> Claim:
        now_ms = int(self._now_s() * 1000)
        values = (digest, now_ms + self._lease_ms, self._owner, now_ms)
        if connection.execute(_SQL["claim"], values).rowcount:
            return Claim.FRESH
        (state,) = connection.execute(_SQL["state"], (digest,)).fetchone()
        return Claim.SEEN if state is None else Claim.BUSY

    async def confirm(self, digest: bytes) -> None:
        """Record it; returns after the commit. Raises `DedupeUnavailable`."""
        try:
            await self._database.run(lambda connection: self._record(connection, digest))
        except DatabaseUnavailable as error:
            raise DedupeUnavailable(str(error)) from None

    def _record(self, connection: sqlite3.Connection, digest: bytes) -> None:
        connection.execute(_SQL["confirm"], (digest,))
        self._until_prune -= 1
        if self._until_prune <= 0:
            self._until_prune = PRUNE_EVERY
            connection.execute(_SQL["prune"], (self._events_max,))

    def release(self, digest: bytes) -> None:
        """Give the claim back with the next commit."""
        future = self._database.write(_SQL["release"], (digest, self._owner))
        future.add_done_callback(lambda done: done.exception())

    def count(self) -> int:
        """How many events are remembered."""
        ((count,),) = self._database.read(_SQL["count"])
        return int(count)

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._database.close()
