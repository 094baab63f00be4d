"""The whole server with CHATHOOKS_ALERT_URLS: from a failing endpoint to the message (delivery contract §3.3)."""

import ipaddress
import json
from pathlib import Path

import pytest

from chathooks.app.build import build
from chathooks.app.settings import load_settings
from chathooks.kernel.errors import StartRefused
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client

pytestmark = pytest.mark.anyio

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


async def test_a_failing_endpoint_is_told_to_every_alert_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with ScriptedEndpoint(default=500) as endpoint, ScriptedEndpoint() as desk:
        settings = load_settings(
            {},
            {
                "CHATHOOKS_DATA_DIR": str(tmp_path / "data"),
                "CHATHOOKS_PORT": "0",
                "CHATHOOKS_ALLOW_HTTP_TARGETS": "true",
                "CHATHOOKS_ALLOW_TARGET_NETWORKS": str(LOOPBACK),
                "CHATHOOKS_ALERT_FAILURES": "3",
                "CHATHOOKS_ALERT_URLS": f"json://127.0.0.1:{desk.port}/desk",
            },
        )
        runtime = await build(settings)
        assert runtime.credentials is not None
        await runtime.start()
        try:
            client = Client(runtime.port, runtime.credentials)
            hook = {
                "id": "orders",
                "name": "n",
                "webhookURL": endpoint.url(),
                "triggers": ["group_created"],
            }
            assert (await client.call("POST", "/webhooks", hook)).status == 200
            for place in range(3):
                group = {"guid": f"g{place}", "name": "G", "type": "public"}
                assert (await client.call("POST", "/groups", group)).status == 200
            await endpoint.arrived(3)
            await runtime.engine.quiet()
            await runtime.supervision.observe()
            (told,) = await desk.arrived(1)
            message = json.loads(told.body)
            app = runtime.credentials.app_id
            assert message["title"] == f"Chathooks: Webhook orders of app {app} keeps failing"
            assert "its last 3 deliveries failed" in message["message"]
            metrics = (await client.request("GET", "/metrics")).body.decode()
            assert 'chathooks_alerts_raised{condition="failing"} 1.0' in metrics
        finally:
            await runtime.stop()
        assert len(desk.requests) == 1


async def test_an_alert_address_that_cannot_be_used_refuses_the_start(tmp_path: Path) -> None:
    settings = load_settings(
        {}, {"CHATHOOKS_DATA_DIR": str(tmp_path / "d"), "CHATHOOKS_ALERT_URLS": "nosuch://x-s3cret"}
    )
    with pytest.raises(StartRefused) as refused:
        await build(settings)
    assert "CHATHOOKS_ALERT_URLS" in refused.value.details
    assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "d").exists()
