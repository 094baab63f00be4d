"""An inbox table in an SQLite file: a sink, a dedupe store and the queue of workflows in one.

The digest of the dedupe key is unique in the table, so an event and the record that it was seen are one row of one
commit: "seen" and "stored" cannot part. Jobs that are done keep their key, without the body, within a window.
"""

import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from chathooks_receiver.database import Database, DatabaseUnavailable, named_statements
from chathooks_receiver.intake import Arrival
from chathooks_receiver.queue import TIMER_PREFIX, DeadJob, Job, QueueUnavailable, timer_digest
from chathooks_receiver.sinks import SinkUnavailable

DONE_KEPT_MAX = 1_000_000
"""How many jobs back a done one is still known as seen."""
PRUNE_EVERY = 1_000
"""Stored events between two prunings."""
ERROR_CHARS_MAX = 2_000

T = TypeVar("T")

_SQL = named_statements(Path(__file__).with_suffix(".sql"))


class SqliteInbox:
    """The inbox in the file `path`; `shared` where several processes use it. Survives a power cut."""

    def __init__(
        self,
        path: Path | str,
        *,
        shared: bool = False,
        done_kept_max: int = DONE_KEPT_MAX,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Name the file. `now_s` tells the unix time in seconds."""
        self._database = Database(Path(path), _SQL["schema"], synchronous="FULL", shared=shared)
        self._done_kept_max = done_kept_max
        self._now_s = now_s
        self._until_prune = PRUNE_EVERY
        self.on_work: Callable[[], None] | None = None
        """Called after a commit that brought work, so that workers of the same process need not poll for it."""

    async def open(self) -> None:
        """Open or make the file. Raises `SinkUnavailable`."""
        try:
            await self._database.open()
        except DatabaseUnavailable as error:
            raise SinkUnavailable(str(error)) from None

    async def close(self) -> None:
        """Commit what waits and close the file."""
        await self._database.close()

    async def put(self, arrival: Arrival) -> bool:
        """Store the event; False if it is there already. Raises `SinkUnavailable`."""
        row = (
            arrival.digest,
            arrival.key,
            arrival.event.trigger,
            arrival.stream,
            arrival.body,
            msgspec.json.encode(arrival.headers),
            arrival.received_at_ms,
        )
        try:
            stored = await self._database.run(lambda connection: self._insert(connection, row))
        except DatabaseUnavailable as error:
            raise SinkUnavailable(str(error)) from None
        self._wake()
        return stored

    def _insert(self, connection: sqlite3.Connection, row: tuple[object, ...]) -> bool:
        stored = connection.execute(_SQL["insert_job"], row).rowcount == 1
        if stored:
            connection.execute(_SQL["open_lane"], (row[3], self._now_ms()))
        self._until_prune -= 1
        if self._until_prune <= 0:
            self._until_prune = PRUNE_EVERY
            connection.execute(_SQL["prune"], (self._done_kept_max,))
        return stored

    async def lease(self, limit: int, lease_s: float) -> Sequence[Job]:
        """At most `limit` due jobs, each the oldest of its stream, held for `lease_s` seconds."""
        try:
            if not self._database.read(_SQL["due_lanes"], (self._now_ms(), 1)):
                return []
            return await self._database.run(lambda c: self._lease(c, limit, lease_s))
        except DatabaseUnavailable as error:
            raise QueueUnavailable(str(error)) from None

    def _lease(self, connection: sqlite3.Connection, limit: int, lease_s: float) -> list[Job]:
        now_ms, lease = self._now_ms(), uuid.uuid4().hex
        jobs: list[Job] = []
        for (stream,) in connection.execute(_SQL["due_lanes"], (now_ms, limit)).fetchall():
            row = connection.execute(_SQL["head"], (stream,)).fetchone()
            if row is None:
                connection.execute(_SQL["close_lane"], (stream,))
                continue
            until_ms = now_ms + int(lease_s * 1000)
            connection.execute(_SQL["lease_lane"], (until_ms, lease, stream))
            jobs.append(
                Job(
                    id=row[0],
                    key=row[1],
                    kind=row[2],
                    stream=row[3],
                    body=row[4],
                    headers=msgspec.json.decode(row[5]),
                    received_at_ms=row[6],
                    attempt=row[7],
                    finished=msgspec.json.decode(row[8]),
                    lease=lease,
                )
            )
        return jobs

    async def extend(self, jobs: Sequence[Job], lease_s: float) -> None:
        """Hold `jobs` for `lease_s` seconds from now; lost leases stay lost."""

        def work(connection: sqlite3.Connection) -> None:
            until_ms = self._now_ms() + int(lease_s * 1000)
            for job in jobs:
                if self._holds(connection, job):
                    connection.execute(_SQL["lease_lane"], (until_ms, job.lease, job.stream))

        await self._run(work)

    async def done(self, job: Job) -> None:
        """Take the job out; its stream goes on. Without effect if the lease was lost."""
        await self._settle(job, "finish", (job.id,), 0)

    async def retry(self, job: Job, delay_s: float, error: str, finished: Sequence[str]) -> None:
        """Try again after `delay_s` seconds; `finished` handlers are left out then."""
        values = (error[:ERROR_CHARS_MAX], msgspec.json.encode(list(finished)), job.id)
        await self._settle(job, "fail", values, delay_s)

    async def bury(self, job: Job, error: str) -> None:
        """Set the job aside for good; its stream goes on."""
        await self._settle(job, "bury", (error[:ERROR_CHARS_MAX], job.id), 0)

    async def _settle(
        self, job: Job, statement: str, values: tuple[object, ...], delay_s: float
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if not self._holds(connection, job):
                return
            connection.execute(_SQL[statement], values)
            if connection.execute(_SQL["next_in_lane"], (job.stream,)).fetchone():
                due_ms = self._now_ms() + int(delay_s * 1000)
                connection.execute(_SQL["set_lane"], (job.stream, due_ms))
            else:
                connection.execute(_SQL["close_lane"], (job.stream,))

        await self._run(work)

    def _holds(self, connection: sqlite3.Connection, job: Job) -> bool:
        return connection.execute(_SQL["holds"], (job.stream, job.lease)).fetchone() is not None

    async def dead(self, limit: int) -> Sequence[DeadJob]:
        """The newest jobs that were set aside."""
        try:
            rows = self._database.read(_SQL["dead"], (limit,))
        except DatabaseUnavailable as error:
            raise QueueUnavailable(str(error)) from None
        names = ("id", "key", "kind", "stream", "attempts", "error")
        return [DeadJob(**dict(zip(names, row, strict=True))) for row in rows]

    async def revive(self, job_id: int) -> bool:
        """Put a job that was set aside back into its stream; False if there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_SQL["revive"], (job_id,)).fetchone()
            if row is None:
                return False
            connection.execute(_SQL["open_lane"], (row[0], self._now_ms()))
            return True

        revived = await self._run(work)
        self._wake()
        return revived

    async def schedule(self, key: str, name: str, payload: bytes, due_s: float) -> None:
        """Set the timer `key`, or set it anew; a run of it that is under way no longer counts then."""
        digest = timer_digest(key)
        stream = f"{TIMER_PREFIX}{digest.hex()}"
        row = (digest, key, TIMER_PREFIX + name, stream, payload, b"{}", self._now_ms())

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["set_timer"], row)
            connection.execute(_SQL["set_lane"], (stream, int(due_s * 1000)))

        await self._run(work)
        self._wake()

    async def cancel(self, key: str) -> bool:
        """Take the timer `key` back; False if it is not set or runs already."""
        digest = timer_digest(key)

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(_SQL["forget_timer"], (digest, self._now_ms())).fetchone()
            if row is None or row[0] != "waiting":
                return False
            connection.execute(_SQL["close_lane"], (row[1],))
            return True

        return await self._run(work)

    async def waiting(self) -> int:
        """How many jobs wait or run."""
        try:
            ((count,),) = self._database.read(_SQL["waiting"])
        except DatabaseUnavailable as error:
            raise QueueUnavailable(str(error)) from None
        return int(count)

    def stored(self, limit: int, offset: int = 0) -> list[tuple[str, str, str, bytes, str]]:
        """(key, kind, stream, body, state) of jobs in the order they came."""
        return [
            (k, n, s, b, t)
            for k, n, s, b, t in self._database.read(_SQL["stored"], (limit, offset))
        ]

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._database.run(work)
        except DatabaseUnavailable as error:
            raise QueueUnavailable(str(error)) from None

    def _wake(self) -> None:
        if self.on_work is not None:
            self.on_work()

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)
