"""One server for the tests of a module; those that need other settings start their own."""

from collections.abc import AsyncIterator

import pytest

from support import stores
from support.server import Server, serving


@pytest.fixture(scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("server"), webhooks_per_app=1000) as running:
        yield running
