"""Connections to the database: how they are made, and what every session is told first.

TLS: a host that is not this machine must prove itself with a certificate (`sslmode=verify-full`) unless the address
says otherwise; libpq's own default would go on without TLS where the server offers none.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection, conninfo
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from chathooks.adapters.postgres.statements import statements
from chathooks.kernel.errors import StartRefused

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 15.0
LOCK_TIMEOUT_S = 2.0
"""As long as SQLite's: how long a statement waits for a row that another program holds."""
READ_CONNECTIONS_MAX = 8
PEER_SILENT_MS_MAX = 15_000
"""A peer that acknowledges nothing for so long is gone."""
SERVER_VERSION_MIN = 140_000
PREPARE_AFTER_RUNS = 2
PREPARED_MAX = 512

_SQL = statements("session.sql")
_MS_PER_S = 1000

log = structlog.get_logger("store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where the database is and how it is talked to."""

    url: str = field(repr=False)
    ca_file: Path | None = None
    read_connections_max: int = READ_CONNECTIONS_MAX
    connect_timeout_s: int = CONNECT_TIMEOUT_S
    statement_timeout_s: float = STATEMENT_TIMEOUT_S

    def parameters(self) -> dict[str, Any]:
        """What libpq is told. Raises StartRefused where the address cannot be read."""
        try:
            given = conninfo.conninfo_to_dict(self.url)
        except psycopg.Error:
            raise StartRefused(
                "ERR_SETTINGS",
                "CHATHOOKS_DATABASE_URL cannot be read; it looks like "
                "postgresql://user:password@host:5432/database.",
                {"CHATHOOKS_DATABASE_URL": "is not an address of PostgreSQL"},
            ) from None
        told: dict[str, Any] = {
            "connect_timeout": self.connect_timeout_s,
            "application_name": "chathooks",
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": PEER_SILENT_MS_MAX,
            "target_session_attrs": "read-write",
        }
        if self.ca_file is not None:
            told |= {"sslrootcert": str(self.ca_file), "sslmode": "verify-full"}
        elif not _is_this_machine(str(given.get("host") or "")):
            told |= {"sslmode": "verify-full", "sslrootcert": "system"}
        if "sslmode" in given:
            told.pop("sslrootcert", None)
        return {**told, **given, "client_encoding": "UTF8"}

    def describe(self) -> str:
        """Host and database for messages; never a password."""
        given = self.parameters()
        host = given.get("host") or "the local socket"
        return f"{given.get('dbname') or given.get('user') or 'the default database'} on {host}"

    async def prepare(self, connection: AsyncConnection[Any]) -> None:
        """Tell a new session its limits."""
        # One type for all numbers: else the size of a number would choose among several plans of a statement.
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.prepare_threshold = PREPARE_AFTER_RUNS
        connection.prepared_max = PREPARED_MAX
        # Statements are planned once, when tables may be empty still: a plan that scans them is kept until they are
        # analysed, and costs more with every row. Each statement has an index; `enable_seqscan` makes them use it.
        await connection.set_autocommit(True)
        statement_ms = str(int(self.statement_timeout_s * _MS_PER_S))
        lock_ms = str(int(LOCK_TIMEOUT_S * _MS_PER_S))
        async with psycopg.AsyncRawCursor(connection) as cursor:
            await cursor.execute(_SQL["prepare_session"], (statement_ms, lock_ms, statement_ms))

    async def connect(self) -> AsyncConnection[Any]:
        """A new session. Raises psycopg.Error."""
        connection = await AsyncConnection.connect(**self.parameters(), autocommit=True)
        try:
            await self.prepare(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def connect_or_refuse(self) -> AsyncConnection[Any]:
        """A first session of a start, on a database that can be used. Raises StartRefused."""
        try:
            connection = await self.connect()
        except psycopg.Error as error:
            text = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            raise StartRefused(
                "ERR_DATABASE",
                f"The database {self.describe()} cannot be used: {text}. Check CHATHOOKS_DATABASE_URL, "
                "and that PostgreSQL runs and lets this user in.",
            ) from None
        try:
            async with psycopg.AsyncRawCursor(connection) as cursor:
                await cursor.execute(_SQL["facts"])
                row = await cursor.fetchone()
            assert row is not None  # noqa: S101 -- the statement has one row
            _refuse_unfit(self.describe(), row[0], row[1])
            if row[2] != "on":
                log.warning("the database does not sync to its disk", fsync=row[2])
        except BaseException:
            await connection.close()
            raise
        return connection


def _is_this_machine(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_unfit(where: str, version: int, encoding: str) -> None:
    if version < SERVER_VERSION_MIN:
        raise StartRefused(
            "ERR_DATABASE",
            f"The database {where} is PostgreSQL {version // 10_000}; Chathooks needs "
            f"{SERVER_VERSION_MIN // 10_000} or newer.",
        )
    if encoding != "UTF8":
        raise StartRefused(
            "ERR_DATABASE",
            f"The database {where} has the encoding {encoding}; make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
