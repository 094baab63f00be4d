"""Certificates for endpoints of these tests, and the command line in this process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import Authority
from support.receiver_command import ReceiverShell


@dataclass(frozen=True)
class Tls:
    """A certificate for loopback, and the authority that vouches for it."""

    pem: Path
    ca_file: Path
    authority: Authority


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    authority = Authority(tmp_path_factory.mktemp("tls"), lifetime_days=30)
    yield Tls(authority.pem("127.0.0.1", "localhost"), authority.ca_file, authority)


@pytest.fixture
def shell(tmp_path: Path) -> ReceiverShell:
    return ReceiverShell(tmp_path, {})
