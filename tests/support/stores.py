"""The stores that tests run on: SQLite in a folder, PostgreSQL in a database of its own.

A test names its store by a path; on PostgreSQL each path stands for a database, so that opening the path again opens
the same store. Which of the two is meant is `current`, set by the fixture `backend` of the root conftest.
"""

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.adapters.postgres.transaction import PostgresTransaction
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.app.settings import ENVIRONMENT_PREFIX
from chathooks.kernel.news import News
from support.postgres import Databases

Store = Any
"""A SqliteStore or a PostgresStore; tests call both alike."""

SECRET_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

_STRING = re.compile(r"('(?:[^']|'')*')")


class Sqlite:
    """SQLite."""

    name = "sqlite"
    spread = False
    """Whether lanes are spread over engines behind a sequencer."""
    transaction: Any = SqliteTransaction

    async def open(self, path: Path) -> Store:
        return await SqliteStore.open(path)

    def run(self, path: Path, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement behind the store's back; answers its rows."""
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def holds(self, path: Path, text: str) -> bool:
        """Whether a text stands anywhere in what is stored."""
        files = path.parent.glob(f"{path.name}*")
        return any(text.encode() in file.read_bytes() for file in files)

    def settings(self, path: Path) -> dict[str, str]:
        """What a server is told besides its data directory."""
        del path
        return {}

    def fields(self, path: Path) -> dict[str, Any]:
        """The same by the names of `Settings`."""
        return {
            name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
            for name, value in self.settings(path).items()
        }


class Spread(Sqlite):
    """SQLite, with several engines on it."""

    spread = True


class Postgres:
    """PostgreSQL."""

    name = "postgres"
    spread = False
    transaction: Any = PostgresTransaction

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self._urls: dict[Path, str] = {}
        self._looks: dict[Path, psycopg.Connection[Any]] = {}

    def url(self, path: Path) -> str:
        if path not in self._urls:
            self._urls[path] = self.databases.copy()
        return self._urls[path]

    async def open(self, path: Path) -> Store:
        return await PostgresStore.open(Database(url=self.url(path)))

    def run(self, path: Path, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        if path not in self._looks:
            self._looks[path] = psycopg.connect(self.url(path), autocommit=True)
        cursor = self._looks[path].execute(translated(statement), parameters)
        return cursor.fetchall() if cursor.description else []

    def holds(self, path: Path, text: str) -> bool:
        tables = self.run(path, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = [
            self.run(path, f"SELECT 1 FROM {name} AS t WHERE strpos(t::text, ?) > 0", (text,))
            for (name,) in tables
        ]
        return any(found)

    def settings(self, path: Path) -> dict[str, str]:
        return {
            "CHATHOOKS_DATABASE_URL": self.url(path),
            "CHATHOOKS_SECRET_KEY": SECRET_KEY,
        }

    fields = Sqlite.fields

    def forget(self, below: Path | None = None) -> None:
        """Take back the databases of paths below a folder; of all where None."""
        for path in list(self._urls):
            if below is None or below in path.parents:
                if path in self._looks:
                    self._looks.pop(path).close()
                self.databases.recycle(self._urls.pop(path))


class Cluster(Postgres):
    """PostgreSQL with several writing sessions: one of commands, one for each engine and for the sequencer."""

    spread = True

    async def open(self, path: Path) -> Store:
        database = Database(url=self.url(path))
        store = await PostgresStore.join(database, name="commands", news=News())
        self._news[path] = store.news
        return store

    def __init__(self, databases: Databases, nats_url: str) -> None:
        super().__init__(databases)
        self._nats_url = nats_url
        self._news: dict[Path, News] = {}

    def settings(self, path: Path) -> dict[str, str]:
        return {**super().settings(path), "CHATHOOKS_NATS_URL": self._nats_url}

    async def open_lanes(self, path: Path) -> Store:
        """A session of lanes on the same database, with the same news."""
        database = Database(url=self.url(path))
        return await PostgresStore.join_lanes(database, name="lanes", news=self._news[path])


def translated(statement: str) -> str:
    """A test's statement in the words of PostgreSQL, with psycopg's placeholders."""
    parts = _STRING.split(statement)
    for place in range(0, len(parts), 2):
        text = re.sub(r'(?<!")\buser\b(?!")', '"user"', parts[place])
        text = re.sub(r"\?\d*", "%s", text.replace("%", "%%"))
        parts[place] = re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", text)
    for place in range(1, len(parts), 2):
        parts[place] = parts[place].replace("%", "%%")
    return "".join(parts)


Backend = Sqlite | Postgres | Cluster
current: Backend = Sqlite()


async def open_store(path: Path) -> Store:
    """The store at a path, on the backend of this test."""
    return await current.open(path)


async def rows(store: Store, statement: str, *parameters: Any) -> list[Any]:
    """What a statement answers within the store's own reading transaction."""

    async def query(tx: Any) -> list[Any]:
        return await execute(tx, statement, *parameters)

    return list(await store.read(query))


async def execute(tx: Any, statement: str, *parameters: Any) -> list[Any]:
    """Run a statement in a transaction of the store, SQLite's or PostgreSQL's."""
    if hasattr(tx, "_connection"):
        return list(tx._connection.execute(statement, parameters).fetchall())
    numbered = re.sub(r"(?<!\")\buser\b(?!\")", '"user"', statement)
    places = iter(range(1, 100))
    numbered = re.sub(r"\?", lambda _: f"${next(places)}", numbered)
    await tx._run(numbered, parameters)
    return list(await tx._cursor.fetchall()) if tx._cursor.description else []
