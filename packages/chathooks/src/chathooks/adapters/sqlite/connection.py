"""What the parts of a SQLite transaction share."""

import sqlite3
from typing import Any

from chathooks.kernel.transactions import Topic


class TransactionPart:
    """Runs statements on the transaction's connection and keeps the notes for after the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.notified: dict[tuple[Topic, int], None] = {}

    def notify(self, topic: Topic, key: int = 0) -> None:
        """See `chathooks.kernel.transactions.Notifying`."""
        self.notified[(topic, key)] = None

    def _run(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self._connection.execute(sql, parameters)

    def _run_many(self, sql: str, rows: Any) -> sqlite3.Cursor:
        return self._connection.executemany(sql, rows)

    def _one(self, sql: str, parameters: Any = ()) -> Any:
        """The first row, or None; for SELECT only (an unfinished RETURNING would be undone)."""
        return self._connection.execute(sql, parameters).fetchone()

    def _all(self, sql: str, parameters: Any = ()) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()
