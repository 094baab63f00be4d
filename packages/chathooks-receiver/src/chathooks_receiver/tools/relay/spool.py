"""What the relay keeps on disk: how far it has read the feed, and the events that are not forwarded yet.

A page of the feed and the place behind it are written in one transaction, so a crash at any point neither skips an event nor
forgets one: at worst a page is read again, and the events of it that are still here count once. An event leaves the
file after the target has acknowledged it; a crash in between makes one duplicate.
"""

import fcntl
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from chathooks_events.signing import generate_secret
from chathooks_receiver.database import named_statements
from chathooks_receiver.tools.failures import ToolFailed

CURSOR = "cursor"
SECRET = "secret"  # noqa: S105 - the name of an entry
SERVER = "server"
SPOOL_FILE = "spool.sqlite3"
LOCK_FILE = "relay.lock"

_SQL = named_statements(Path(__file__).with_name("spool.sql"))


class Waiting(msgspec.Struct, frozen=True):
    """An event to forward. `attempts` were made so far; `data` are the bytes as the server keeps them."""

    number: int
    event_id: str
    trigger: str
    data: bytes
    attempts: int


class Spool:
    """The file of one relay; a second relay on the same folder is refused.

    All methods raise ToolFailed: ERR_STATE_DIR where the disk is full or the file broken; nothing has changed then.
    """

    def __init__(self, connection: sqlite3.Connection, lock: IO[str]) -> None:
        self._db = connection
        self._lock = lock

    @classmethod
    def open(cls, folder: Path) -> "Spool":
        """Open, or make, the file in `folder`.

        Raises:
            ToolFailed: ERR_RELAY_IN_USE where another relay has it, ERR_STATE_DIR where it cannot be used.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = folder.joinpath(LOCK_FILE).open("w")
        except OSError as error:
            raise _unusable(folder, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ToolFailed(
                "ERR_RELAY_IN_USE",
                f"Another relay is using {folder}.",
                advice="Stop it, or give this one another --state-dir.",
            ) from None
        try:
            connection = sqlite3.connect(folder / SPOOL_FILE, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SQL["schema"])
        except sqlite3.Error as error:
            lock.close()
            raise _unusable(folder, error) from None
        return cls(connection, lock)

    def close(self) -> None:
        """Close the file; another relay may have it then."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The file; what it cannot do now becomes ToolFailed: ERR_STATE_DIR."""
        try:
            yield self._db
        except sqlite3.Error as error:
            raise ToolFailed(
                "ERR_STATE_DIR",
                f"The relay's file cannot be used: {error}.",
                advice="Make room on the disk of --state-dir. Nothing is lost: the same command goes on.",
            ) from None

    def read(self, key: str) -> str | None:
        """What was kept under a key."""
        with self._using() as db:
            row = db.execute(_SQL["read_place"], (key,)).fetchone()
        return None if row is None else str(row[0])

    def write(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self._using() as db:
            db.execute(_SQL["write_place"], (key, value))

    def secret(self) -> str:
        """The signing secret of this relay, made on first use."""
        known = self.read(SECRET)
        if known is None:
            known = generate_secret(secrets.token_bytes)
            self.write(SECRET, known)
        return known

    def keep(self, events: Sequence[tuple[str, str, bytes]], cursor: str) -> None:
        """Keep events (id, trigger, data) and the place behind them, both or neither."""
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(_SQL["keep"], events)
                db.execute(_SQL["write_place"], (CURSOR, cursor))
                db.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def due(self, now_ms: int, limit: int) -> list[Waiting]:
        """Events to forward now, the oldest first."""
        with self._using() as db:
            return [Waiting(*row) for row in db.execute(_SQL["due"], (now_ms, limit))]

    def next_due_ms(self) -> int | None:
        """When the next event is due, unix milliseconds; None where none waits."""
        with self._using() as db:
            row = db.execute(_SQL["next_due"]).fetchone()
        return None if row[0] is None else int(row[0])

    def forwarded(self, number: int) -> None:
        """The target has acknowledged it."""
        with self._using() as db:
            db.execute(_SQL["forwarded"], (number,))

    def refused(self, number: int, *, attempts: int, due_at_ms: int, failed: bool) -> None:
        """The target has not: try again at that time, or keep it as failed."""
        with self._using() as db:
            db.execute(_SQL["refused"], (attempts, due_at_ms, int(failed), number))

    def again(self) -> int:
        """Let all that failed be forwarded again; how many."""
        with self._using() as db:
            return db.execute(_SQL["again"]).rowcount

    def counts(self) -> tuple[int, int]:
        """How many events wait, and how many have failed."""
        with self._using() as db:
            waiting, failed = db.execute(_SQL["count"]).fetchone()
        return int(waiting), int(failed)


def _unusable(folder: Path, error: Exception) -> ToolFailed:
    return ToolFailed(
        "ERR_STATE_DIR",
        f"{folder} cannot be used: {error}.",
        advice="Give a folder that can be written to with --state-dir.",
    )
