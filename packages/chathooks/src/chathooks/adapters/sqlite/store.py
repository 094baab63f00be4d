"""The SQLite store: one writing connection, group commit, readers beside it.

Commands run on the event loop's thread, one after the other, each inside a savepoint of the batch's
transaction; only the COMMIT, which waits for the disk, runs on a thread of its own. While it waits the next
commands queue up and become the next batch, so many callers share one fsync and nobody fights over the GIL.

    idle --write()--> running commands --COMMIT on the commit thread--> answering callers --> idle or running

What holds at every step:
- A caller is answered after the COMMIT of its batch, refusals too, since a refusal may have read rows of a
  sibling in the same batch. Subscribers are told after that.
- A command that raises is undone alone (its savepoint); the batch goes on.
- A full disk may make SQLite roll back the whole transaction: then every caller of the batch is told
  StoreUnavailable and nothing of it exists.
- A process killed before the COMMIT has answered nobody of the batch.
- A COMMIT whose fsync failed leaves the file in an unknown state: the process ends, and the start after it
  recovers from the write-ahead log.
- One process writes: it holds a lock on `<file>.lock`; a second one is refused at start.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from chathooks.adapters.sqlite.statements import compatible_from, migrations, statements
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.kernel.errors import ChathooksError, StartRefused, StoreUnavailable
from chathooks.kernel.news import News
from chathooks.kernel.telemetry import STORE_BATCH_COMMANDS, STORE_COMMIT_SECONDS
from chathooks.kernel.transactions import Topic

T = TypeVar("T")
Command = Callable[[SqliteTransaction], Awaitable[Any]]

BATCH_COMMANDS_MAX = 256
BATCH_SECONDS_MAX = 0.010
"""A batch that ran this long is committed although more commands wait: the loop has others to serve."""
COMMANDS_WAITING_MAX = 20_000
"""Beyond it a write is refused at once: a store that cannot keep up must not fill the memory."""
LOCKED_RETRY_S = 0.02
LOCKED_WAIT_S = 2.0
"""How long a batch waits for another program's lock on the file before its callers are told."""
STATEMENT_CACHE_SIZE = 512
PAGE_CACHE_KIB = 32_768
CHECKPOINT_PAGES = 4_000
"""Pages in the write-ahead log that are then copied into the file: 16 MiB, and a start after a crash reads no more.

SQLite's own 1,000 copies the pages that every commit changes four times as often.
"""

log = structlog.get_logger("store")

COMPATIBLE_FROM = "schema_compatible_from"
"""Name of the fact: the oldest schema whose programs can work on the store as it is."""
_META = statements("meta.sql")

EXIT_STORE_LOST = 70
"""Exit status when the store's state is unknown; a supervisor starts the process again."""

_FSYNC_FAILURES = {"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"}


def _reason(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return "the disk is full"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "the database is locked by another program"
    if name.startswith("SQLITE_READONLY"):
        return "the database is read-only"
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return "the disk reports an error"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return "the database file is damaged"
    return "the database reports an error"


def _run(coroutine: Awaitable[T]) -> T:
    """Drive a command to its end; it may await nothing that really waits."""
    steps = cast(Coroutine[Any, Any, T], coroutine)
    try:
        steps.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    steps.close()
    raise RuntimeError("a command may await nothing but its transaction")


def take_lock(path: Path) -> int:
    """The lock of a store: an open file. Raises StartRefused where another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartRefused(
            "ERR_DATA_DIR",
            f"{path.parent} cannot be used ({error.strerror}). Choose a folder that this "
            "user may write to with CHATHOOKS_DATA_DIR or --data-dir.",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StartRefused(
            "ERR_STORE_IN_USE",
            f"Another process is serving {path}. Stop it first, or start this one with "
            "another CHATHOOKS_DATA_DIR.",
        ) from None
    return lock


class _Batch:
    """Commands of one transaction and what each is to be told."""

    __slots__ = ("answers", "notified")

    def __init__(self) -> None:
        self.answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        self.notified: dict[tuple[Topic, int], None] = {}


class SqliteStore:
    """A store in one SQLite file. Open it with `await SqliteStore.open(path)`."""

    def __init__(self, path: Path, news: News | None = None) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._busy = False
        self._closed = False
        self._locked_since: float | None = None
        self.news = news or News()
        self._commits: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(cls, path: Path, news: News | None = None) -> "SqliteStore":
        """Open or make the database at `path`, apply migrations, start the commit thread.

        Raises:
            StartRefused: another process holds the store, or its schema is newer than this program.
        """
        store = cls(path, news)
        store._lock_file = take_lock(path)
        try:
            store._writer = store._connect()
            store._migrate()
            store._reader = store._connect(read_only=True)
        except BaseException:
            for name in ("_writer", "_reader"):
                if hasattr(store, name):
                    getattr(store, name).close()
            os.close(store._lock_file)
            raise
        store._write_tx = SqliteTransaction(store._writer)
        store._read_tx = SqliteTransaction(store._reader)
        store._thread = threading.Thread(
            target=store._commit_forever, name="sqlite-commit", daemon=True
        )
        store._thread.start()
        return store

    _lock_file: int
    _writer: sqlite3.Connection
    _reader: sqlite3.Connection
    _write_tx: SqliteTransaction
    _read_tx: SqliteTransaction
    _thread: threading.Thread

    # -- opening -----------------------------------------------------------------------------------------

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        if not self._path.exists():
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self._path,
            timeout=0.0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENT_CACHE_SIZE,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    def _migrate(self) -> None:
        scripts = migrations()
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        newest = scripts[-1].number
        if version > newest:
            self._check_compatible(version, newest)
            return
        for migration in scripts:
            if migration.number > version:
                compatible = compatible_from(scripts, migration.number)
                note = _META["set_compatible"].replace("{number}", str(compatible))
                self._writer.executescript(
                    f"BEGIN IMMEDIATE;\n{migration.script}\n{note};\n"
                    f"PRAGMA user_version = {migration.number};\nCOMMIT;"
                )
                log.info("schema migrated", number=migration.number, name=migration.name)

    def _check_compatible(self, version: int, newest: int) -> None:
        """Raises StartRefused where a newer program made the store and this one cannot work on it."""
        try:
            row = self._writer.execute(_META["get_meta"], (COMPATIBLE_FROM,)).fetchone()
        except sqlite3.OperationalError:  # it has no table of facts: made by something else
            row = None
        compatible = version if row is None else int(row[0])
        if compatible > newest:
            raise StartRefused(
                "ERR_STORE_TOO_NEW",
                f"The store's schema is version {version}, which programs from schema {compatible} on can work on; "
                f"this program knows {newest}. Start it with the newer Chathooks that made it, or restore a "
                "back-up of before the upgrade.",
            )
        log.warning("the store is of a newer version that this one can work on", schema=version)

    # -- running -----------------------------------------------------------------------------------------

    def subscribe(self, topic: Topic, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `chathooks.kernel.transactions.Store.subscribe`."""
        return self.news.subscribe(topic, listener)

    async def read(self, query: Callable[[SqliteTransaction], Awaitable[T]]) -> T:
        """Run a query at once on the reading connection; it sees what was committed when it began."""
        try:
            self._reader.execute("BEGIN")
            try:
                return _run(query(self._read_tx))
            finally:
                self._reader.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.warning("read failed", error=str(error))
            raise StoreUnavailable(_reason(error)) from error

    async def write(
        self, command: Callable[[SqliteTransaction], Awaitable[T]], *, patient: bool = False
    ) -> T:
        """See `chathooks.kernel.transactions.Store.write`; here an outcome is always known."""
        if self._closed:
            raise StoreUnavailable("the server is stopping")
        if len(self._waiting) >= COMMANDS_WAITING_MAX:
            raise StoreUnavailable("too many changes are waiting for the disk")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((command, answer))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._run_batch)
        return await answer

    def _run_batch(self) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._begin_failed(error)
            return
        self._locked_since = None
        batch = _Batch()
        ends_at = self._loop.time() + BATCH_SECONDS_MAX
        waiting = self._waiting
        while waiting and len(batch.answers) < BATCH_COMMANDS_MAX:
            command, answer = waiting.popleft()
            if answer.cancelled():
                continue
            try:
                self._run_command(command, answer, batch)
            except sqlite3.Error as error:
                if not batch.answers or batch.answers[-1][0] is not answer:
                    batch.answers.append((answer, None, error))
                self._batch_lost(batch, error)
                return
            if self._loop.time() > ends_at:
                break
        STORE_BATCH_COMMANDS.observe(len(batch.answers))
        self._commits.put(batch)

    def _run_command(self, command: Command, answer: asyncio.Future[Any], batch: _Batch) -> None:
        """Run one command in its savepoint. Raises sqlite3.Error when the whole batch is lost."""
        self._write_tx.notified = {}
        self._writer.execute("SAVEPOINT command")
        try:
            result = _run(command(self._write_tx))
        except Exception as error:
            if not self._writer.in_transaction:
                batch.answers.append((answer, None, error))
                raise (
                    error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError
                ) from error
            self._writer.execute("ROLLBACK TO command")
            self._writer.execute("RELEASE command")
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                log.warning("write failed", error=str(error))
                error = StoreUnavailable(_reason(error))
            elif not isinstance(error, ChathooksError):
                log.error("command failed", exc_info=error)
            batch.answers.append((answer, None, error))
            return
        self._writer.execute("RELEASE command")
        batch.notified.update(self._write_tx.notified)
        batch.answers.append((answer, result, None))

    def _begin_failed(self, error: sqlite3.Error) -> None:
        name = getattr(error, "sqlite_errorname", "") or ""
        now = self._loop.time()
        self._locked_since = self._locked_since or now
        if name.startswith("SQLITE_BUSY") and now - self._locked_since < LOCKED_WAIT_S:
            self._loop.call_later(LOCKED_RETRY_S, self._run_batch)
            return
        self._locked_since = None
        batch = _Batch()
        while self._waiting:
            batch.answers.append((self._waiting.popleft()[1], None, None))
        self._batch_lost(batch, error)

    def _batch_lost(self, batch: _Batch, error: sqlite3.Error) -> None:
        log.error("batch lost", error=str(error), commands=len(batch.answers))
        for answer, _, _ in batch.answers:
            if not answer.done():
                refusal = StoreUnavailable(_reason(error))
                refusal.__cause__ = error
                answer.set_exception(refusal)
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as worse:
            log.critical(
                "a lost batch cannot be undone; ending so that the start recovers", error=str(worse)
            )
            os._exit(EXIT_STORE_LOST)
        self._next_batch()

    # -- committing --------------------------------------------------------------------------------------

    def _commit_forever(self) -> None:
        while (batch := self._commits.get()) is not None:
            failure: sqlite3.Error | None = None
            try:
                with STORE_COMMIT_SECONDS.time():
                    self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                failure = error
                if getattr(error, "sqlite_errorname", "") in _FSYNC_FAILURES:
                    log.critical(
                        "fsync failed; ending so that the start recovers", error=str(error)
                    )
                    os._exit(EXIT_STORE_LOST)
            try:
                self._loop.call_soon_threadsafe(self._committed, batch, failure)
            except RuntimeError:
                return  # the loop has closed; nobody is left to be answered

    def _committed(self, batch: _Batch, failure: sqlite3.Error | None) -> None:
        if failure is not None:
            self._batch_lost(batch, failure)
            return
        for answer, result, error in batch.answers:
            if answer.done():
                continue
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)
        try:
            for topic, key in batch.notified:
                self.news.committed(topic, key)
        finally:
            self._next_batch()

    def _next_batch(self) -> None:
        if self._waiting:
            self._loop.call_soon(self._run_batch)
        else:
            self._busy = False
            self._idle.set()

    async def close(self) -> None:
        """Finish what was asked for, then close; later writes are refused."""
        self._closed = True
        await self._idle.wait()
        self._commits.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()
        os.close(self._lock_file)
