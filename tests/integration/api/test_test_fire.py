"""POST /v3/webhooks/{id}/test on the whole server (delivery contract §6, §7 "Test fire")."""

import asyncio
import base64
import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks.app.build import build
from chathooks.app.settings import Settings
from chathooks.delivery import testfire
from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample_body
from chathooks_events.signing import verify
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, running

pytestmark = pytest.mark.anyio

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
WAIT_S = 10.0


@asynccontextmanager
async def server(tmp_path: Path, **settings: Any) -> AsyncIterator[Client]:
    given = {"allow_http_targets": True, "allow_target_networks": LOOPBACK, **settings}
    async with running(tmp_path, **given) as client:
        yield client


async def make(client: Client, url: str, webhook_id: str = "w1", **fields: Any) -> str:
    """Make a webhook; answers its signing secret."""
    body = {"id": webhook_id, "name": "n", "webhookURL": url, **fields}
    return str((await client.call("POST", "/webhooks", body)).data["secret"])


async def fire(client: Client, trigger: str = "message_sent", webhook_id: str = "w1") -> Any:
    return await client.call("POST", f"/webhooks/{webhook_id}/test", {"trigger": trigger})


async def test_the_sample_arrives_signed_like_a_delivery_and_the_attempt_is_answered(
    tmp_path: Path,
) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path) as client:
        secret = await make(
            client, endpoint.url(), useBasicAuth=True, username="me", password="pass"
        )
        shown = (await fire(client)).data
        (request,) = endpoint.requests
        body = json.loads(request.body)
        expected = json.loads(sample_body("message_sent"))
        assert (body["trigger"], body["data"]) == ("message_sent", expected["data"])
        assert (body["appId"], body["webhook"]) == ("app1", "w1")
        headers = request.headers
        verify(
            [secret],
            message_id=headers["webhook-id"],
            timestamp=headers["webhook-timestamp"],
            signature_header=headers["webhook-signature"],
            body=request.body,
            now_s=float(headers["webhook-timestamp"]),
        )
        assert headers["authorization"] == f"Basic {base64.b64encode(b'me:pass').decode()}"
        assert headers["chathooks-test"] == "1"
        assert headers["chathooks-attempt"] == "1"
        assert {"chathooks-number", "chathooks-sequence", "chathooks-replay"}.isdisjoint(headers)
        assert headers["user-agent"].startswith("Chathooks/")
        assert body["eventId"] == headers["webhook-id"] == shown["eventId"]
        assert headers["chathooks-delivery"] == shown["id"]
        (attempt,) = shown.pop("attempts")
        assert {"number", "sequence"}.isdisjoint(shown)
        assert (shown["trigger"], shown["webhook"], shown["state"]) == (
            "message_sent",
            "w1",
            "delivered",
        )
        assert (attempt["number"], attempt["status"], attempt["body"]) == (1, 200, "ok")
        assert attempt["headers"] == {"content-length": "2"}
        assert attempt["remoteIp"] == "127.0.0.1"
        assert attempt["timings"]["total"] > 0
        assert "failure" not in attempt


async def test_a_failed_attempt_is_answered_with_its_reason_and_not_repeated(
    tmp_path: Path,
) -> None:
    async with (
        ScriptedEndpoint(default=503) as endpoint,
        server(tmp_path, retry_schedule=(0.1,)) as client,
    ):
        await make(client, endpoint.url(), retryOnFailure=True)
        shown = (await fire(client)).data
        assert shown["state"] == "failed"
        (attempt,) = shown["attempts"]
        assert (attempt["status"], attempt["failure"]) == (503, "http_status")
        assert "503" in attempt["explanation"]
        second = (await fire(client)).data
        assert second["eventId"] != shown["eventId"]
        assert len(endpoint.requests) == 2


async def test_an_endpoint_that_hangs_is_given_up_after_the_time_out(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path, request_timeout=0.2) as client:
        await make(client, endpoint.url())
        endpoint.hold()
        shown = (await fire(client)).data
        assert shown["attempts"][0]["failure"] == "timeout_response"
        assert "0.2 s" in shown["attempts"][0]["explanation"]


async def test_an_address_that_may_not_be_called_is_refused_in_the_attempt(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint:
        async with server(tmp_path) as client:
            await make(client, endpoint.url())
            credentials = client.credentials
        async with reopened(tmp_path, credentials, allow_target_networks=()) as client:
            shown = (await fire(client)).data
            assert shown["attempts"][0]["failure"] == "address_refused"
            assert endpoint.requests == []


@asynccontextmanager
async def reopened(tmp_path: Path, credentials: Any, **settings: Any) -> AsyncIterator[Client]:
    """The same store served again, with other settings."""
    runtime = await build(
        Settings(data_dir=tmp_path / "data", port=0, allow_http_targets=True, **settings)
    )
    await runtime.start()
    try:
        yield Client(runtime.port, credentials)
    finally:
        await runtime.stop()


async def test_a_test_fire_leaves_no_trace_in_log_feed_numbers_and_health(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path) as client:
        await make(client, endpoint.url(), triggers=["group_created"])

        async def attempts_counted() -> list[str]:
            text = (await client.request("GET", "/metrics")).body.decode()
            names = ("chathooks_attempts_total{", "chathooks_deliveries_", "chathooks_attempt_sec")
            return [line for line in text.splitlines() if line.startswith(names)]

        before = await attempts_counted()
        shown = (await fire(client)).data
        assert await attempts_counted() == before
        assert (await client.call("GET", "/webhooks/w1/deliveries")).data == []
        assert (await client.call("GET", "/events")).data == []
        assert (await client.call("GET", f"/deliveries/{shown['id']}")).status == 404
        # The first real delivery has the first number.
        group = {"guid": "g1", "name": "G", "type": "public"}
        assert (await client.call("POST", "/groups", group)).status == 200
        requests = await endpoint.arrived(2)
        assert requests[1].headers["chathooks-number"] == "1"
        assert "chathooks-test" not in requests[1].headers


async def test_a_disabled_webhook_may_be_tested_at_both_mounts(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path) as client:
        await make(client, endpoint.url(), enabled=False)
        assert (await fire(client)).data["state"] == "delivered"
        managed = await client.manage("POST", "/webhooks/w1/test", {"trigger": "call_initiated"})
        assert managed.data["state"] == "delivered"
        assert endpoint.requests[1].event.trigger == "call_initiated"


async def test_the_sample_of_every_trigger_can_be_fired(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path) as client:
        await make(client, endpoint.url())
        for name in TRIGGERS:
            assert (await fire(client, name)).data["state"] == "delivered"
        assert [request.event.trigger for request in endpoint.requests] == list(TRIGGERS)


async def test_only_a_few_test_fires_of_a_webhook_are_under_way_at_once(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path, request_timeout=WAIT_S) as client:
        await make(client, endpoint.url())
        await make(client, endpoint.url(), "w2")
        endpoint.hold()
        running = [
            asyncio.create_task(fire(client)) for _ in range(testfire.IN_FLIGHT_PER_WEBHOOK_MAX)
        ]
        await endpoint.arrived(len(running), WAIT_S)
        refused = await fire(client)
        assert (refused.status, refused.code) == (429, "ERR_TOO_MANY_REQUESTS")
        assert int(refused.headers["retry-after"]) >= 1
        other = asyncio.create_task(fire(client, webhook_id="w2"))
        await endpoint.arrived(len(running) + 1, WAIT_S)
        endpoint.release()
        for task in (*running, other):
            assert (await task).data["state"] == "delivered"
        assert (await fire(client)).data["state"] == "delivered"


async def test_all_webhooks_together_have_a_bound_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testfire, "IN_FLIGHT_MAX", 1)
    async with ScriptedEndpoint() as endpoint, server(tmp_path, request_timeout=WAIT_S) as client:
        await make(client, endpoint.url())
        await make(client, endpoint.url(), "w2")
        endpoint.hold()
        running = asyncio.create_task(fire(client))
        await endpoint.arrived(1, WAIT_S)
        assert (await fire(client, webhook_id="w2")).status == 429
        endpoint.release()
        assert (await running).status == 200


async def test_what_cannot_be_fired_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, server(tmp_path) as client:
        await make(client, endpoint.url())
        assert (await fire(client, "nope")).code == "ERR_TRIGGER_NOT_FOUND"
        assert (await fire(client, webhook_id="none")).code == "ERR_WEBHOOK_NOT_FOUND"
        for body in ({}, {"trigger": ""}, {"trigger": 1}, {"trigger": "message_sent", "x": 1}):
            refused = await client.call("POST", "/webhooks/w1/test", body)
            assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
        denied = await client.call(
            "POST",
            "/webhooks/w1/test",
            {"trigger": "message_sent"},
            key=client.credentials.auth_key,
        )
        assert denied.status == 403
        assert (await client.call("DELETE", "/webhooks/w1")).status == 200
        assert (await fire(client)).code == "ERR_WEBHOOK_NOT_FOUND"
        assert endpoint.requests == []
