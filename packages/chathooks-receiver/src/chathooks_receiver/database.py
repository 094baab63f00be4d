"""SQLite with group commit: statements of many callers, one commit for all of them.

Statements run on the event loop's thread, where they take microseconds; what may wait for the disk runs in a thread of the
file's own: COMMIT with `synchronous="FULL"`, BEGIN where other processes write too, and checkpoints. What is submitted
while a commit is under way makes up the next batch. With "NORMAL" a commit is a write to the system's page cache, cheaper
than the way to a thread and back, and is done at once. A caller is answered after its batch is committed, never before; a batch that
fails is done again one by one, so that one bad statement fails its own caller alone.

Crash at any point: what was answered is committed (with `synchronous="FULL"` it survives a power cut too, with
"NORMAL" a power cut may take the last commits), and what was not is either wholly there or not at all.
"""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")

BATCH_MAX = 512
"""Callers that share a commit."""
CHECKPOINT_EVERY = 500
"""Commits between two checkpoints, where this module asks for them."""
BUSY_TIMEOUT_MS = 1_000
"""How long to wait for another process's commit."""

log = logging.getLogger(__name__)

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


class DatabaseUnavailable(Exception):
    """The file cannot be opened, read or written now, or was closed."""


def named_statements(path: Path) -> Mapping[str, str]:
    """The statements of an `.sql` file by name; each stands below a line `-- name --`."""
    parts = _NAME.split(path.read_text("utf-8"))[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


class Database:
    """One SQLite file, used from one event loop."""

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        shared: bool = False,
    ) -> None:
        """Name the file. `schema` is run when it is opened. `shared` says that other processes write to it too."""
        self._path = path
        self._schema = schema
        self._synchronous = synchronous
        self._shared = shared
        self._commits_inline = synchronous == "NORMAL" and not shared
        self._until_checkpoint = CHECKPOINT_EVERY
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file, and make it where it is missing. Raises `DatabaseUnavailable`."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{self._path.name}")
        loop = asyncio.get_running_loop()
        try:
            self._writer = await loop.run_in_executor(self._thread, self._connect)
            self._writer.executescript(self._schema)
            self._reader = await loop.run_in_executor(self._thread, self._connect)
            if self._commits_inline:
                self._writer.execute("PRAGMA wal_autocheckpoint = 0")
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise DatabaseUnavailable(f"{self._path} cannot be opened: {error}") from None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection

    async def close(self) -> None:
        """Commit what waits, then close. Further calls raise `DatabaseUnavailable`."""
        while self._committing is not None:
            await asyncio.wait({self._committing})
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of what is committed. Raises `DatabaseUnavailable`."""
        if self._reader is None:
            raise DatabaseUnavailable(f"{self._path} is not open.")
        try:
            return self._reader.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise DatabaseUnavailable(f"{self._path} cannot be read: {error}") from None

    def run(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Run `work` within the next commit; the future has its result once that is committed.

        `work` may run twice, the first time being rolled back, and must not commit. The future has what `work`
        raised, or `DatabaseUnavailable`.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            future.set_exception(DatabaseUnavailable(f"{self._path} is not open."))
            return future
        self._waiting.append((work, future))
        if self._committing is None:
            self._committing = asyncio.get_running_loop().create_task(self._commit_batches())
        return future

    def write(self, statement: str, parameters: Sequence[object] = ()) -> "asyncio.Future[int]":
        """Run one statement within the next commit; the future has the number of rows it changed."""
        return self.run(lambda connection: connection.execute(statement, parameters).rowcount)

    async def _commit_batches(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_MAX]
                del self._waiting[:BATCH_MAX]
                if not await self._commit(batch) and len(batch) > 1:
                    for single in batch:
                        await self._commit([single])
                if self._commits_inline:
                    await self._checkpoint_now_and_then()
        finally:
            self._committing = None

    async def _commit(
        self, batch: Sequence[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]]
    ) -> bool:
        """Whether the batch is over; False asks to do it again one by one."""
        assert self._writer is not None  # noqa: S101 - closed only after the last batch
        loop = asyncio.get_running_loop()
        try:
            if self._shared:
                await loop.run_in_executor(self._thread, self._writer.execute, "BEGIN IMMEDIATE")
            else:
                self._writer.execute("BEGIN IMMEDIATE")
            results = [work(self._writer) for work, _ in batch]
            if self._commits_inline:
                self._writer.execute("COMMIT")
            else:
                await loop.run_in_executor(self._thread, self._writer.execute, "COMMIT")
        except Exception as error:
            self._roll_back()
            if len(batch) == 1:
                _fail(batch[0][1], self._explained(error))
            return False
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        return True

    async def _checkpoint_now_and_then(self) -> None:
        """Between two batches, since a log that is written to all the time would never start anew."""
        self._until_checkpoint -= 1
        if self._until_checkpoint > 0 or self._writer is None:
            return
        self._until_checkpoint = CHECKPOINT_EVERY
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, _checkpoint, self._writer
            )
        except sqlite3.Error as error:
            # The log grows on until the next one works; nothing is lost.
            log.warning("%s cannot be checkpointed: %s", self._path, error)

    def _roll_back(self) -> None:
        if self._writer is not None and self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
            return DatabaseUnavailable(f"{self._path} cannot be written: {error}")
        return error


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
