"""The store that a side works on, and statements on it behind the program's back: on SQLite and on PostgreSQL alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.side import Spec
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.statements import numbered
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.adapters.postgres.transaction import PostgresTransaction
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.kernel.news import News

Store = SqliteStore | PostgresStore
Transaction = SqliteTransaction | PostgresTransaction


async def open_store(spec: Spec) -> Any:
    """The store in the spec's folder, or its database where it names one; both are called alike."""
    if spec.cluster:
        database = Database(url=spec.database)
        return await PostgresStore.join(database, name=spec.side, news=News())
    if spec.database:
        return await PostgresStore.open(Database(url=spec.database))
    return await SqliteStore.open(Path(spec.folder) / spec.store_file)


async def rows(tx: Transaction, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """Run a statement with `?` for each parameter; answers its rows."""
    if isinstance(tx, PostgresTransaction):
        await tx._run(numbered(statement), parameters)
        return await tx._cursor.fetchall() if tx._cursor.description else []
    return tx._connection.execute(statement, parameters).fetchall()
