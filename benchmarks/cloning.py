"""Rows behind the program's back, in a stopped server's store: webhooks and waiting retries in any number.

New rows are copies of what the server made itself: one webhook and its one delivery. On SQLite and PostgreSQL alike.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

import psycopg

from chathooks.delivery.records import State

LATER_MS = 86_400_000
"""Retries are due after this: not while anything is measured."""
LANES_OF_SHARES = 64
TABLES = ("feed", "messages", "deliveries", "attempts", "webhooks", "lanes", "progress")

_ALL = "SELECT * FROM {table} LIMIT 0"
_COUNT = "SELECT COUNT(*) FROM {table}"
_COPY = """
INSERT INTO {table} ({names})
SELECT {values} FROM (SELECT * FROM {table} ORDER BY 1 LIMIT 1) AS one CROSS JOIN {numbers}
"""
_LANES = "UPDATE lanes SET next_number = {next}, created = {created}"
_PROGRESS = (
    "UPDATE progress SET cursor = {next}, head = {next}, waiting = {waiting}, seen = {created}"
)
_SIZES_SQLITE = """
SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat AS s JOIN sqlite_master AS m ON m.name = s.name GROUP BY m.tbl_name
"""
_SIZES_POSTGRES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class Rows:
    """The rows of a store that no process serves; use it as a context manager."""

    def __init__(self, file: Path, *, database: str = "") -> None:
        """The SQLite store in a file, or the PostgreSQL database where one is named."""
        if database:
            self._postgres = True
            self._connection: Any = psycopg.connect(database, autocommit=True)
            self._numbers = "generate_series(1, {count}) AS new (n)"
        else:
            self._postgres = False
            self._connection = sqlite3.connect(file, isolation_level=None)
            self._numbers = (
                "(WITH RECURSIVE new (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM new "
                "WHERE n < {count}) SELECT n FROM new) AS new"
            )

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def run(self, statement: str) -> list[Any]:
        """Run a statement; answers its rows."""
        cursor = self._connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

    def _columns(self, table: str) -> list[str]:
        return [one[0] for one in self._connection.execute(_ALL.format(table=table)).description]

    def _copy(self, table: str, count: int, changes: dict[str, str]) -> None:
        columns = self._columns(table)
        values = ", ".join(changes.get(name, f"one.{name}") for name in columns)
        names = ", ".join(columns)
        numbers = self._numbers.format(count=count)
        self.run(_COPY.format(table=table, names=names, values=values, numbers=numbers))

    def add_webhooks(self, count: int) -> None:
        """So many webhooks more."""
        if count:
            lane = {"lane": "one.lane + n"}
            names = {"id": "one.id || '-' || n", "name": "one.name || '-' || n"}
            self._copy("webhooks", count, lane | names)
            self._copy("webhook_triggers", count, lane)
            self._copy("lanes", count, lane | {"share": f"(one.lane + n) % {LANES_OF_SHARES} + 1"})
            self._copy("progress", count, lane)

    def add_retries(self, count: int, lanes: int) -> None:
        """So many deliveries that failed once and wait, spread over so many webhooks."""
        if not count:
            return
        each = count // lanes
        due = int(time.time() * 1000) + LATER_MS
        key = {"lane": f"one.lane + n % {lanes}", "number": f"2 + (n - 1) / {lanes}"}
        waits = {"state": str(int(State.RETRYING)), "failures": "1", "due_at": str(due)}
        self._copy("deliveries", each * lanes, key | waits)
        self._copy("attempts", each * lanes, key | {"status": "503"})
        self.run(_LANES.format(next=each + 2, created=each + 1))
        self.run(_PROGRESS.format(next=each + 2, created=each + 1, waiting=each))

    def settle(self) -> None:
        """As a store is that has run for a while: statistics taken, all of it in its files."""
        if self._postgres:
            self.run("VACUUM ANALYZE")
            self.run("CHECKPOINT")
        else:
            self.run("PRAGMA wal_checkpoint(TRUNCATE)")

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.run(_COUNT.format(table=table))[0][0])

    def sizes(self) -> dict[str, int]:
        """Bytes of each of TABLES on disk, with its indexes."""
        found = self.run(_SIZES_POSTGRES if self._postgres else _SIZES_SQLITE)
        return {str(name): int(size) for name, size in found if name in TABLES}

    def log_position(self) -> int:
        """Bytes that PostgreSQL has ever written to its log; 0 on SQLite."""
        if not self._postgres:
            return 0
        return int(self.run("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])
