"""Several apps on one server, kept apart (rest-api.md B3, delivery contract §6)."""

import ipaddress
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chathooks.apps.bootstrap import RESERVED_APP_IDS
from chathooks.apps.preferences import DEFAULTS
from chathooks.delivery import replay as replay_module
from support import stores
from support.populate import add_webhook, fill_chat, send
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, Response, running
from support.waiting import until

pytestmark = pytest.mark.anyio

TO_BOB = {"receiver": "bob", "receiverType": "user", "category": "message", "type": "text"}
TEXT = {"data": {"text": "x"}}
UNREACHABLE: list[tuple[str, str, Any, str]] = [
    ("GET", "/users/alice", None, "ERR_UID_NOT_FOUND"),
    ("PUT", "/users/alice", {"name": "x"}, "ERR_UID_NOT_FOUND"),
    ("DELETE", "/users/alice", None, "ERR_UID_NOT_FOUND"),
    ("POST", "/users/alice/auth_tokens", {}, "ERR_UID_NOT_FOUND"),
    ("GET", "/users/alice/auth_tokens", None, "ERR_UID_NOT_FOUND"),
    ("GET", "/users/alice/blockedusers", None, "ERR_UID_NOT_FOUND"),
    ("POST", "/users/alice/blockedusers", {"blockedUids": ["bob"]}, "ERR_UID_NOT_FOUND"),
    ("GET", "/users/alice/messages", None, "ERR_UID_NOT_FOUND"),
    ("GET", "/groups/team", None, "ERR_GUID_NOT_FOUND"),
    ("PUT", "/groups/team", {"name": "x"}, "ERR_GUID_NOT_FOUND"),
    ("DELETE", "/groups/team", None, "ERR_GUID_NOT_FOUND"),
    ("GET", "/groups/team/members", None, "ERR_GUID_NOT_FOUND"),
    ("POST", "/groups/team/members", {"participants": ["frank"]}, "ERR_GUID_NOT_FOUND"),
    ("DELETE", "/groups/team/members/bob", None, "ERR_GUID_NOT_FOUND"),
    ("GET", "/groups/team/bannedusers", None, "ERR_GUID_NOT_FOUND"),
    ("POST", "/groups/team/bannedusers/bob", None, "ERR_GUID_NOT_FOUND"),
    ("GET", "/groups/team/messages", None, "ERR_GUID_NOT_FOUND"),
    ("GET", "/messages/{message}", None, "ERR_MESSAGE_ID_NOT_FOUND"),
    ("PUT", "/messages/{message}", TEXT, "ERR_MESSAGE_ID_NOT_FOUND"),
    ("DELETE", "/messages/{message}", None, "ERR_MESSAGE_ID_NOT_FOUND"),
    ("GET", "/messages/{message}/thread", None, "ERR_MESSAGE_ID_NOT_FOUND"),
    ("GET", "/messages/{message}/reactions", None, "ERR_MESSAGE_ID_NOT_FOUND"),
    ("POST", "/messages", {**TO_BOB, **TEXT}, "ERR_UID_NOT_FOUND"),
    ("GET", "/webhooks/mine", None, "ERR_WEBHOOK_NOT_FOUND"),
    ("PUT", "/webhooks/mine", {"name": "x"}, "ERR_WEBHOOK_NOT_FOUND"),
    ("DELETE", "/webhooks/mine", None, "ERR_WEBHOOK_NOT_FOUND"),
    ("GET", "/webhooks/mine/triggers", None, "ERR_WEBHOOK_NOT_FOUND"),
    ("GET", "/webhooks/mine/deliveries", None, "ERR_WEBHOOK_NOT_FOUND"),
    ("POST", "/webhooks/mine/replay", {"states": ["delivered"]}, "ERR_WEBHOOK_NOT_FOUND"),
    ("POST", "/webhooks/mine/test", {"trigger": "message_sent"}, "ERR_WEBHOOK_NOT_FOUND"),
    ("POST", "/webhooks/mine/secret/rotate", {}, "ERR_WEBHOOK_NOT_FOUND"),
    ("GET", "/deliveries/{delivery}", None, "ERR_DELIVERY_NOT_FOUND"),
    ("POST", "/deliveries/{delivery}/replay", None, "ERR_DELIVERY_NOT_FOUND"),
    ("GET", "/webhooks/mine/replays", None, "ERR_WEBHOOK_NOT_FOUND"),
    ("GET", "/replays/{replay}", None, "ERR_REPLAY_NOT_FOUND"),
    ("DELETE", "/replays/{replay}", None, "ERR_REPLAY_NOT_FOUND"),
    ("GET", "/apikeys/{key}", None, "ERR_APIKEY_NOT_FOUND"),
    ("PUT", "/apikeys/{key}", {"scope": "fullAccess"}, "ERR_APIKEY_NOT_FOUND"),
    ("DELETE", "/apikeys/{key}", None, "ERR_APIKEY_NOT_FOUND"),
]
"""What another app's key finds nothing at: method, path, body and code."""


@pytest.fixture(scope="module")
async def endpoint(backend: stores.Backend) -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint() as listening:
        yield listening


@pytest.fixture(scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[Client]:
    async with running(
        tmp_path_factory.mktemp("apps"),
        allow_http_targets=True,
        allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
    ) as client:
        yield client


async def manage(client: Client, method: str, path: str, body: Any = None) -> Response:
    """A management call that names its own path."""
    sent = {
        "key": client.credentials.management_key,
        "secret": client.credentials.management_secret,
    }
    return await client.request(method, path, body, headers=sent)


async def make_app(client: Client, **fields: Any) -> tuple[dict[str, Any], str, str]:
    """A new app, its fullAccess and its authOnly key."""
    app = (await manage(client, "POST", "/apps", {"name": "Two", "region": "eu", **fields})).data
    by_scope = {entry["scope"]: key for key, entry in app["apiKeys"].items()}
    return app, by_scope["fullAccess"], by_scope["authOnly"]


async def test_a_new_app_begins_with_a_key_of_each_scope(server: Client) -> None:
    app, full, auth = await make_app(server, version="3", skipSampleData=True)
    assert set(app) == {
        *("id", "name", "region", "state", "version", "createdAt", "appRegion", "apiKeys")
    }
    assert (app["name"], app["region"], app["state"]) == ("Two", "eu", "active")
    assert app["appRegion"] == {"id": "eu", "name": "Europe"}
    for key, scope in ((full, "fullAccess"), (auth, "authOnly")):
        entry = app["apiKeys"][key]
        assert (len(key), set(key) <= set("0123456789abcdef")) == (40, True)
        assert (entry["apiKey"], entry["scope"], entry["createdBy"]) == (key, scope, "app_system")
    assert (await server.call("GET", "/users", key=full)).data == []
    refused = await server.call("GET", "/users", key=auth)
    assert (refused.status, refused.code) == (403, "AUTH_ERR_NO_ACCESS")
    shown = (await manage(server, "GET", f"/apps/{app['id']}")).data
    assert shown == {name: value for name, value in app.items() if name != "apiKeys"}


async def test_apps_are_listed_in_pages_without_keys(server: Client) -> None:
    await make_app(server, id="listed-1")
    await make_app(server, id="listed-2")
    answer = await manage(server, "GET", "/apps")
    ids = [app["id"] for app in answer.data]
    assert ids[0] == "app1"
    assert ids[-2:] == ["listed-1", "listed-2"]
    assert all("apiKeys" not in app for app in answer.data)
    pagination = answer.json["meta"]["pagination"]
    assert (pagination["total"], pagination["per_page"]) == (len(ids), 25)
    second = await manage(server, "GET", "/apps?perPage=1&page=2")
    assert [app["id"] for app in second.data] == ids[1:2]


@pytest.mark.parametrize("app_id", [*sorted(RESERVED_APP_IDS), "a.b", "-a", "A", "a" * 64, "ä"])
async def test_an_id_that_cannot_be_an_app_s_is_refused(server: Client, app_id: str) -> None:
    body = {"name": "No", "region": "us", "id": app_id}
    refused = await manage(server, "POST", "/apps", body)
    assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
    assert "id" in refused.details


@pytest.mark.parametrize(
    "body",
    [
        {"name": "No"},
        {"region": "us"},
        {"name": "", "region": "us"},
        {"name": "n" * 101, "region": "us"},
        {"name": "No", "region": "mars"},
        {"name": "No", "region": "us", "version": "2"},
        {"name": "No", "region": "us", "plan": "gold"},
    ],
)
async def test_an_app_that_cannot_be_made_is_not_made(server: Client, body: dict[str, str]) -> None:
    before = (await manage(server, "GET", "/apps")).json["meta"]["pagination"]["total"]
    refused = await manage(server, "POST", "/apps", body)
    assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
    assert (await manage(server, "GET", "/apps")).json["meta"]["pagination"]["total"] == before


async def test_an_id_is_given_once(server: Client) -> None:
    await make_app(server, id="taken")
    body = {"name": "x", "region": "us", "id": "taken"}
    refused = await manage(server, "POST", "/apps", body)
    assert (refused.status, refused.code) == (400, "ERR_APP_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/apps"),
        ("GET", "/apps"),
        ("GET", "/apps/app1"),
        ("DELETE", "/apps/app1"),
        ("GET", "/apps/app1/settings"),
    ],
)
async def test_apps_are_for_management_credentials_alone(
    server: Client, method: str, path: str
) -> None:
    body = {"name": "No", "region": "us"} if method == "POST" else None
    with_key = await server.request(
        method, path, body, headers={"apikey": server.credentials.api_key}
    )
    assert (with_key.status, with_key.code) == (401, "AUTH_ERR_EMPTY_AUTH_HEADER")
    wrong = {"key": server.credentials.management_key, "secret": "0" * 40}
    refused = await server.request(method, path, body, headers=wrong)
    assert (refused.status, refused.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")
    below = await server.call(method, path, body)
    assert (below.status, below.code) == (404, "ERR_API_NOT_FOUND")


async def test_unknown_apps_are_refused(server: Client) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/settings"), ("GET", "/webhooks")):
        refused = await manage(server, method, f"/apps/nobody{path}")
        assert (refused.status, refused.code) == (401, "AUTH_ERR_INVALID_APPID")


async def test_header_host_and_key_name_the_app_in_this_order(server: Client) -> None:
    _, full, _ = await make_app(server, id="named")

    async def asked(**headers: str) -> int | str:
        answer = await server.call("GET", "/users", key=full, headers=headers)
        return answer.status if answer.status == 200 else answer.code

    assert await asked() == 200
    assert await asked(appId="named") == 200
    assert await asked(appId="NAMED") == 200
    assert await asked(Host="named.api-eu.example.com") == 200
    assert await asked(Host="chat.example.com") == 200
    assert await asked(appId="app1") == "AUTH_ERR_APIKEY_NOT_FOUND"
    assert await asked(Host="app1.example.com") == "AUTH_ERR_APIKEY_NOT_FOUND"
    assert await asked(appId="named", Host="app1.example.com") == 200
    assert await asked(appId="app1", Host="named.example.com") == "AUTH_ERR_APIKEY_NOT_FOUND"
    assert await asked(appId="nobody", Host="named.example.com") == "AUTH_ERR_INVALID_APPID"


async def test_the_same_ids_in_two_apps_are_different_things(
    server: Client, endpoint: ScriptedEndpoint
) -> None:
    _, full, _ = await make_app(server, id="twin")
    here, there = server.call, partial(server.call, key=full)
    mine, yours = await fill_chat(here), await fill_chat(there)
    await add_webhook(here, "hook", endpoint.url("/here"))
    await add_webhook(there, "hook", endpoint.url("/there"))
    assert (await there("PUT", "/users/alice", {"name": "Other"})).data["name"] == "Other"
    assert (await here("GET", "/users/alice")).data["name"] == "Alice"
    await send(here, "for one")
    await send(there, "for two")

    async def both() -> bool:
        return {request.path for request in endpoint.requests} >= {"/here", "/there"}

    await until(both)
    for path, app_id in (("/here", "app1"), ("/there", "twin")):
        (request,) = [one for one in endpoint.requests if one.path == path]
        assert f'"appId":"{app_id}"'.encode() in request.body
    assert {mine["message"], mine["reply"]}.isdisjoint(yours.values())


async def test_nothing_of_one_app_is_reached_with_a_key_of_another(
    server: Client, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, full, auth = await make_app(server, id="owner")
    _, stranger, _ = await make_app(server, id="stranger")
    owner, other = partial(server.call, key=full), partial(server.call, key=stranger)
    ids = await fill_chat(owner)
    webhook = await add_webhook(owner, "mine", endpoint.url("/mine"))
    await send(owner, "secret words")

    async def delivered() -> bool:
        log = (await owner("GET", "/webhooks/mine/deliveries?state=delivered")).data
        return len(log) == 1

    await until(delivered)
    (delivery,) = (await owner("GET", "/webhooks/mine/deliveries")).data
    message = f"/messages/{ids['message']}"
    as_alice = {"onBehalfOf": "alice"}
    reply = {"category": "message", "type": "text", **TEXT}
    monkeypatch.setattr(replay_module, "TRANSACTIONS_PER_CALL_MAX", 0)
    replay = (await owner("POST", "/webhooks/mine/replay", {"toNumber": 1})).data["replay"]
    names = {
        "replay": replay["id"],
        "message": ids["message"],
        "delivery": delivery["id"],
        "key": auth,
    }
    before = len(endpoint.requests)
    for method, path, body, code in UNREACHABLE:
        answer = await other(method, path.format(**names), body)
        assert (answer.status, answer.code) == (404, code), (method, path)
        assert b"secret words" not in answer.body
    spoken = await other("POST", "/messages", {**TO_BOB, **TEXT}, headers=as_alice)
    assert spoken.code == "ERR_UID_NOT_FOUND"
    for path in ("/users", "/groups", "/messages", "/webhooks", "/events"):
        assert (await other("GET", path)).data == [], path
    assert len((await other("GET", "/apikeys")).data) == 2
    await other("POST", "/users", {"uid": "zed", "name": "Zed"})
    as_zed = {"onBehalfOf": "zed"}
    for method, path, body in (
        ("POST", f"{message}/thread", reply),
        ("POST", f"{message}/reactions/x", None),
        ("DELETE", f"{message}/reactions/x", None),
    ):
        unknown = await other(method, path, body, headers=as_zed)
        assert unknown.code == "ERR_MESSAGE_ID_NOT_FOUND", path
    assert len((await owner("GET", "/users")).data) == 6
    assert (await owner("GET", f"/deliveries/{delivery['id']}")).data == delivery
    assert (await owner("GET", "/webhooks/mine")).data["updatedAt"] == webhook["updatedAt"]
    assert len(endpoint.requests) == before


async def test_a_deleted_app_is_refused_at_once_and_its_webhooks_stop(
    server: Client, endpoint: ScriptedEndpoint
) -> None:
    _, full, auth = await make_app(server, id="leaving")
    call = partial(server.call, key=full)
    await fill_chat(call)
    failing = ScriptedEndpoint(default=500)
    async with failing:
        await add_webhook(call, "retrying", failing.url(), retryOnFailure=True)
        await send(call, "once")
        await failing.arrived(1)
        answer = (await manage(server, "DELETE", "/apps/leaving")).data
        assert set(answer) == {"success", "scheduledToDeleteAt"}
        assert answer["success"] is True
        for key in (full, auth):
            refused = await server.call("GET", "/users", key=key)
            assert (refused.status, refused.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/webhooks")):
            gone = await manage(server, method, f"/apps/leaving{path}")
            assert (gone.status, gone.code) == (401, "AUTH_ERR_INVALID_APPID")
        body = {"name": "x", "region": "us", "id": "leaving"}
        taken = await manage(server, "POST", "/apps", body)
        assert (taken.status, taken.code) == (400, "ERR_APP_ALREADY_EXISTS")
        assert "leaving" not in [app["id"] for app in (await manage(server, "GET", "/apps")).data]
        assert len(failing.requests) == 1


async def test_the_only_app_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        refused = await manage(client, "DELETE", "/apps/app1")
        assert (refused.status, refused.code) == (400, "ERR_OPERATION_FAILED")
        assert (await client.call("GET", "/users")).status == 200
        await make_app(client, id="second")
        assert (await manage(client, "DELETE", "/apps/app1")).status == 200


async def test_settings_have_their_documented_defaults_and_keep_what_is_set(server: Client) -> None:
    await make_app(server, id="set")
    path = "/apps/set/settings"
    assert (await manage(server, "GET", path)).data == DEFAULTS
    wanted = {
        "core.conversations.updateOnReplies": False,
        "core.conversations.updateOnCustomMessage": True,
        "core.notifications.push.advanced.group.mute": True,
        "core.no.such": True,
        "core.notifications.push.enabled": "yes",
    }
    answer = (await manage(server, "POST", path, {"settings": wanted})).data
    assert {name for name, result in answer.items() if result["success"]} == set(list(wanted)[:3])
    assert answer["core.conversations.updateOnReplies"] == {
        "success": True,
        "message": "Added setting(s) successfully.",
    }
    for name in list(wanted)[3:]:
        assert answer[name]["error"]["code"] == "ERR_BAD_REQUEST"
        assert name in answer[name]["error"]["message"]
    changed = {**DEFAULTS, **dict(list(wanted.items())[:3])}
    assert (await manage(server, "GET", path)).data == changed
    assert (await manage(server, "GET", "/apps/app1/settings")).data == DEFAULTS


async def test_settings_go_back_to_their_defaults(server: Client) -> None:
    await make_app(server, id="reset")
    path = "/apps/reset/settings"
    names = ["core.conversations.updateOnReplies", "core.notifications.push.enabled"]
    wanted = {"settings": {names[0]: False, names[1]: True}}
    assert (await manage(server, "POST", path, wanted)).status == 200
    answer = (await manage(server, "DELETE", path, {"settings": [names[0], "no"]})).data
    assert (answer[names[0]]["success"], answer["no"]["success"]) == (True, False)
    assert (await manage(server, "GET", path)).data == {**DEFAULTS, names[1]: True}
    assert set((await manage(server, "DELETE", path)).data) == {names[1]}
    assert (await manage(server, "GET", path)).data == DEFAULTS


async def test_an_app_has_a_bounded_number_of_settings(server: Client) -> None:
    await make_app(server, id="many")
    path = "/apps/many/settings"
    names = [f"core.notifications.push.advanced.n{number}" for number in range(101)]
    hundred = {"settings": dict.fromkeys(names[:100], True)}
    assert (await manage(server, "POST", path, hundred)).status == 200
    refused = await manage(server, "POST", path, {"settings": {names[100]: True}})
    assert (refused.status, refused.code) == (400, "ERR_PLAN_QUOTA_RESTRICTION")
    for body in ({}, {"settings": {}}, {"settings": dict.fromkeys(names, True)}):
        refused = await manage(server, "POST", path, body)
        assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
