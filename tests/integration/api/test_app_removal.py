"""The rows of a deleted app go in batches, all of them, and nobody else's (rest-api.md B3)."""

import ipaddress
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.app.build import STORE_FILE, build
from chathooks.app.runtime import Runtime
from chathooks.app.settings import Settings
from chathooks.apps.records import Credentials
from chathooks.delivery import app_deletion, replay
from chathooks.delivery.app_deletion import REMOVAL_DELAY_S, AppDeletion
from chathooks.delivery.records import State
from chathooks.delivery.webhooks import NewWebhook
from chathooks.kernel.clock import MS_PER_S, SystemClock
from support.populate import add_webhook, fill_chat, send
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client
from support.waiting import until

pytestmark = pytest.mark.anyio

KEPT = {
    # The server's own.
    *("meta", "fanout", "management_keys", "sqlite_sequence", "sqlite_stat1"),
    # The app's row stays without its id and name; its removal is marked as done.
    *("apps", "app_removals"),
}
PASSING = {"sweeps", "messages_gone", "departures"}
"""Empty unless work is under way."""
OF_THE_CLUSTER = {"seats", "shares"}
"""What no app has a part in."""

Tables = dict[str, list[tuple[Any, ...]]]


class Later(SystemClock):
    """The time at which the removal of what is deleted now may begin."""

    def wall_ms(self) -> int:
        return super().wall_ms() + (REMOVAL_DELAY_S + 1) * MS_PER_S


def tables(path: Path) -> Tables:
    """All rows of all tables, in an order that insertions do not change."""
    connection = sqlite3.connect(path)
    try:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for (name,) in names
            if name not in KEPT
        }
    finally:
        connection.close()


class World:
    """A running server of which apps are deleted."""

    def __init__(self, runtime: Runtime, credentials: Credentials) -> None:
        self.runtime = runtime
        self.client = Client(runtime.port, credentials)
        self.path = runtime.settings.data_dir / STORE_FILE
        self.later = AppDeletion(runtime.store, runtime.app_deletion._webhooks, Later())

    async def manage(self, method: str, path: str, body: Any = None) -> Any:
        own = self.client.credentials
        sent = {"key": own.management_key, "secret": own.management_secret}
        return (await self.client.request(method, path, body, headers=sent)).data

    async def make_app(self, app_id: str) -> Any:
        body = {"name": app_id, "region": "us", "id": app_id}
        made = await self.manage("POST", "/apps", body)
        key = next(k for k, entry in made["apiKeys"].items() if entry["scope"] == "fullAccess")
        return partial(self.client.call, key=key)

    async def removed(self) -> bool:
        """Take steps until none is left that can be taken; whether all removals are done."""
        await self.later.round()
        await self.runtime.upkeep.round()

        async def query(tx: SqliteTransaction) -> bool:
            return not tx._all("SELECT 1 FROM app_removals WHERE done = 0")

        return await self.runtime.store.read(query)


@asynccontextmanager
async def world(tmp_path: Path, former: Credentials | None = None) -> AsyncIterator[World]:
    runtime = await build(
        Settings(
            data_dir=tmp_path,
            port=0,
            app_id="app1",
            allow_http_targets=True,
            allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
        )
    )
    await runtime.start()
    credentials = runtime.credentials or former
    assert credentials is not None
    try:
        yield World(runtime, credentials)
    finally:
        await runtime.stop()


async def fill(call: Any, endpoint: ScriptedEndpoint) -> None:
    """Chat, and webhooks with deliveries in every kind of state."""
    await fill_chat(call)
    await add_webhook(call, "good", endpoint.url("/good"), ordered=True)
    await add_webhook(call, "bad", endpoint.url("/bad"), retryOnFailure=True)
    for number in range(3):
        await send(call, f"number {number}")

    async def tried() -> bool:
        good = (await call("GET", "/webhooks/good/deliveries?state=delivered")).data
        bad = (await call("GET", "/webhooks/bad/deliveries?state=retrying")).data
        return len(good) == len(bad) == 3

    await until(tried)


def by_path(request: Any) -> int:
    return 200 if request.path == "/good" else 500


async def replay_later(call: Any) -> None:
    """A replay that goes on after its call, to its end."""
    answer = (await call("POST", "/webhooks/good/replay", {"states": ["delivered"]})).data
    path = f"/replays/{answer['replay']['id']}"

    async def over() -> bool:
        sent = (await call("GET", "/webhooks/good/deliveries?state=delivered")).data
        return (await call("GET", path)).data["state"] == "done" and len(sent) == 3

    await until(over)


async def test_all_that_a_deleted_app_had_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "TRANSACTIONS_PER_CALL_MAX", 0)
    async with world(tmp_path) as server, ScriptedEndpoint(answer=by_path) as endpoint:
        await fill_chat(server.client.call)
        before = tables(server.path)
        call = await server.make_app("leaving")
        await fill(call, endpoint)
        await replay_later(call)
        await server.manage(
            "POST",
            "/apps/leaving/settings",
            {"settings": {"core.notifications.push.enabled": True}},
        )
        full = tables(server.path)
        grown = {name for name, rows in full.items() if len(rows) > len(before[name])}
        assert set(before) - grown == PASSING | OF_THE_CLUSTER
        await server.manage("DELETE", "/apps/leaving")
        await until(server.removed)
        assert tables(server.path) == before
        again = await server.make_app("leaving")
        assert (await again("GET", "/users")).data == []


async def test_what_waits_for_the_webhooks_of_a_deleted_app_is_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path) as server, ScriptedEndpoint(answer=by_path) as endpoint:
        await fill(await server.make_app("leaving"), endpoint)
        sent = len(endpoint.requests)
        await server.manage("DELETE", "/apps/leaving")

        async def cancelled() -> bool:
            async def query(tx: SqliteTransaction) -> list[tuple[int, int]]:
                return tx._all("SELECT state, COUNT(*) FROM deliveries GROUP BY state")

            found = dict(await server.runtime.store.read(query))
            return found == {State.DELIVERED: 3, State.CANCELLED: 3}

        await until(cancelled)
        assert len(endpoint.requests) == sent


async def test_rows_stay_until_calls_that_were_let_in_are_over(tmp_path: Path) -> None:
    async with world(tmp_path) as server:
        call = await server.make_app("leaving")
        await fill_chat(call)
        await server.manage("DELETE", "/apps/leaving")
        users = len(tables(server.path)["users"])
        assert await server.runtime.app_deletion.step() is False
        assert len(tables(server.path)["users"]) == users


async def test_each_step_removes_a_bounded_number_of_rows_and_a_restart_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_deletion, "ROWS_PER_STEP", 2)
    async with world(tmp_path) as server, ScriptedEndpoint(answer=by_path) as endpoint:
        await server.runtime.shared_schedules.stop()  # what else removes rows would be counted too
        before = tables(server.path)
        await fill(await server.make_app("leaving"), endpoint)
        await server.manage("DELETE", "/apps/leaving")

        async def cancelled() -> bool:
            return not tables(server.path)["sweeps"]

        await until(cancelled)
        count = sum(len(rows) for rows in tables(server.path).values())
        for _ in range(40):
            await server.later.step()
            left = sum(len(rows) for rows in tables(server.path).values())
            assert count - left <= 4, "a batch of users, and one of what hangs on them"
            count = left
    assert count > 10
    async with world(tmp_path, server.client.credentials) as server:
        await until(server.removed)
        assert tables(server.path) == before


async def test_a_webhook_that_a_late_call_made_goes_too(tmp_path: Path) -> None:
    async with world(tmp_path) as server, ScriptedEndpoint() as endpoint:
        await server.make_app("leaving")
        app = await server.runtime.store.read(lambda tx: tx.find_app("leaving"))
        assert app is not None
        await server.manage("DELETE", "/apps/leaving")
        webhooks = server.runtime.app_deletion._webhooks
        late = NewWebhook(id="late", name="late", url=endpoint.url())
        await webhooks.create(app.key, late)
        await until(server.removed)
        assert tables(server.path)["webhooks"] == []
        assert tables(server.path)["lanes"] == []
