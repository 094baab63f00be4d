"""The PostgreSQL store: one writing session with group commit, a pool of reading ones beside it.

Commands run one after the other, each inside a savepoint of the batch's transaction; what arrives while a batch
runs or commits joins it or becomes the next, so many callers share one commit.

    idle --write()--> running commands --sign--> COMMIT --> answering callers --> idle or running
                            |                      |
                     connection lost         connection lost
                            v                      v
                  run them again later      ask the lease: was it made?

What holds at every step:
- A caller is answered after the COMMIT of its batch, refusals too, since a refusal may have read rows of a
  sibling in the same batch. Subscribers are told after that.
- A command that raises is undone alone (its savepoint); the batch goes on.
- Positions and ids are allotted by the one session that holds the lease and are committed in that order, so no
  reader ever sees a later one without all earlier ones; an undone command gives its numbers back.
- A connection lost before the COMMIT was sent, a deadlock or a serialization failure: nothing was kept and nobody
  was answered, so the batch's commands are run again, RUNS_MAX times at most.
- A connection lost during the COMMIT: once the lock is held again the lease's row tells whether it was made
  (`lease`). Until then its callers wait, OUTCOME_WAIT_S at most, and are then told that it is not known; a caller that
  says it is patient is told the truth however late.
- While the database is away, callers wait LOST_WAIT_S and are then refused; nothing piles up.
- Another process that took the store over meanwhile has made this one's memory worthless: the process ends.
- In a cluster (`tenure`) each session has a seat. One of commands that lost it takes another; one of lanes is of no
  use any more and says so (`SeatLost`) to whoever writes.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import psycopg
import structlog
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from chathooks.adapters.postgres.batch import RUNS_MAX, Batch, Job
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.connection import Allotments, Driven
from chathooks.adapters.postgres.failures import (
    OutcomeUnknown,
    asks_again,
    ends_session,
    reason,
    unavailable,
)
from chathooks.adapters.postgres.schema import refuse_newer, refuse_older, schema_version
from chathooks.adapters.postgres.statements import statements
from chathooks.adapters.postgres.tables import refuse_unfinished_copy
from chathooks.adapters.postgres.tenure import SeatTenure, SoleTenure, Tenure
from chathooks.adapters.postgres.transaction import PostgresTransaction
from chathooks.kernel.errors import ChathooksError, SeatLost, StoreUnavailable
from chathooks.kernel.news import News
from chathooks.kernel.telemetry import STORE_BATCH_COMMANDS, STORE_COMMIT_SECONDS
from chathooks.kernel.transactions import Topic

T = TypeVar("T")

BATCH_COMMANDS_MAX = 256
BATCH_SECONDS_MAX = 0.020
"""A batch that ran this long is committed although more commands wait: its callers have waited enough."""
COMMANDS_WAITING_MAX = 20_000
"""Beyond it a write is refused at once: a store that cannot keep up must not fill the memory."""
LOST_WAIT_S = 5.0
"""How long callers wait for a database that is away."""
OUTCOME_WAIT_S = 15.0
"""How long a caller waits to be told whether a commit was made whose connection was lost."""
RECONNECT_EVERY_S = 0.25
READ_WAIT_S = 5.0
"""How long a query waits for a free connection."""
EXIT_STORE_LOST = 70
"""Exit status when another process has taken the store over."""

_SQL = statements("session.sql")
_MEMBERSHIP = statements("membership.sql")

log = structlog.get_logger("store")


async def _nothing(_tx: PostgresTransaction) -> None:
    """Change nothing."""


class _BatchLost(Exception):
    """The batch's transaction is gone; its cause says why."""


class PostgresStore:
    """A store in a PostgreSQL database. Open it with `await PostgresStore.open(database)`."""

    def __init__(self, database: Database, tenure: Tenure, news: News) -> None:
        self._database = database
        self._tenure = tenure
        self.news = news
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._closed = False
        self._away_since_s: float | None = None
        self._unknown: Batch | None = None
        self._lost = False
        """Whether the right to write is gone for good."""
        self._bell = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    _connection: AsyncConnection[Any]
    _control: AsyncCursor[Any]
    _tx: PostgresTransaction
    _allotments: Allotments
    _pool: AsyncConnectionPool[AsyncConnection[Any]]
    _writer: asyncio.Task[None]

    @classmethod
    async def open(cls, database: Database, news: News | None = None) -> "PostgresStore":
        """Have the store for this process alone. Raises StartRefused."""
        return await cls._open(database, SoleTenure(), news)

    @classmethod
    async def join(cls, database: Database, *, name: str, news: News) -> "PostgresStore":
        """Share the store with others, for all but the delivering. Raises StartRefused.

        Args:
            database: where it is.
            name: of the node, for people.
            news: told of commits.
        """
        return await cls._open(database, SeatTenure(name, works=False), news)

    @classmethod
    async def join_lanes(cls, database: Database, *, name: str, news: News) -> "PostgresStore":
        """Share the store with others, to deliver for some shares of the lanes. Arguments as `join`. Raises StartRefused."""
        return await cls._open(
            replace(database, read_connections_max=1), SeatTenure(name, works=True), news
        )

    @classmethod
    async def _open(cls, database: Database, tenure: Tenure, news: News | None) -> "PostgresStore":
        """Connect, take the right to write, look at the schema, begin to serve.

        Raises:
            StartRefused: the database cannot be used, another process holds the store, or its schema is not the one
                that this program knows.
        """
        store = cls(database, tenure, news or News())
        connection = await database.connect_or_refuse()
        try:
            await tenure.take(connection, database.describe())
            version, compatible = await schema_version(connection)
            refuse_newer(version, compatible)
            refuse_older(version)
            await refuse_unfinished_copy(connection)
            await tenure.enter(connection)
            await store._use(connection)
            store._pool = AsyncConnectionPool(
                kwargs=database.parameters() | {"autocommit": True},
                configure=database.prepare,
                min_size=1,
                max_size=database.read_connections_max,
                timeout=READ_WAIT_S,
                name="chathooks-reads",
                open=False,
            )
            await store._pool.open(wait=True, timeout=READ_WAIT_S)
        except BaseException:
            await connection.close()
            raise
        store._writer = asyncio.create_task(store._write_forever(), name="postgres-writer")
        return store

    async def _use(self, connection: AsyncConnection[Any]) -> None:
        """Write on this connection from now on; it holds the right to."""
        self._connection = connection
        self._control = AsyncCursor(connection)
        self._allotments = Allotments(await self._tenure.counters(connection))
        self._tx = PostgresTransaction(connection, self._allotments)
        self._tx.seat = self._tenure.seat

    # -- for callers -------------------------------------------------------------------------------------

    def subscribe(self, topic: Topic, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `chathooks.kernel.transactions.Store.subscribe`."""
        return self.news.subscribe(topic, listener)

    async def read(self, query: Callable[[PostgresTransaction], Awaitable[T]]) -> T:
        """Run a query on a pooled connection, on one snapshot of what is committed; on another where one is dead."""
        return await self._pooled(lambda connection: self._query(connection, query))

    async def _pooled(self, ask: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
        """Ask on a pooled connection; one that turns out to be dead is thrown away. Raises StoreUnavailable."""
        for _ in range(self._database.read_connections_max + 1):
            try:
                async with self._pool.connection() as connection:
                    try:
                        return await ask(connection)
                    except psycopg.Error as error:
                        if not connection.closed:
                            log.warning("read failed", error=type(error).__name__)
                            raise unavailable(error) from error
            except PoolTimeout as error:
                raise StoreUnavailable("the database cannot be reached, or is very busy") from error
        raise StoreUnavailable("the database cannot be reached")

    async def _query(
        self,
        connection: AsyncConnection[Any],
        query: Callable[[PostgresTransaction], Awaitable[T]],
    ) -> T:
        async with AsyncCursor(connection) as control:
            await control.execute(_SQL["read_begin"])
            try:
                return cast("T", await Driven(PostgresTransaction(connection), query))
            finally:
                with contextlib.suppress(
                    psycopg.OperationalError
                ):  # the error before it is the one to tell
                    await control.execute(_SQL["rollback"])

    async def write(
        self, command: Callable[[PostgresTransaction], Awaitable[T]], *, patient: bool = False
    ) -> T:
        """See `chathooks.kernel.transactions.Store.write`."""
        if self._lost:
            raise SeatLost
        if self._closed:
            raise StoreUnavailable("the server is stopping")
        if self._away_since_s is not None and self._loop.time() - self._away_since_s > LOST_WAIT_S:
            raise StoreUnavailable("the database cannot be reached")
        if len(self._waiting) >= COMMANDS_WAITING_MAX:
            raise StoreUnavailable("too many changes are waiting for the database")
        answer: asyncio.Future[T] = self._loop.create_future()
        job = Job(command, answer, self._loop.time(), patient)
        self._waiting.append(job)
        self._idle.clear()
        self._bell.set()
        return await answer

    async def beat(self) -> None:
        """Show that this process is well, beside its batches: those may have to wait for other nodes.

        Raises StoreUnavailable.
        """
        deposed = await self._pooled(self._beat)
        if deposed:
            await self.write(_nothing)  # by which the writer finds out

    async def _beat(self, connection: AsyncConnection[Any]) -> bool:
        """Whether the seat is gone."""
        async with AsyncRawCursor(connection) as cursor:
            await cursor.execute(_MEMBERSHIP["beat"], (self._tenure.seat,))
            return cursor.rowcount == 0

    async def close(self) -> None:
        """Finish what was asked for, then close; later writes are refused."""
        self._closed = True
        self._bell.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), OUTCOME_WAIT_S)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._refuse_waiting(StoreUnavailable("the server is stopping"))
        await self._pool.close()
        if not self._lost:
            with contextlib.suppress(psycopg.Error):  # a batch that did not end in time
                await self._control.execute(_SQL["rollback"], prepare=False)
            await self._tenure.leave(self._connection)
        await self._connection.close()

    # -- the writer --------------------------------------------------------------------------------------

    async def _write_forever(self) -> None:
        while not self._lost:
            if not self._waiting:
                self._idle.set()
            await self._bell.wait()
            self._bell.clear()
            while self._waiting and not self._lost:
                batch = Batch()
                try:
                    await self._run_batch(batch)
                except _BatchLost as lost:
                    await self._batch_lost(batch, lost.__cause__ or lost)
                except Exception as error:  # a fault here must not leave callers without an answer
                    log.error("a batch failed", exc_info=error)
                    await self._batch_lost(batch, error)

    async def _run_batch(self, batch: Batch) -> None:
        """Run what waits and commit it. Raises _BatchLost where nothing of it, or nothing certain, was kept."""
        self._allotments.undo()
        try:
            await self._tenure.begin(self._control, self._allotments)
        except psycopg.Error as error:
            raise _BatchLost from error
        ends_at = self._loop.time() + BATCH_SECONDS_MAX
        while self._waiting and len(batch.jobs) < BATCH_COMMANDS_MAX:
            job = self._waiting.popleft()
            if job.answer.cancelled():
                continue
            batch.jobs.append(
                job
            )  # first of all: whatever happens from here on, somebody answers it
            if len(batch.jobs) > 1:
                await self._say("next_savepoint")
            await self._run_job(job, batch)
            if self._loop.time() > ends_at:
                break
        STORE_BATCH_COMMANDS.observe(len(batch.jobs))
        if batch.jobs:
            await self._commit(batch)
        else:
            await self._say("rollback")
        self._told(batch)

    async def _say(self, name: str) -> None:
        """Run a statement that steers the transaction. Raises _BatchLost."""
        try:
            await self._control.execute(_SQL[name], prepare=False)
        except psycopg.Error as error:
            raise _BatchLost from error

    async def _run_job(self, job: Job, batch: Batch) -> None:
        """Run one command in its savepoint. Raises _BatchLost."""
        self._tx.notified = {}
        job.runs += 1
        job.result, job.error = None, None
        marked = self._allotments.mark()
        try:
            job.result = await Driven(self._tx, job.command)
        except Exception as error:
            if self._connection.closed or asks_again(error):
                raise _BatchLost from error
            await self._say("undo_command")
            self._allotments.restore(marked)
            job.error = error
            if isinstance(error, psycopg.Error) and not isinstance(error, psycopg.IntegrityError):
                log.warning("write failed", error=type(error).__name__, state=error.sqlstate)
                job.error = unavailable(error)
            elif not isinstance(error, ChathooksError):
                log.error("command failed", exc_info=error)
            return
        batch.notified.update(self._tx.notified)

    async def _commit(self, batch: Batch) -> None:
        number = self._tenure.batch + 1
        try:
            async with AsyncRawCursor(self._connection) as cursor:
                moved = self._allotments.changed()
                if not await self._tenure.sign(cursor, number, moved):
                    if isinstance(self._tenure, SoleTenure):
                        self._taken_over()
                    await (
                        self._connection.close()
                    )  # what follows is as for a session that was cut off
                    raise _BatchLost
        except psycopg.Error as error:
            raise _BatchLost from error
        batch.number = number
        with STORE_COMMIT_SECONDS.time():
            await self._say("commit")
        self._tenure.batch = number
        self._allotments.settle()

    def _told(self, batch: Batch) -> None:
        for job in batch.jobs:
            job.tell()
        for topic, key in batch.notified:
            self.news.committed(topic, key)

    # -- when something is lost --------------------------------------------------------------------------

    async def _batch_lost(self, batch: Batch, error: BaseException) -> None:
        self._allotments.undo()
        if self._lost:
            await self._connection.close()
            for job in batch.jobs:
                job.refuse(SeatLost())
            return
        if ends_session(error):
            await self._connection.close()
        if not self._connection.closed:
            batch.number = 0  # the database answered: it undid the transaction
            with contextlib.suppress(
                psycopg.Error
            ):  # a dead connection shows at the next statement
                await self._control.execute(_SQL["rollback"], prepare=False)
        if batch.number:
            log.warning("the connection was lost during a commit; asking whether it was made")
            self._unknown = batch
            await self._reconnect()
            return
        again = self._connection.closed or asks_again(error)
        log.warning("batch lost", reason=reason(error), commands=len(batch.jobs), run_again=again)
        if not batch.jobs and not again:
            self._refuse_waiting(unavailable(error))  # it could not even begin
        for job in reversed(batch.jobs):
            if again and job.runs < RUNS_MAX:
                self._waiting.appendleft(job)
            else:
                job.refuse(unavailable(error))
        if self._connection.closed:
            await self._reconnect()

    async def _reconnect(self) -> None:
        """Get the lease back on a new connection, however long it takes; callers wait a bounded time only."""
        self._away_since_s = self._loop.time()
        await self._connection.close()
        while True:
            try:
                connection = await self._database.connect()
            except psycopg.Error as error:
                await self._still_away(reason(error))
                continue
            try:
                held = await self._tenure.take_back(connection)
                if not held and not await self._begin_anew(connection):
                    await connection.close()
                    return
                await self._use(connection)
            except psycopg.Error as error:
                await connection.close()
                await self._still_away(reason(error))
                continue
            break
        log.info("the database is back", away_s=round(self._loop.time() - self._away_since_s, 2))
        self._away_since_s = None
        if held:
            self._decide()
        else:
            self.news.ring_everything()

    async def _begin_anew(self, connection: AsyncConnection[Any]) -> bool:
        """Another seat for a session that lost its own; False where nothing that it knows is true any more."""
        batch, self._unknown = self._unknown, None
        anew = isinstance(self._tenure, SeatTenure) and not self._tenure.works
        for job in batch.jobs if batch is not None else ():
            job.refuse(OutcomeUnknown() if anew else SeatLost())
        if not anew:
            self._taken_over()
            return False
        log.warning("this node was taken for dead and lost its seat; it takes another")
        await self._tenure.enter(connection)
        return True

    def _decide(self) -> None:
        """Tell the callers of a commit whose connection was lost what became of it."""
        batch, self._unknown = self._unknown, None
        if batch is None:
            return
        if self._tenure.batch == batch.number:
            log.info("the commit was made", commands=len(batch.jobs))
            self._told(batch)
            return
        log.info("the commit was not made; its commands are run again", commands=len(batch.jobs))
        for job in reversed(batch.jobs):
            if not job.answer.done():
                self._waiting.appendleft(job)

    async def _still_away(self, why: str) -> None:
        now = self._loop.time()
        away_s = now - cast("float", self._away_since_s)
        if away_s > LOST_WAIT_S:
            self._refuse_waiting(StoreUnavailable(why))
        if self._unknown is not None and away_s > OUTCOME_WAIT_S:
            for job in self._unknown.jobs:
                if not job.patient and not job.answer.done():
                    job.answer.set_exception(OutcomeUnknown())
        await asyncio.sleep(RECONNECT_EVERY_S)

    def _refuse_waiting(self, why: Exception) -> None:
        while self._waiting:
            self._waiting.popleft().refuse(why)

    def _taken_over(self) -> None:
        """What this process has is another's now, so nothing that it knows of it is true."""
        if isinstance(self._tenure, SoleTenure):
            log.critical("another process has taken the store over; ending")
            os._exit(EXIT_STORE_LOST)
        log.warning("the seat was taken away")
        self._lost = True
        self._refuse_waiting(SeatLost())
        self._idle.set()
