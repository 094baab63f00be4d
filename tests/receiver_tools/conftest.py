"""Certificates for endpoints of these tests, and the command line in this process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from support.certificates import Authority
from support.receiver_command import ReceiverShell


@dataclass(frozen=True)
class Tls:
    """A certificate for loopback, and the authority that vouches for it."""

    pem: Path
    ca_file: Path
    authority: Authority


@pytest.fixture(scope="module", autouse=True)
def _logs_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The server's log would mix with what commands print, as both are in this process."""
    with (tmp_path_factory.mktemp("logs") / "server.log").open("w") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        yield
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority = Authority(tmp_path_factory.mktemp("tls"), lifetime_days=30)
    return Tls(authority.pem("127.0.0.1", "localhost"), authority.ca_file, authority)


@pytest.fixture
def shell(tmp_path: Path) -> ReceiverShell:
    return ReceiverShell(tmp_path, {})
