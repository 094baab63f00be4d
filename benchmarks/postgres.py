"""A PostgreSQL server of a run's own: a data directory in the temporary folder, fsync on, ended with the run."""

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import sql
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.postgres import binaries as find_binaries

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.migrating import PostgresSchema

SETTINGS = ("shared_buffers=256MB", "max_wal_size=4GB", "synchronous_commit=on")
"""Of a server that has a machine; the rest is as it is shipped."""


class Server:
    """A running server; use it as a context manager. Raises RuntimeError where it cannot be had."""

    def __enter__(self) -> "Server":
        try:
            self._server = PrivateServer(*SETTINGS)
        except NoPostgres as error:
            raise RuntimeError(str(error)) from error
        try:
            self._server.start()
        except BaseException:
            self._server.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    @property
    def pid(self) -> int:
        """Process id of the server's first process."""
        return self._server.pid

    def url(self, name: str = "postgres") -> str:
        """Address of a database."""
        return self._server.url(name)

    def run(self, statement: str, *names: str) -> None:
        """Run a statement with the names of databases in it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    async def make(self, name: str) -> str:
        """A new database with the schema; its address."""
        self.run("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)
        await PostgresSchema(Database(url=self.url(name))).apply()
        return self.url(name)

    @contextlib.contextmanager
    def copy(self, of: str, name: str) -> Iterator[str]:
        """A copy of a database while the block runs; its address."""
        self.run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, of)
        try:
            self.run("CHECKPOINT")
            yield self.url(name)
        finally:
            self.run("DROP DATABASE {} WITH (FORCE)", name)


def missing() -> str:
    """What this machine lacks to run a server; empty: nothing."""
    try:
        find_binaries()
    except NoPostgres:
        return "PostgreSQL is not installed"
    return ""
