"""What a change of a webhook leaves behind: its row, sealed; its entry in the feed; a word to the engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chathooks.delivery.payload import password_context, secret_context
from chathooks.delivery.queue import WebhookRow
from chathooks.delivery.records import WebhookChange
from chathooks.events.outbox import WEBHOOK_CHANGE
from chathooks.kernel.transactions import Topic
from chathooks_events.catalog import TRIGGERS
from support import stores
from support.server import Server, serving
from support.stores import rows

pytestmark = pytest.mark.anyio

URL = "https://example.com/in"
SENT = TRIGGERS["message_sent"].number
BLOCKED = TRIGGERS["user_blocked"].number


async def changes(server: Server) -> list[WebhookChange]:
    found = await rows(
        server.store,
        "SELECT data FROM feed WHERE trigger_number = ? ORDER BY position",
        WEBHOOK_CHANGE,
    )
    return [msgspec.json.decode(data, type=WebhookChange) for (data,) in found]


async def config(server: Server, lane: int = 1) -> WebhookRow | None:
    async def query(tx: Any) -> WebhookRow | None:
        return await tx.webhook_config(lane)

    return await server.store.read(query)


async def create(server: Server, **fields: Any) -> dict[str, Any]:
    body = {"id": "w1", "name": "n", "webhookURL": URL, **fields}
    answer = (await server.call("POST", "/webhooks", body)).data
    assert isinstance(answer, dict)
    return answer


def change(triggers: Sequence[int], **fields: Any) -> WebhookChange:
    state: dict[str, Any] = {"enabled": True, "deleted": False, "ordered": False, **fields}
    return WebhookChange(lane=1, webhook_id="w1", triggers=tuple(triggers), **state)


async def test_every_change_is_an_entry_of_the_feed_with_the_new_state(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await create(server, triggers=["message_sent"])
        await server.call("PUT", "/webhooks/w1", {"enabled": False, "ordered": True})
        await server.call("POST", "/webhooks/w1/triggers", {"triggerIds": ["user_blocked", "no"]})
        await server.call("DELETE", "/webhooks/w1/triggers", {"triggerIds": ["message_sent"]})
        await server.call("POST", "/webhooks/w1/secret/rotate")
        await server.call("DELETE", "/webhooks/w1")
        off = {"enabled": False, "ordered": True}
        assert await changes(server) == [
            change([SENT]),
            change([SENT], **off),
            change([SENT, BLOCKED], **off),
            change([BLOCKED], **off),
            change([BLOCKED], **off),
            change([BLOCKED], deleted=True, **off),
        ]


async def test_a_refused_change_leaves_no_entry(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await create(server)
        before = await changes(server)
        await server.call("POST", "/webhooks", {"id": "w1", "name": "n", "webhookURL": URL})
        await server.call("PUT", "/webhooks/w1", {"useBasicAuth": True})
        await server.call("PUT", "/webhooks/none", {"name": "n"})
        await server.call("DELETE", "/webhooks/none")
        assert await changes(server) == before


async def test_the_engine_is_told_of_every_change_after_its_commit(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        told: list[int] = []
        server.store.subscribe(Topic.WEBHOOK, told.append)
        await create(server)
        await server.call("PUT", "/webhooks/w1", {"name": "m"})
        await server.call("DELETE", "/webhooks/w1")
        await server.call("DELETE", "/webhooks/w1")
        assert told == [1, 1, 1]


async def test_an_attempt_reads_the_webhook_as_it_is_now(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        made = await create(
            server, useBasicAuth=True, username="u", password="p:1", retryOnFailure=True
        )
        row = await config(server)
        assert row is not None
        assert (row.lane, row.app, row.app_id, row.region, row.webhook_id, row.url) == (
            1,
            1,
            "app1",
            "us",
            "w1",
            URL,
        )
        assert (row.use_basic_auth, row.username, row.enabled, row.deleted) == (
            True,
            "u",
            True,
            False,
        )
        assert (row.retry_on_failure, row.ordered, row.max_concurrency) == (True, False, 64)
        assert row.password_sealed is not None
        assert server.box.open(row.password_sealed, password_context(1, "w1")) == "p:1"
        assert server.box.open(row.secret_sealed, secret_context(1, "w1")) == made["secret"]
        assert (row.previous_secret_sealed, row.previous_expires_at) == (None, None)
        assert await config(server, 2) is None


async def test_a_rotation_keeps_the_previous_secret_until_it_expires(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        made = await create(server)
        rotated = (await server.call("POST", "/webhooks/w1/secret/rotate")).data
        row = await config(server)
        assert row is not None
        assert row.previous_secret_sealed is not None
        context = secret_context(1, "w1")
        assert server.box.open(row.secret_sealed, context) == rotated["secret"]
        assert server.box.open(row.previous_secret_sealed, context) == made["secret"]
        assert row.previous_expires_at == rotated["previousExpiresAt"]


async def test_the_mask_leaves_the_password_as_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await create(server, username="u", password="first")
        for patch, expected in (
            ({"password": "********"}, "first"),
            ({"name": "m"}, "first"),
            ({"password": "second"}, "second"),
        ):
            await server.call("PUT", "/webhooks/w1", patch)
            row = await config(server)
            assert row is not None
            assert row.password_sealed is not None
            assert server.box.open(row.password_sealed, password_context(1, "w1")) == expected


async def test_no_secret_is_readable_in_the_store(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        made = await create(server, username="u", password="open-sesame")
        credentials = server.credentials
    path = tmp_path / "chathooks.db"
    assert stores.current.holds(path, "https://example.com/in")
    for secret in (
        made["secret"],
        "open-sesame",
        credentials.api_key,
        credentials.management_secret,
    ):
        assert not stores.current.holds(path, secret)


async def test_a_webhook_made_again_goes_on_in_its_lane(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await create(server, triggers=["message_sent"])
        await create(server, id="w2")
        await server.call("DELETE", "/webhooks/w1")
        row = await config(server)
        assert row is not None
        assert row.deleted
        await create(server, enabled=False)
        row = await config(server)
        assert row is not None
        assert (row.lane, row.deleted, row.enabled) == (1, False, False)
        assert (await changes(server))[-1] == change([], enabled=False)
        listed = (await server.call("GET", "/webhooks")).data
        assert [webhook["id"] for webhook in listed] == ["w1", "w2"]


async def test_webhooks_survive_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await create(server, triggers=["message_sent"])
        before = (await server.call("GET", "/webhooks/w1")).data
    async with serving(tmp_path) as server:
        assert (await server.call("GET", "/webhooks/w1")).data == before
