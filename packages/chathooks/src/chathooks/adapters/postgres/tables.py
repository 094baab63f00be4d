"""A PostgreSQL store written table by table: where a copy of another store goes.

Each batch of rows and the note how far it came are one transaction, so a copy that was cut short goes on where it
stopped. While that note exists, no server starts on the store.
"""

from collections.abc import Sequence
from typing import Any, cast

from psycopg import AsyncConnection, AsyncRawCursor, sql

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.lease import take_lock
from chathooks.adapters.postgres.schema import refuse_newer, refuse_older, schema_version
from chathooks.adapters.postgres.statements import statements
from chathooks.kernel.errors import StartRefused

_SQL = statements("tables.sql")
_COUNTERS = {"feed": "position", "messages": "message"}
"""Tables whose keys the program allots, not the database (`connection.Allotments`)."""


def _complete(name: str, **parts: sql.Composable) -> sql.Composed:
    return sql.SQL(cast("Any", _SQL[name])).format(**parts)


def _names(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


async def refuse_unfinished_copy(connection: AsyncConnection[Any]) -> None:
    """Raises StartRefused where a copy into the store was begun and not finished."""
    async with AsyncRawCursor(connection) as cursor:
        await cursor.execute(_SQL["has_progress"])
        row = await cursor.fetchone()
    if row is not None and row[0]:
        raise StartRefused(
            "ERR_COPY_UNFINISHED",
            "A copy into this database was begun and not finished. Run the same chathooks migrate copy again: it "
            "goes on where it stopped.",
        )


class PostgresTables:
    """The tables of a store that nobody serves. Open it with `await PostgresTables.open(database)`."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._cursor = AsyncRawCursor(connection)

    @classmethod
    async def open(cls, database: Database) -> "PostgresTables":
        """Take the store's lock and begin a copy, or go on with one.

        Raises:
            StartRefused: the database cannot be used, is served, has another schema, or holds an app already.
        """
        connection = await database.connect_or_refuse()
        try:
            await take_lock(connection, database.describe())
            version, compatible = await schema_version(connection)
            refuse_newer(version, compatible)
            refuse_older(version)
            tables = cls(connection)
            if not await tables._value("has_progress"):
                if await tables._value("has_apps"):
                    raise StartRefused(
                        "ERR_STORE_NOT_EMPTY",
                        f"The database {database.describe()} holds a store already. Copy into a new database.",
                    )
                await tables._cursor.execute(_SQL["make_progress"])
        except BaseException:
            await connection.close()
            raise
        return tables

    async def close(self) -> None:
        """Let go of the store."""
        await self._connection.close()

    async def _value(self, name: str) -> Any:
        await self._cursor.execute(_SQL[name])
        row = await self._cursor.fetchone()
        return None if row is None else row[0]

    async def progress(self) -> dict[str, tuple[str, int, bool]]:
        """By table: (JSON of the last key copied, rows copied, finished)."""
        await self._cursor.execute(_SQL["load_progress"])
        return {row[0]: (row[1], row[2], row[3]) for row in await self._cursor.fetchall()}

    async def kinds(self, table: str) -> dict[str, str]:
        """By column, its type: bigint, text or bytea. Empty where there is no such table."""
        await self._cursor.execute(_SQL["kinds"], (table,))
        return {str(name): str(kind) for name, kind in await self._cursor.fetchall()}

    async def begin_table(self, table: str) -> None:
        """Empty the table and let no trigger count its rows: what they count is copied too."""
        async with self._connection.transaction():
            await self._cursor.execute(_complete("disable_triggers", table=sql.Identifier(table)))
            await self._cursor.execute(_complete("clear", table=sql.Identifier(table)))
            await self._cursor.execute(_SQL["save_progress"], (table, "", 0, False))

    async def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        last_key: str,
        copied: int,
        finished: bool,
    ) -> None:
        """Add rows and note how far the copy came, in one transaction."""
        async with self._connection.transaction():
            if rows:
                statement = _complete(
                    "copy_in", table=sql.Identifier(table), columns=_names(columns)
                )
                async with self._cursor.copy(statement) as copy:
                    for row in rows:
                        await copy.write_row(row)
            await self._cursor.execute(_SQL["save_progress"], (table, last_key, copied, finished))

    async def rows(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        after: Sequence[Any],
        limit: int,
    ) -> list[tuple[Any, ...]]:
        """Rows in the order of the key; those after a key, or the first ones where `after` is empty."""
        places = [f"${number}" for number in range(1, len(after) + 2)]
        statement = _complete(
            "next_rows" if after else "first_rows",
            columns=_names(columns),
            table=sql.Identifier(table),
            key=_names(key),
            places=sql.SQL(cast("Any", ", ".join(places[:-1] if after else places))),
            last_place=sql.SQL(cast("Any", places[-1])),
        )
        await self._cursor.execute(statement, (*after, limit))
        return await self._cursor.fetchall()

    async def finish(
        self, tables: Sequence[tuple[str, Sequence[str]]], given: dict[str, int]
    ) -> None:
        """Go on numbering where the source stopped, count again, and let servers start.

        Args:
            tables: (name, columns of the key) of all tables.
            given: by table, the highest key that the source ever gave.
        """
        async with self._connection.transaction():
            for table, key in tables:
                await self._cursor.execute(
                    _complete("enable_triggers", table=sql.Identifier(table))
                )
                if len(key) == 1 and (await self.kinds(table))[key[0]] == "bigint":
                    await self._cursor.execute(
                        _complete(
                            "highest", key=sql.Identifier(key[0]), table=sql.Identifier(table)
                        )
                    )
                    row = await self._cursor.fetchone()
                    highest = max(given.get(table, 0), 0 if row is None else row[0])
                    await self._number_on(table, key[0], highest)
            await self._cursor.execute(_SQL["drop_progress"])
        await self._cursor.execute(_SQL["analyze"])

    async def _number_on(self, table: str, column: str, highest: int) -> None:
        if _COUNTERS.get(table) == column:
            await self._cursor.execute(_SQL["set_counter"], (highest, table))
        else:
            await self._cursor.execute(
                _SQL["set_identity"], (f'"{table}"', column, highest, highest)
            )
