"""The log of requests: each with our answer, how long it took, whether it was a duplicate. No bodies, no credentials.

Written beside the answering, in group commits: it slows no request down, and what a crash takes of it is the last moment.
When it cannot keep up, entries are left out and counted.
"""

import logging
import sqlite3
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from chathooks_receiver.database import Database, DatabaseUnavailable, named_statements

ROWS_MAX = 1_000_000
PRUNE_EVERY = 1_000
WAITING_MAX = 10_000
"""Entries that may wait for the disk; more are left out."""
TEXT_CHARS_MAX = 200
LIMIT_MAX = 1_000

_SQL = named_statements(Path(__file__).with_suffix(".sql"))

log = logging.getLogger(__name__)


class RequestLogUnavailable(Exception):
    """The file is missing, or is no request log."""

    code = "ERR_REQUEST_LOG"


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request. `at_ms` is unix milliseconds, durations are milliseconds; `result` as in `receiver.Outcome`."""

    id: int = 0
    at_ms: int
    remote: str | None
    method: str
    path: str
    status: int
    result: str
    code: str | None
    trigger: str | None
    key: str | None
    stream: str | None
    attempt: int | None
    number: int | None
    body_bytes: int
    duration_ms: float
    sink_ms: float | None


class RequestLog:
    """The log in the file `path`, of the last `rows_max` requests."""

    def __init__(self, path: Path | str, rows_max: int = ROWS_MAX) -> None:
        """Name the file."""
        self._database = Database(Path(path), _SQL["schema"], synchronous="NORMAL")
        self._rows_max = rows_max
        self._waiting: deque[Entry] = deque()
        self._writing = False
        self._until_prune = PRUNE_EVERY
        self.left_out = 0
        """Entries that were not written."""

    async def open(self) -> None:
        """Open or make the file. Raises `DatabaseUnavailable`."""
        await self._database.open()

    async def close(self) -> None:
        """Write what waits and close the file."""
        await self._database.close()

    def add(self, entry: Entry) -> None:
        """Note a request, soon."""
        if len(self._waiting) >= WAITING_MAX:
            self.left_out += 1
            return
        self._waiting.append(entry)
        if not self._writing:
            self._writing = True
            self._database.run(self._write).add_done_callback(self._written)

    def _write(self, connection: sqlite3.Connection) -> int:
        entries = list(self._waiting)
        rows = [_row(entry) for entry in entries]
        connection.executemany(_SQL["insert"], rows)
        self._until_prune -= len(rows)
        if self._until_prune <= 0:
            self._until_prune = PRUNE_EVERY
            connection.execute(_SQL["prune"], (self._rows_max,))
        return len(rows)

    def _written(self, done: Any) -> None:
        self._writing = False
        if done.cancelled():
            return
        if done.exception() is not None:
            log.warning("The request log cannot be written: %s", done.exception())
            self.left_out += len(self._waiting)
            self._waiting.clear()
            return
        for _ in range(done.result()):
            self._waiting.popleft()
        if self._waiting:
            self._writing = True
            self._database.run(self._write).add_done_callback(self._written)


def query(
    path: Path | str,
    *,
    status: int | None = None,
    result: str | None = None,
    trigger: str | None = None,
    key: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    before: int | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Entries of the log in `path`, the newest first, that fit all that is given. The service may be running.

    `key` is the event id or the dedupe key, times are unix milliseconds, `before` and `after` ids of entries, to page and to
    follow. At most 1,000 come at once. Raises `RequestLogUnavailable`.
    """
    if not Path(path).is_file():
        raise RequestLogUnavailable(f"There is no request log at {path}. Is request_log.path set?")
    parameters = {
        "status": status,
        "result": result,
        "trigger": trigger,
        "key": key,
        "since_ms": since_ms,
        "until_ms": until_ms,
        "before": before,
        "after": after,
        "limit": max(1, min(limit, LIMIT_MAX)),
    }
    try:
        connection = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute(_SQL["query"], parameters).fetchall()
        finally:
            connection.close()
    except (sqlite3.Error, DatabaseUnavailable) as error:
        raise RequestLogUnavailable(f"{path} cannot be read: {error}") from None
    names = Entry.__struct_fields__
    return [Entry(**dict(zip(names, row, strict=True))) for row in rows]


def _row(entry: Entry) -> tuple[object, ...]:
    return tuple(_short(getattr(entry, name)) for name in Entry.__struct_fields__[1:])


def _short(value: object) -> object:
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX].encode("utf-8", "replace").decode("utf-8")
    return value
