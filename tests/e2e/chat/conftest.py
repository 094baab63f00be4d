"""One server with the chat calls for the tests of a module."""

from collections.abc import AsyncIterator

import pytest

from support import stores
from support.chat import chat_routes
from support.server import Server, serving


@pytest.fixture(scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("server"), routes=chat_routes) as running:
        for uid in ("alice", "bob", "carol"):
            body = {"uid": uid, "name": uid.title()}
            assert (await running.call("POST", "/users", body)).status == 200
        yield running
