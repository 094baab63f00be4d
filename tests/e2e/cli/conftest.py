"""One whole server, and a shell whose commands call it."""

import ipaddress
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from support import stores
from support.command_line import Shell
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, running


@pytest.fixture(scope="module", autouse=True)
def _logs_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The server's log would mix with what commands print, as both are in this process."""
    with (tmp_path_factory.mktemp("logs") / "server.log").open("w") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        yield
        structlog.reset_defaults()


@pytest.fixture(scope="module")
async def server(
    _logs_apart: None, tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[Client]:
    async with running(
        tmp_path_factory.mktemp("server"),
        allow_http_targets=True,
        allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
    ) as client:
        yield client


@pytest.fixture(scope="module")
async def endpoint(backend: stores.Backend) -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint() as listening:
        yield listening


@pytest.fixture
def shell(server: Client, tmp_path: Path) -> Shell:
    """Knows the server and its key from variables."""
    return Shell(
        tmp_path,
        {"CHATHOOKS_URL": server.url, "CHATHOOKS_API_KEY": server.credentials.api_key},
    )
