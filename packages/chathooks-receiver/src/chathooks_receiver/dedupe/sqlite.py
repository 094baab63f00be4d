"""Seen events in memory, and in an SQLite file from which a restart reads them.

For one process; several that share a file need `dedupe.sqlite_shared`. A look is one in memory; a confirmation joins the next
commit, which appends one row for all of its events: no index on disk, so that remembering costs next to nothing.

The window is at least the last `events_max` events. A power cut may take the last commits (a crash of the process none):
that can make a second copy of an event, never lose one.
"""

import asyncio
import sqlite3
from collections import OrderedDict, deque
from pathlib import Path
from typing import NamedTuple, TypeAlias

from chathooks_receiver.database import Database, DatabaseUnavailable, named_statements
from chathooks_receiver.dedupe import Claim, DedupeUnavailable

EVENTS_MAX = 200_000
"""How many events are remembered: about 30 MB of memory, 7 MB of disk."""
DIGEST_BYTES = 32

_SQL = named_statements(Path(__file__).with_suffix(".sql"))


_Waiting: TypeAlias = tuple[bytes, "asyncio.Future[None]"]


class _Written(NamedTuple):
    """A row that was appended, how many events it holds, and up to which row all were forgotten."""

    number: int
    events: int
    forgotten: int


class SqliteDedupe:
    """The last `events_max` accepted events, in the file `path`."""

    def __init__(self, path: Path | str, *, events_max: int = EVENTS_MAX) -> None:
        """Name the file. ValueError if `events_max` is below one."""
        if events_max < 1:
            raise ValueError("The window holds at least one event.")
        self._database = Database(Path(path), _SQL["schema"], synchronous="NORMAL")
        self._events_max = events_max
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._rows: deque[tuple[int, int]] = deque()
        """(number, events) of the rows on disk, the oldest first."""
        self._on_disk = 0
        self._joinable: list[_Waiting] | None = None

    async def open(self) -> None:
        """Open or make the file, and read the window. Raises `DedupeUnavailable`."""
        try:
            await self._database.open()
            rows = self._database.read(_SQL["newest_first"])
        except DatabaseUnavailable as error:
            raise DedupeUnavailable(str(error)) from None
        self._seen.clear()
        self._rows.clear()
        self._on_disk = 0
        newest: list[bytes] = []
        for number, digests in rows:
            count = len(digests) // DIGEST_BYTES
            self._rows.appendleft((number, count))
            self._on_disk += count
            if len(newest) < self._events_max:
                starts = range((count - 1) * DIGEST_BYTES, -1, -DIGEST_BYTES)
                newest += [digests[at : at + DIGEST_BYTES] for at in starts]
        for digest in reversed(newest[: self._events_max]):
            self._seen[digest] = None

    def look(self, digest: bytes) -> Claim | None:
        """FRESH or SEEN."""
        return Claim.SEEN if digest in self._seen else Claim.FRESH

    async def claim(self, digest: bytes) -> Claim:
        """What `look` says."""
        return self.look(digest) or Claim.FRESH

    async def confirm(self, digest: bytes) -> None:
        """Record it; returns after the commit. Raises `DedupeUnavailable`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._joinable is None:
            # A future of its own for each: one that gives up waiting takes no other's commit with it.
            joinable = self._joinable = []
            commit = self._database.run(lambda connection: self._append(connection, joinable))
            commit.add_done_callback(lambda done: self._appended(done, joinable))
        self._joinable.append((digest, waiter))
        try:
            await waiter
        except DatabaseUnavailable as error:
            raise DedupeUnavailable(str(error)) from None

    def _append(self, connection: sqlite3.Connection, joined: list[_Waiting]) -> _Written:
        self._joinable = None  # what comes from now on is for the next commit
        digests = b"".join(digest for digest, _ in joined)
        number = connection.execute(_SQL["append"], (digests,)).lastrowid
        spare = self._on_disk + len(joined) - self._events_max
        forgotten = 0
        for row, count in self._rows:
            if count > spare:
                break
            spare -= count
            forgotten = row
        if forgotten:
            connection.execute(_SQL["forget"], (forgotten,))
        return _Written(number or 0, len(joined), forgotten)

    def _appended(self, done: "asyncio.Future[_Written]", joined: list[_Waiting]) -> None:
        error = None if done.cancelled() else done.exception()
        for digest, waiter in joined:
            if error is None:
                self._seen[digest] = None
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        while len(self._seen) > self._events_max:
            self._seen.popitem(last=False)
        if error is not None:
            self._joinable = None
            return
        number, events, forgotten = done.result()
        self._rows.append((number, events))
        self._on_disk += events
        while self._rows and self._rows[0][0] <= forgotten:
            self._on_disk -= self._rows.popleft()[1]

    def release(self, digest: bytes) -> None:
        """Nothing to do: a claim leaves no trace here."""

    def count(self) -> int:
        """How many events are remembered."""
        return len(self._seen)

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._database.close()
