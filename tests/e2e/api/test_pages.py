"""Health, metrics, documentation and the catalog (delivery contract §6, §7)."""

import asyncio
import re
import ssl
from pathlib import Path

import jsonschema
import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.api.server import Listen
from chathooks.kernel.errors import StartRefused
from chathooks_events.catalog import TRIGGERS
from support.certificates import Authority
from support.server import Server, serving

pytestmark = pytest.mark.anyio


async def test_health_and_readiness_need_no_key(server: Server) -> None:
    assert (await server.request("GET", "/healthz")).data == {"status": "alive"}
    assert (await server.request("GET", "/readyz")).data == {"status": "ready"}


async def test_a_server_whose_store_does_not_answer_lives_but_is_not_ready(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:

        async def lose(tx: SqliteTransaction) -> None:
            tx._run("ALTER TABLE apps RENAME TO lost")

        await server.store.write(lose)
        assert (await server.request("GET", "/healthz")).status == 200
        answer = await server.request("GET", "/readyz")
        assert (answer.status, answer.code) == (503, "ERR_STORE_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        answer = await server.call("GET", "/webhooks")
        assert (answer.status, answer.code) == (503, "ERR_STORE_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"


async def test_metrics_are_shown_on_loopback_and_count_requests(server: Server) -> None:
    async def refused_calls() -> float:
        text = (await server.request("GET", "/metrics")).body.decode()
        match = re.search(
            r'chathooks_http_requests_total\{method="GET",status="401"\} ([\d.e+]+)', text
        )
        return float(match[1]) if match else 0.0

    before = await refused_calls()
    await server.request("GET", "/v3/webhooks")
    assert await refused_calls() == before + 1


async def test_metrics_behind_a_proxy_need_the_management_secret(server: Server) -> None:
    proxied = {"X-Forwarded-For": "192.0.2.1"}
    answer = await server.request("GET", "/metrics", headers=proxied)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_AUTH_HEADER")
    answer = await server.request("GET", "/metrics", headers={**proxied, "secret": "x"})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")
    secret = server.credentials.management_secret
    for header in ({"secret": secret}, {"Authorization": f"Bearer {secret}"}):
        answer = await server.request("GET", "/metrics", headers={**proxied, **header})
        assert answer.status == 200
        assert b"chathooks_http_requests_total" in answer.body


async def test_a_trusted_proxy_names_the_client(tmp_path: Path) -> None:
    listen = Listen(port=0, trusted_proxies=["127.0.0.0/8"])
    async with serving(tmp_path, listen=listen) as server:
        answer = await server.request(
            "GET", "/metrics", headers={"X-Forwarded-For": "192.0.2.1, 127.0.0.1"}
        )
        assert answer.status == 401


async def test_a_made_up_method_is_no_metric_of_its_own(server: Server) -> None:
    await server.request("PROPFIND", "/v3/anything")
    assert b"PROPFIND" not in (await server.request("GET", "/metrics")).body


async def test_the_documentation_is_one_page_that_loads_nothing(server: Server) -> None:
    answer = await server.request("GET", "/docs")
    page = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#|/docs/openapi\.json")', page)
    for text in ("/v3/webhooks/{webhookId}", "/apps/{appId}/webhooks", "message_sent"):
        assert text in page


@pytest.mark.parametrize("path", ["/docs/", "/doc", "/metrics/", "/", "/favicon.ico"])
async def test_an_unknown_page_is_an_unknown_call(server: Server, path: str) -> None:
    answer = await server.request("GET", path)
    assert (answer.status, answer.code) == (404, "ERR_API_NOT_FOUND")


async def test_a_page_takes_get_alone(server: Server) -> None:
    answer = await server.request("POST", "/healthz", {})
    assert (answer.status, answer.code) == (404, "ERR_API_NOT_FOUND")


async def test_the_catalog_lists_every_trigger_with_a_sample_of_its_schema(server: Server) -> None:
    listed = await server.call("GET", "/triggers")
    assert [trigger["name"] for trigger in listed.data] == list(TRIGGERS)
    assert len(listed.data) == 58
    for trigger in listed.data:
        assert set(trigger) == {
            "name",
            "category",
            "description",
            "schema",
            "sample",
            "dedupeKey",
        }
        jsonschema.Draft202012Validator(trigger["schema"]).validate(trigger["sample"])
    one = await server.call("GET", "/triggers/message_sent")
    assert one.data == listed.data[0]


async def test_the_catalog_pages(server: Server) -> None:
    answer = await server.call("GET", "/triggers?perPage=50&page=2")
    assert len(answer.data) == 8
    assert answer.json["meta"]["pagination"]["total_pages"] == 2


async def test_an_unknown_trigger_is_not_found(server: Server) -> None:
    answer = await server.call("GET", "/triggers/message_sung")
    assert (answer.status, answer.code) == (404, "ERR_TRIGGER_NOT_FOUND")


async def test_the_server_speaks_tls_when_given_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.context("127.0.0.1")
    (pair,) = set(tmp_path.glob("*.pem")) - {authority.ca_file}
    listen = Listen(port=0, tls_cert_file=pair, tls_key_file=pair)
    async with serving(tmp_path, listen=listen) as server:
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_certificate_that_cannot_be_read_refuses_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    listen = Listen(port=0, tls_cert_file=broken, tls_key_file=broken)
    with pytest.raises(StartRefused) as refused:
        async with serving(tmp_path, listen=listen):
            pass
    assert refused.value.code == "ERR_TLS"


async def test_an_address_that_is_taken_refuses_the_start(server: Server, tmp_path: Path) -> None:
    with pytest.raises(StartRefused) as refused:
        async with serving(tmp_path, listen=Listen(port=server.port)):
            pass
    assert refused.value.code == "ERR_ADDRESS"
    assert str(server.port) in refused.value.message
