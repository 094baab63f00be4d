"""API keys and auth tokens over HTTP (rest-api.md C1, C3, delivery contract §4, §7)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chathooks.apps.keys import API_KEYS_PER_APP_MAX
from support.server import Client, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path) as client:
        for uid in ("alice", "bob"):
            assert (await client.call("POST", "/users", {"uid": uid, "name": uid})).status == 200
        yield client


async def test_a_key_works_from_its_creation_to_its_deletion(server: Client) -> None:
    created = (await server.call("POST", "/apikeys", {"name": "CI", "scope": "fullAccess"})).data
    assert set(created) == {"apiKey", "name", "scope", "createdAt"}
    key = created["apiKey"]
    assert len(key) == 40
    assert (await server.call("GET", "/users", key=key)).status == 200
    read = (await server.call("GET", f"/apikeys/{key}")).data
    assert read == {**created, "apiKey": "********" + key[-4:]}
    changed = await server.call("PUT", f"/apikeys/{key}", {"scope": "authOnly"})
    assert (changed.data["scope"], changed.data["name"]) == ("authOnly", "CI")
    refused = await server.call("GET", "/users", key=key)
    assert (refused.status, refused.code) == (403, "AUTH_ERR_NO_ACCESS")
    assert (await server.call("DELETE", f"/apikeys/{key}")).data["success"] is True
    gone = await server.call("GET", "/users", key=key)
    assert (gone.status, gone.code) == (401, "AUTH_ERR_APIKEY_NOT_FOUND")
    unknown = await server.call("DELETE", f"/apikeys/{key}")
    assert (unknown.status, unknown.code) == (404, "ERR_APIKEY_NOT_FOUND")


async def test_a_key_neither_changes_nor_deletes_itself(server: Client) -> None:
    path = f"/apikeys/{server.credentials.api_key}"
    for method, body in (("PUT", {"name": "x"}), ("DELETE", None)):
        refused = await server.call(method, path, body)
        assert (refused.status, refused.code) == (403, "ERR_APIKEY_NO_SELF_ACTION")
    assert (await server.call("GET", path)).status == 200


async def test_lists_of_keys_are_masked_searched_and_paged(server: Client) -> None:
    await server.call("POST", "/apikeys", {"name": "Alpha"})
    listed = await server.call("GET", "/apikeys")
    assert len(listed.data) == 3
    assert all(one["apiKey"].startswith("********") for one in listed.data)
    found = await server.call("GET", "/apikeys?searchKey=alp&scope=authOnly")
    assert [one["name"] for one in found.data] == ["Alpha"]
    assert (await server.call("GET", "/apikeys?searchKey=alp&scope=fullAccess")).data == []
    page = await server.call("GET", "/apikeys?perPage=2&page=2")
    assert page.json["meta"]["pagination"]["total"] == 3
    assert len(page.data) == 1


async def test_an_app_has_at_most_so_many_keys(server: Client) -> None:
    for _ in range(API_KEYS_PER_APP_MAX - 2):
        assert (await server.call("POST", "/apikeys", {"name": "x"})).data["scope"] == "authOnly"
    refused = await server.call("POST", "/apikeys", {"name": "x"})
    assert (refused.status, refused.code) == (400, "ERR_PLAN_QUOTA_RESTRICTION")


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "scope": "y"}]
)
async def test_a_wrong_key_is_refused(server: Client, body: dict[str, str]) -> None:
    refused = await server.call("POST", "/apikeys", body)
    assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
    assert len((await server.call("GET", "/apikeys")).data) == 2


async def test_tokens_are_made_with_an_auth_only_key_and_managed_with_a_full_one(
    server: Client,
) -> None:
    path = "/users/alice/auth_tokens"
    auth_key = server.credentials.auth_key
    tokens = [
        (await server.call("POST", path, body, key=auth_key)).data["authToken"]
        for body in (None, {"force": True})
    ]
    assert tokens[0] != tokens[1]
    refused = await server.call("GET", path, key=auth_key)
    assert (refused.status, refused.code) == (403, "AUTH_ERR_NO_ACCESS")
    listed = await server.call("GET", path)
    assert {one["authToken"] for one in listed.data} == {"********" + t[-4:] for t in tokens}
    assert listed.json["meta"]["pagination"]["total"] == 2
    one = f"{path}/{tokens[0]}"
    assert (await server.call("PUT", one, {"platform": "web"})).data["platform"] == "web"
    assert (await server.call("GET", one)).data["platform"] == "web"
    foreign = await server.call("GET", f"/users/bob/auth_tokens/{tokens[0]}")
    assert (foreign.status, foreign.code) == (403, "ERR_AUTHTOKEN_NOT_ACCESSIBLE")
    assert (await server.call("DELETE", one)).data["success"] is True
    unknown = await server.call("GET", one)
    assert (unknown.status, unknown.code) == (404, "ERR_AUTH_TOKEN_NOT_FOUND")
    cleared = await server.call("DELETE", path)
    assert cleared.data["message"] == "Cleared Auth Tokens successfully for uid alice."
    assert (await server.call("GET", path)).data == []
