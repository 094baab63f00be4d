"""A process that serves no API still tells whether it is well (delivery contract §6, CHATHOOKS_ROLE)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.api.build import build_probes
from chathooks.api.server import ApiServer, Listen
from chathooks.apps.access import Access
from chathooks.apps.records import Credentials
from support.server import Client

pytestmark = pytest.mark.anyio

NOBODY = Credentials("app1", "us", "a" * 40, "b" * 40, "c" * 40, "d" * 40)


@pytest.fixture
async def probed(tmp_path: Path) -> AsyncIterator[tuple[Client, SqliteStore]]:
    store = await SqliteStore.open(tmp_path / "chathooks.sqlite3")

    async def ready() -> None:
        await store.read(lambda tx: tx.has_apps())

    app = build_probes(access=Access(store), ready=ready)
    server = await ApiServer.start(app, Listen(port=0))
    try:
        yield Client(server.port, NOBODY), store
    finally:
        await server.stop()
        await store.close()


async def test_health_readiness_and_metrics_are_served(probed: tuple[Client, SqliteStore]) -> None:
    client, store = probed
    assert (await client.request("GET", "/healthz")).data == {"status": "alive"}
    assert (await client.request("GET", "/readyz")).data == {"status": "ready"}
    assert b"chathooks_outbox_waiting" in (await client.request("GET", "/metrics")).body

    async def lose(tx: object) -> None:
        tx._run("ALTER TABLE apps RENAME TO lost")  # a fault, from behind

    await store.write(lose)
    answer = await client.request("GET", "/readyz")
    assert (answer.status, answer.code) == (503, "ERR_STORE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


async def test_metrics_from_elsewhere_need_the_management_secret(
    probed: tuple[Client, SqliteStore],
) -> None:
    answer = await probed[0].request("GET", "/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_AUTH_HEADER")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/v3/webhooks", "/apps/app1/webhooks", "/docs", "/", "/v3/x/y"])
async def test_any_other_address_says_that_this_node_serves_no_api(
    probed: tuple[Client, SqliteStore], method: str, path: str
) -> None:
    answer = await probed[0].request(method, path, headers={"apikey": "a" * 40})
    assert (answer.status, answer.code) == (404, "ERR_API_NOT_FOUND")
    assert "serves no API" in answer.json["error"]["message"]
    assert "role is api or all" in answer.json["error"]["message"]
