"""Who may call, and for which app (delivery contract §6, §7; rest-api.md A2, A3)."""

from pathlib import Path

import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.apps.bootstrap import APP_NAME
from chathooks.apps.records import Scope
from chathooks.kernel.crypto import digest
from chathooks.kernel.transactions import Topic
from support.server import Server, serving

pytestmark = pytest.mark.anyio

OTHER_KEY = "e" * 40


@pytest.fixture(scope="module")
async def two_apps(server: Server) -> Server:
    async def command(tx: SqliteTransaction) -> None:
        app = await tx.insert_app("app2", APP_NAME, "eu", 0)
        await tx.insert_api_key(digest(OTHER_KEY), app.key, "", "", Scope.FULL_ACCESS, 0)
        tx.notify(Topic.KEYS, app.key)

    await server.store.write(command)
    return server


async def test_a_call_without_an_api_key_is_refused(server: Server) -> None:
    answer = await server.request("GET", "/v3/webhooks")
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_APIKEY")


async def test_an_unknown_api_key_is_refused(server: Server) -> None:
    answer = await server.call("GET", "/webhooks", key="f" * 40)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")


async def test_the_name_of_the_key_header_may_have_any_case(server: Server) -> None:
    headers = {"apiKey": server.credentials.api_key}
    assert (await server.request("GET", "/v3/webhooks", headers=headers)).status == 200


async def test_an_auth_only_key_may_not_manage_webhooks(server: Server) -> None:
    answer = await server.call("GET", "/webhooks", key=server.credentials.auth_key)
    assert (answer.status, answer.code) == (403, "AUTH_ERR_NO_ACCESS")


async def test_the_app_id_header_may_name_the_key_s_own_app(server: Server) -> None:
    assert (await server.call("GET", "/webhooks", headers={"appId": "app1"})).status == 200
    assert (await server.call("GET", "/webhooks", headers={"appid": "APP1"})).status == 200


async def test_an_unknown_app_id_is_refused(server: Server) -> None:
    answer = await server.call("GET", "/webhooks", headers={"appId": "nobody"})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_INVALID_APPID")


async def test_an_empty_app_id_is_refused(server: Server) -> None:
    answer = await server.call("GET", "/webhooks", headers={"appId": ""})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_APPID")


async def test_a_key_is_not_valid_for_another_app_named_in_the_header(two_apps: Server) -> None:
    answer = await two_apps.call("GET", "/webhooks", headers={"appId": "app2"})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")


async def test_a_key_is_not_valid_for_another_app_named_in_the_host(two_apps: Server) -> None:
    headers = {"Host": "app2.api-us.example.com"}
    answer = await two_apps.call("GET", "/webhooks", headers=headers)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")


async def test_the_header_wins_over_the_host(two_apps: Server) -> None:
    headers = {"Host": "app2.example.com", "appId": "app1"}
    assert (await two_apps.call("GET", "/webhooks", headers=headers)).status == 200


async def test_a_host_that_is_no_app_leaves_the_key_to_name_it(two_apps: Server) -> None:
    headers = {"Host": "chat.example.com:8080"}
    assert (await two_apps.call("GET", "/webhooks", headers=headers)).status == 200


async def test_apps_do_not_see_each_other_s_webhooks(two_apps: Server) -> None:
    body = {"id": "mine", "name": "n", "webhookURL": "https://example.com/"}
    assert (await two_apps.call("POST", "/webhooks", body)).status == 200
    answer = await two_apps.call("GET", "/webhooks/mine", key=OTHER_KEY)
    assert (answer.status, answer.code) == (404, "ERR_WEBHOOK_NOT_FOUND")
    assert (await two_apps.call("GET", "/webhooks", key=OTHER_KEY)).data == []


async def test_a_key_that_was_made_while_the_server_runs_works_at_once(server: Server) -> None:
    late = "9" * 40
    assert (await server.call("GET", "/webhooks", key=late)).status == 401

    async def command(tx: SqliteTransaction) -> None:
        await tx.insert_api_key(digest(late), 1, "", "", Scope.FULL_ACCESS, 0)
        tx.notify(Topic.KEYS, 1)

    await server.store.write(command)
    assert (await server.call("GET", "/webhooks", key=late)).status == 200


async def test_a_key_that_was_deleted_stops_working_at_once(server: Server) -> None:
    gone = "8" * 40

    async def make(tx: SqliteTransaction) -> None:
        await tx.insert_api_key(digest(gone), 1, "", "", Scope.FULL_ACCESS, 0)
        tx.notify(Topic.KEYS, 1)

    async def delete(tx: SqliteTransaction) -> None:
        tx._run("DELETE FROM api_keys WHERE digest = ?", (digest(gone),))
        tx.notify(Topic.KEYS, 1)

    await server.store.write(make)
    assert (await server.call("GET", "/webhooks", key=gone)).status == 200
    await server.store.write(delete)
    assert (await server.call("GET", "/webhooks", key=gone)).status == 401


async def test_management_needs_both_headers(server: Server) -> None:
    for missing in ("key", "secret"):
        answer = await server.manage("GET", "/webhooks", headers={missing: ""})
        assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_AUTH_HEADER")
        assert answer.details == {missing: "is required"}


@pytest.mark.parametrize("wrong", ["key", "secret"])
async def test_wrong_management_credentials_are_refused(server: Server, wrong: str) -> None:
    answer = await server.manage("GET", "/webhooks", headers={wrong: "x" * 40})
    assert (answer.status, answer.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")


async def test_an_api_key_is_no_management_credential(server: Server) -> None:
    headers = {"apikey": server.credentials.api_key}
    answer = await server.request("GET", "/apps/app1/webhooks", headers=headers)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_AUTH_HEADER")


async def test_management_credentials_are_no_api_key(server: Server) -> None:
    headers = {
        "key": server.credentials.management_key,
        "secret": server.credentials.management_secret,
    }
    answer = await server.request("GET", "/v3/webhooks", headers=headers)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_EMPTY_APIKEY")


async def test_management_of_an_unknown_app_is_refused(server: Server) -> None:
    headers = {
        "key": server.credentials.management_key,
        "secret": server.credentials.management_secret,
    }
    answer = await server.request("GET", "/apps/nobody/webhooks", headers=headers)
    assert (answer.status, answer.code) == (401, "AUTH_ERR_INVALID_APPID")


async def test_no_key_reaches_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with serving(tmp_path) as server:
        await server.call("GET", "/webhooks")
        await server.manage("GET", "/webhooks")
        await server.call("GET", f"/webhooks/{server.credentials.api_key}")
        credentials = server.credentials
    written = "".join(capfd.readouterr())
    assert "/v3/webhooks/{webhookId}" in written
    for secret in (
        credentials.api_key,
        credentials.management_key,
        credentials.management_secret,
    ):
        assert secret not in written
