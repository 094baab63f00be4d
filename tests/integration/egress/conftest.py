"""A client, its resolver and the things it talks to."""

from collections.abc import AsyncIterator, Iterator

import pytest

from support.certificates import Authority
from support.endpoints.server import EndpointServer
from support.nameserver import NameServer
from support.sending import Sender, open_sender


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def endpoints() -> Iterator[EndpointServer]:
    with EndpointServer() as server:
        yield server


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
async def sender(authority: Authority, names: NameServer) -> AsyncIterator[Sender]:
    """May reach loopback over http, trusts `authority`, asks `names`."""
    async with open_sender(names.address, ca_file=str(authority.ca_file)) as opened:
        yield opened
