"""A SQLite store read table by table, in the order of the keys: what a copy into another store starts from."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from chathooks.adapters.sqlite.statements import migrations, statements
from chathooks.adapters.sqlite.store import take_lock
from chathooks.kernel.errors import StartRefused

_SQL = statements("tables.sql")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class SqliteTables:
    """The tables of a store that nobody serves meanwhile. A context manager that holds the store's lock."""

    def __init__(self, path: Path) -> None:
        """Raises StartRefused where there is no such store, it is served, or its schema is not this program's."""
        if not path.exists():
            raise StartRefused("ERR_STORE_NOT_FOUND", f"There is no store {path}.")
        self._lock = take_lock(path)
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            (version,) = self._connection.execute(_SQL["version"]).fetchone()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StartRefused("ERR_STORE_NOT_FOUND", f"{path} cannot be read: {error}.") from None
        newest = migrations()[-1][0]
        if version != newest:
            self.close()
            raise StartRefused(
                "ERR_STORE_TOO_OLD" if version < newest else "ERR_STORE_TOO_NEW",
                f"The schema of {path} is version {version}, this program copies version {newest}. "
                "Start the store once with this version of Chathooks, or copy with the one that made it.",
            )

    def __enter__(self) -> "SqliteTables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._connection.close()
        os.close(self._lock)

    def tables(self) -> list[str]:
        """All tables, those that others refer to first."""
        return [name for (name,) in self._connection.execute(_SQL["tables"])]

    def columns(self, table: str) -> tuple[list[str], list[str]]:
        """(all columns, those of the primary key in its order)."""
        found = self._connection.execute(_SQL["columns"], (table,)).fetchall()
        keyed = sorted((place, name) for name, place in found if place)
        return [name for name, _ in found], [name for _, name in keyed]

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        after: Sequence[Any],
        limit: int,
    ) -> list[tuple[Any, ...]]:
        """Rows in the order of the key; those after a key, or the first ones where `after` is empty."""
        sql = _SQL["next_rows" if after else "first_rows"].format(
            columns=_quoted(columns),
            table=_quoted([table]),
            key=_quoted(key),
            places=", ".join("?" for _ in key),
        )
        return self._connection.execute(sql, (*after, limit)).fetchall()

    def count(self, table: str) -> int:
        """How many rows there are."""
        sql = _SQL["count"].format(table=_quoted([table]))
        return int(self._connection.execute(sql).fetchone()[0])

    def numbers_given(self) -> dict[str, int]:
        """By table, the highest key ever given, where rows that are gone count too."""
        return {name: int(seq) for name, seq in self._connection.execute(_SQL["sequences"])}
