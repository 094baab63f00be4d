"""An inbox table in PostgreSQL: a sink, a dedupe store and the queue of workflows, for many processes and machines.

As with the SQLite inbox the digest of the dedupe key is unique in the table, so "seen" and "stored" are one row. Whoever
changes a lane holds its row's lock, so that a job which comes while the last one is taken out finds its lane or makes it anew.
"""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from chathooks_receiver.database import named_statements
from chathooks_receiver.intake import Arrival
from chathooks_receiver.queue import TIMER_PREFIX, DeadJob, Job, QueueUnavailable, timer_digest
from chathooks_receiver.sinks import SinkUnavailable, told

CONNECTIONS_MAX = 16
COMMAND_TIMEOUT_S = 5.0
DONE_KEPT_MAX = 1_000_000
"""How many jobs back a done one is still known as seen."""
PRUNE_EVERY = 1_000
"""Stored events between two prunings."""
ERROR_CHARS_MAX = 2_000

_SQL = named_statements(Path(__file__).with_suffix(".sql"))
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresInbox:
    """The inbox in the tables `chathooks_jobs` and `chathooks_lanes` of the database at `dsn`."""

    def __init__(
        self,
        dsn: str,
        *,
        done_kept_max: int = DONE_KEPT_MAX,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Name the database. `now_s` tells the unix time in seconds; machines that share it need their clocks in step."""
        self._dsn = dsn
        self._done_kept_max = done_kept_max
        self._now_s = now_s
        self._pool: asyncpg.Pool | None = None
        self._until_prune = PRUNE_EVERY
        self.on_work: Callable[[], None] | None = None
        """Called after work came in through this process, so that its workers need not poll for it."""

    async def open(self) -> None:
        """Connect and make the tables. Raises `SinkUnavailable`."""
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
            raise SinkUnavailable(f"PostgreSQL: {told(error)}") from None

    async def close(self) -> None:
        """Disconnect."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def put(self, arrival: Arrival) -> bool:
        """Store the event; False if it is there already. Raises `SinkUnavailable`."""
        headers = msgspec.json.encode(arrival.headers)
        try:
            async with self._transaction() as connection:
                new = await connection.fetchval(
                    _SQL["insert_job"],
                    arrival.digest,
                    _text(arrival.key),
                    _text(arrival.event.trigger),
                    _text(arrival.stream),
                    arrival.body,
                    headers,
                    arrival.received_at_ms,
                )
                if new:
                    await connection.execute(
                        _SQL["open_lane"], _text(arrival.stream), self._now_ms()
                    )
                self._until_prune -= 1
                if self._until_prune <= 0:
                    self._until_prune = PRUNE_EVERY
                    await connection.execute(_SQL["prune"], self._done_kept_max)
        except QueueUnavailable as error:
            raise SinkUnavailable(str(error)) from None
        self._wake()
        return bool(new)

    async def lease(self, limit: int, lease_s: float) -> Sequence[Job]:
        """At most `limit` due jobs, each the oldest of its stream, held for `lease_s` seconds."""
        jobs: list[Job] = []
        lease = uuid.uuid4().hex
        async with self._transaction() as connection:
            now_ms = self._now_ms()
            until_ms = now_ms + int(lease_s * 1000)
            for lane in await connection.fetch(_SQL["due_lanes"], now_ms, limit):
                row = await connection.fetchrow(_SQL["head"], lane[0])
                if row is None:
                    await connection.execute(_SQL["close_lane"], lane[0])
                    continue
                await connection.execute(_SQL["lease_lane"], until_ms, lease, lane[0])
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
        async with self._transaction() as connection:
            until_ms = self._now_ms() + int(lease_s * 1000)
            for job in sorted(jobs, key=lambda item: item.stream):
                if await connection.fetchval(_SQL["holds"], job.stream, job.lease):
                    await connection.execute(_SQL["lease_lane"], until_ms, job.lease, job.stream)

    async def done(self, job: Job) -> None:
        """Take the job out; its stream goes on. Without effect if the lease was lost."""
        await self._settle(job, "finish", (job.id,), 0)

    async def retry(self, job: Job, delay_s: float, error: str, finished: Sequence[str]) -> None:
        """Try again after `delay_s` seconds; `finished` handlers are left out then."""
        values = (_text(error[:ERROR_CHARS_MAX]), msgspec.json.encode(list(finished)), job.id)
        await self._settle(job, "fail", values, delay_s)

    async def bury(self, job: Job, error: str) -> None:
        """Set the job aside for good; its stream goes on."""
        await self._settle(job, "bury", (_text(error[:ERROR_CHARS_MAX]), job.id), 0)

    async def _settle(
        self, job: Job, statement: str, values: tuple[object, ...], delay_s: float
    ) -> None:
        async with self._transaction() as connection:
            if not await connection.fetchval(_SQL["holds"], job.stream, job.lease):
                return
            await connection.execute(_SQL[statement], *values)
            if await connection.fetchval(_SQL["next_in_lane"], job.stream):
                due_ms = self._now_ms() + int(delay_s * 1000)
                await connection.execute(_SQL["set_lane"], job.stream, due_ms)
            else:
                await connection.execute(_SQL["close_lane"], job.stream)

    async def dead(self, limit: int) -> Sequence[DeadJob]:
        """The newest jobs that were set aside."""
        async with self._transaction() as connection:
            rows = await connection.fetch(_SQL["dead"], limit)
        return [
            DeadJob(id=r[0], key=r[1], kind=r[2], stream=r[3], attempts=r[4], error=r[5])
            for r in rows
        ]

    async def revive(self, job_id: int) -> bool:
        """Put a job that was set aside back into its stream; False if there is none."""
        async with self._transaction() as connection:
            stream = await connection.fetchval(_SQL["revive"], job_id)
            if stream is None:
                return False
            await connection.execute(_SQL["open_lane"], stream, self._now_ms())
        self._wake()
        return True

    async def schedule(self, key: str, name: str, payload: bytes, due_s: float) -> None:
        """Set the timer `key`, or set it anew; a run of it that is under way no longer counts then."""
        digest = timer_digest(key)
        stream = f"{TIMER_PREFIX}{digest.hex()}"
        async with self._transaction() as connection:
            await connection.execute(_SQL["set_lane"], stream, int(due_s * 1000))
            await connection.execute(
                _SQL["set_timer"],
                digest,
                _text(key),
                TIMER_PREFIX + name,
                stream,
                payload,
                b"{}",
                self._now_ms(),
            )
        self._wake()

    async def cancel(self, key: str) -> bool:
        """Take the timer `key` back; False if it is not set or runs already."""
        digest = timer_digest(key)
        stream = f"{TIMER_PREFIX}{digest.hex()}"
        async with self._transaction() as connection:
            runs = await connection.fetchval(_SQL["lock_lane"], stream, self._now_ms())
            if runs is None or runs:
                return False
            state = await connection.fetchval(_SQL["forget_timer"], digest)
            await connection.execute(_SQL["close_lane"], stream)
        return bool(state == "waiting")

    async def waiting(self) -> int:
        """How many jobs wait or run."""
        async with self._transaction() as connection:
            return int(await connection.fetchval(_SQL["waiting"]))

    async def stored(self, limit: int, offset: int = 0) -> list[tuple[str, str, str, bytes, str]]:
        """(key, kind, stream, body, state) of jobs in the order they came."""
        async with self._transaction() as connection:
            rows = await connection.fetch(_SQL["stored"], limit, offset)
        return [(r[0], r[1], r[2], r[3], r[4]) for r in rows]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        if self._pool is None:
            raise QueueUnavailable("PostgreSQL: not open.")
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection
        except _ERRORS as error:
            raise QueueUnavailable(f"PostgreSQL: {told(error)}") from None

    def _wake(self) -> None:
        if self.on_work is not None:
            self.on_work()

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)


def _text(text: str) -> str:
    # PostgreSQL's text holds neither NUL nor lone surrogates; JSON may hold both as escapes.
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
