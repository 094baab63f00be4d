"""Real servers for tests, each a private one: a free port, a folder of its own, ended by its process id.

What is not installed skips the test, and fails it in CI.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05
PORTS = (18_000, 32_000)
"""Below Linux's ephemeral ports, which begin at 32,768."""
TRIES_MAX = 200

_randomness = random.SystemRandom()

IN_CI = os.environ.get("CI") == "true"


def program(name: str, *folders: str) -> str:
    """The path of an installed program; without it the test is skipped, or fails in CI."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *folders))
    found = shutil.which(name, path=path)
    if found is None:
        if IN_CI:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port that nobody listens on, outside of those that the system hands out itself.

    A server that is killed and started again needs it a second time, when an outgoing connection may have been given it.
    """
    for _ in range(TRIES_MAX):
        port = _randomness.randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no port is free in {PORTS}")


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Poll for what another process does, with a bound."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} in {timeout_s} s"
        time.sleep(POLL_S)


class Service:
    """A server that a test can kill and start again on the same port and data."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        ready: Callable[[], bool] | None = None,
        companion: "Service | None" = None,
        log: str = "output.log",
    ) -> None:
        self._command = list(command)
        self.port = port
        self.folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._ready = ready or (lambda: accepts(port))
        self._process: subprocess.Popen[bytes] | None = None
        self._companion = companion
        self._log = folder / log

    def start(self) -> None:
        if self._companion is not None and self._companion._process is None:
            self._companion.start()
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self._user,
                group=self._user,
            )
        wait_until(self._is_ready, f"{self._command[0]} is ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            text = self._log.read_text("utf-8", "replace")
            raise AssertionError(f"{self._command[0]} ended: {text[-2000:]}")
        return self._ready()

    def kill(self) -> None:
        """kill -9, the whole session of it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)
        if self._companion is not None:
            self._companion.stop()

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for sent in (number, signal.SIGKILL):
            try:
                os.killpg(process.pid, sent)
            except ProcessLookupError:
                break
            try:
                process.wait(STOP_TIMEOUT_S)
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait(STOP_TIMEOUT_S)
        # What was waited for may be a script whose server, in the same session, goes a moment later.
        wait_until(lambda: not accepts(self.port), "the port is free", STOP_TIMEOUT_S)


@contextmanager
def running(service: Service) -> Iterator[Service]:
    service.start()
    try:
        yield service
    finally:
        service.stop()


def redis_service(folder: Path) -> Service:
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    command += [
        "--dir",
        str(folder),
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--save",
        "",
    ]
    return Service(command, port, folder)


def nats_service(folder: Path) -> Service:
    port = free_port()
    command = [
        program("nats-server"),
        "-a",
        "127.0.0.1",
        "-p",
        str(port),
        "-js",
        "-sd",
        str(folder),
    ]
    return Service(command, port, folder)


def rabbitmq_service(folder: Path) -> Service:
    port, epmd, distribution = free_port(), free_port(), free_port()
    config = folder / "rabbitmq.conf"
    config.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        "disk_free_limit.absolute = 10MB\n"
        "vm_memory_high_watermark.absolute = 512MB\n"
        "log.console = true\nlog.file = false\n",
        "utf-8",
    )
    (folder / "enabled_plugins").write_text("[].\n", "utf-8")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_USE_LONGNAME": "false",
    }
    # Debian's wrapper changes user and folders; the script behind it runs as whoever started it.
    direct = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    command = str(direct) if direct.exists() else program("rabbitmq-server")
    # Erlang would start its port mapper as a daemon that outlives the test; so it gets one that ends with it.
    names = Service([program("epmd"), "-port", str(epmd), "-address", "127.0.0.1"], epmd, folder)
    return Service(
        [command], port, folder, environment=environment, companion=names, log="rabbit.log"
    )


def postgres_service(folder: Path) -> Service:
    port = free_port()
    versions = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin"))
    initdb, postgres = program("initdb", *versions), program("postgres", *versions)
    user = None
    if os.geteuid() == 0:
        # The server refuses to run as root; Debian's package brings this user along.
        user = next((u for u in ("postgres", "nobody") if _exists(u)), None)
    data = folder / "data"
    data.mkdir()
    if user is not None:
        _hand_over(folder, user)
    subprocess.run(
        [initdb, "-D", str(data), "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        group=user,
        cwd=folder,
    )
    command = [postgres, "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    return Service(command, port, folder, user=user, ready=lambda: _answers(port))


def _answers(port: int) -> bool:
    """Whether the server takes a session, not merely a connection: it says no while it recovers."""
    with socket.socket() as probe:
        probe.settimeout(2.0)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        body = b"\x00\x03\x00\x00user\x00tests\x00database\x00postgres\x00\x00"
        probe.sendall((len(body) + 4).to_bytes(4, "big") + body)
        return probe.recv(1) == b"R"


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _hand_over(folder: Path, user: str) -> None:
    """Let `user` own the folder and walk down to it."""
    entry = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)


KAFKA_HOLDER = """
import sys
from confluent_kafka import Producer
holder = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
metadata = holder.list_topics(timeout=20)
(broker,) = metadata.brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
sys.stdin.read()
"""
"""librdkafka's own broker for tests: the real protocol on a real socket, its data in memory."""
