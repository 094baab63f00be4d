"""The chat calls over HTTP: shapes, statuses, key scopes (rest-api.md A4–A6, C2, C6, C7, C10)."""

from itertools import count
from typing import Any

import pytest

from support.server import Response, Server
from support.stores import execute

pytestmark = pytest.mark.anyio

_numbers = count(1)


def new_id() -> str:
    return f"id-{next(_numbers)}"


def acting(uid: str) -> dict[str, str]:
    return {"onBehalfOf": uid}


async def group(server: Server, **fields: Any) -> str:
    guid = new_id()
    body = {"guid": guid, "name": "G", "type": "public", "owner": "alice", **fields}
    assert (await server.call("POST", "/groups", body)).data["guid"] == guid
    return guid


async def send(server: Server, text: str, *, by: str = "alice", **fields: Any) -> Response:
    body = {
        "receiver": "bob",
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": text},
        **fields,
    }
    return await server.call("POST", "/messages", body, headers=acting(by))


async def feed_position(server: Server) -> int:
    async def query(tx: Any) -> int:
        ((newest,),) = await execute(tx, "SELECT coalesce(max(position), 0) FROM feed")
        return int(newest)

    return await server.store.read(query)


async def test_a_user_is_created_read_updated_and_listed(server: Server) -> None:
    uid = new_id()
    created = await server.call(
        "POST", "/users", {"uid": uid, "name": "Zoe", "withAuthToken": True, "tags": ["t"]}
    )
    assert created.data["authToken"].startswith(f"{uid}_")
    assert created.data["status"] == "offline"
    assert created.data["role"] == "default"
    read = await server.call("GET", f"/users/{uid.upper()}")
    assert "authToken" not in read.data
    updated = await server.call("PUT", f"/users/{uid}", {"name": "Zoë", "unset": ["avatar"]})
    assert updated.data["name"] == "Zoë"
    listed = await server.call("GET", "/users?searchKey=zo&searchIn=name&withTags=1&perPage=5")
    assert [user["uid"] for user in listed.data] == [uid]
    assert listed.data[0]["tags"] == ["t"]
    pagination = listed.json["meta"]["pagination"]
    assert pagination == {
        "total": 1,
        "count": 1,
        "per_page": 5,
        "current_page": 1,
        "total_pages": 1,
    }
    assert listed.json["meta"]["cursor"]["updatedAt"] == updated.data["updatedAt"]
    nobody = await server.call("GET", "/users?status=available")
    assert (nobody.data, nobody.json["meta"]["pagination"]["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "uid"),
        ({"uid": "a b", "name": "x"}, "uid"),
        ({"uid": "a\n", "name": "x"}, "uid"),
        ({"uid": "x" * 101, "name": "x"}, "uid"),
        ({"uid": "u"}, "name"),
        ({"uid": "u", "name": ""}, "name"),
        ({"uid": "u", "name": "x" * 101}, "name"),
        ({"uid": "u", "name": "x", "avatar": "https://a/" + "x" * 3000}, "avatar"),
        ({"uid": "u", "name": "x", "avatar": "ftp://a"}, "avatar"),
        ({"uid": "u", "name": "x", "tags": ["t"] * 26}, "tags"),
        ({"uid": "u", "name": "x", "tags": ["x" * 101]}, "tags"),
        ({"uid": "u", "name": "x", "metadata": []}, "metadata"),
        ({"uid": "u", "name": "x", "nickname": "y"}, "nickname"),
    ],
)
async def test_a_wrong_field_of_a_user_is_named(
    server: Server, body: dict[str, Any], field: str
) -> None:
    answer = await server.call("POST", "/users", body)
    assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST")
    assert next(iter(answer.details)).startswith(field)
    assert (await server.call("GET", "/users/u")).status == 404


async def test_an_auth_only_key_creates_and_updates_users_and_nothing_else(server: Server) -> None:
    key = server.credentials.auth_key
    uid = new_id()
    assert (await server.call("POST", "/users", {"uid": uid, "name": "x"}, key=key)).status == 200
    assert (await server.call("PUT", f"/users/{uid}", {"name": "y"}, key=key)).status == 200
    guid = await group(server)
    before = await feed_position(server)
    message = {
        "receiver": "bob",
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "x"},
    }
    for method, path, body in (
        ("GET", "/users", None),
        ("GET", f"/users/{uid}", None),
        ("POST", "/groups", {"guid": new_id(), "name": "x"}),
        ("GET", "/groups", None),
        ("GET", f"/groups/{guid}", None),
        ("PUT", f"/groups/{guid}", {"name": "x"}),
        ("DELETE", f"/groups/{guid}", None),
        ("POST", f"/groups/{guid}/members", {"participants": ["bob"]}),
        ("GET", f"/groups/{guid}/members", None),
        ("PUT", f"/groups/{guid}/members/alice", {"scope": "moderator"}),
        ("DELETE", f"/groups/{guid}/members/alice", None),
        ("POST", "/messages", message),
        ("GET", "/messages", None),
        ("GET", "/messages/1", None),
        ("PUT", "/messages/1", {"tags": []}),
        ("DELETE", "/messages/1", None),
        ("GET", "/users/bob/messages", None),
        ("GET", f"/groups/{guid}/messages", None),
    ):
        answer = await server.call(method, path, body, key=key)
        assert (answer.status, answer.code) == (403, "AUTH_ERR_NO_ACCESS"), path
    assert await feed_position(server) == before


async def test_a_group_lives_from_creation_to_deletion(server: Server) -> None:
    guid = new_id()
    body = {
        "guid": guid,
        "name": "Hikers",
        "type": "password",
        "password": "secret",
        "members": {"moderators": ["bob"], "participants": ["carol", "nobody"]},
    }
    created = await server.call("POST", "/groups", body, headers=acting("alice"))
    assert "secret" not in created.body.decode()
    assert created.data["owner"] == "alice"
    assert created.data["members"]["participants"]["nobody"]["success"] is False
    assert created.data["membersCount"] == 3
    read = await server.call("GET", f"/groups/{guid}", headers=acting("bob"))
    assert (read.data["scope"], read.data["hasJoined"]) == ("moderator", True)
    updated = await server.call("PUT", f"/groups/{guid}", {"name": "Walkers"})
    assert (updated.data["name"], updated.data["updatedBy"]) == ("Walkers", "app_system")
    listed = await server.call("GET", "/groups?searchKey=walk&type=password")
    assert [one["guid"] for one in listed.data] == [guid]
    joined = await server.call("GET", "/groups?hasJoined=true", headers=acting("carol"))
    assert guid in [one["guid"] for one in joined.data]
    deleted = await server.call("DELETE", f"/groups/{guid}")
    assert deleted.data == {
        "success": True,
        "message": f"Group with guid {guid} has been deleted successfully.",
    }
    gone = await server.call("GET", f"/groups/{guid}")
    assert (gone.status, gone.code) == (404, "ERR_GUID_NOT_FOUND")


async def test_members_are_added_listed_promoted_and_kicked(server: Server) -> None:
    guid = await group(server)
    path = f"/groups/{guid}/members"
    added = await server.call("POST", path, {"participants": ["bob"], "moderators": ["carol"]})
    assert added.data["participants"]["bob"]["success"] is True
    action = added.data["participants"]["bob"]["data"]
    assert (action["category"], action["type"]) == ("action", "groupMember")
    listed = await server.call("GET", f"{path}?scopes=participant,moderator&perPage=1&page=2")
    assert [(one["uid"], one["scope"]) for one in listed.data] == [("carol", "moderator")]
    assert listed.json["meta"]["pagination"]["total"] == 2
    changed = await server.call("PUT", f"{path}/bob", {"scope": "moderator"})
    assert changed.data["scope"] == "moderator"
    assert (await server.call("PUT", f"{path}/bob")).data["scope"] == "participant"
    kicked = await server.call("DELETE", f"{path}/bob")
    assert kicked.data["message"] == (
        f"The member with bob has been kicked from the Group with {guid}."
    )
    again = await server.call("DELETE", f"{path}/bob")
    assert (again.status, again.code) == (404, "ERR_NOT_A_MEMBER")


async def test_a_message_is_sent_read_edited_and_deleted(server: Server) -> None:
    sent = (await send(server, "hello <@uid:bob>", muid="m1")).data
    assert sent["conversationId"] == "alice_user_bob"
    assert sent["data"]["entities"]["sender"]["entity"]["uid"] == "alice"
    assert list(sent["data"]["mentions"]) == ["bob"]
    path = f"/messages/{sent['id']}"
    assert (await server.call("GET", path)).data == sent
    edited = await server.call("PUT", path, {"data": {"text": "bye"}}, headers=acting("alice"))
    assert edited.data["data"]["action"] == "edited"
    assert edited.data["data"]["entities"]["on"]["entity"]["data"]["text"] == "bye"
    deleted = await server.call("DELETE", path, headers=acting("alice"))
    assert deleted.data["data"]["action"] == "deleted"
    read = (await server.call("GET", path)).data
    assert (read["deletedBy"], "text" in read["data"]) == ("alice", False)
    assert (await server.call("DELETE", path, {"permanent": True})).status == 200
    gone = await server.call("GET", path)
    assert (gone.status, gone.code) == (404, "ERR_MESSAGE_ID_NOT_FOUND")


async def test_message_lists_are_paged_by_cursor(server: Server) -> None:
    guid = await group(server)
    sent = [
        (await send(server, str(number), receiver=guid, receiverType="group")).data["id"]
        for number in range(5)
    ]
    path = f"/groups/{guid}/messages?limit=2"
    newest = await server.call("GET", path)
    assert [one["id"] for one in newest.data] == sent[3:]
    meta = newest.json["meta"]
    assert meta["current"] == {"limit": 2, "count": 2}
    back = meta["previous"]
    assert back["affix"] == "prepend"
    older = await server.call("GET", f"{path}&affix={back['affix']}&id={back['id']}")
    assert [one["id"] for one in older.data] == sent[1:3]
    forth = older.json["meta"]["next"]
    newer = await server.call("GET", f"{path}&affix={forth['affix']}&id={forth['id']}")
    assert newer.data == newest.data
    for wrong in ("limit=0", "limit=1001", "affix=x", "unknown=1", "hideDeleted=maybe"):
        answer = await server.call("GET", f"/messages?{wrong}")
        assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST"), wrong


@pytest.mark.parametrize(
    ("status", "code", "fields", "by"),
    [
        (400, "ERR_EMPTY_MESSAGE_TEXT", {"data": {"text": ""}}, "alice"),
        (400, "ERR_INVALID_MESSAGE_TEXT", {"data": {"text": "x" * 70_000}}, "alice"),
        (400, "ERR_INVALID_RECEIVER_TYPE", {"receiverType": "x"}, "alice"),
        (404, "ERR_UID_NOT_FOUND", {"receiver": "nobody"}, "alice"),
        (404, "ERR_UID_NOT_FOUND", {}, "nobody"),
        (404, "ERR_GUID_NOT_FOUND", {"receiver": "none", "receiverType": "group"}, "alice"),
        (400, "ERR_BAD_REQUEST", {"multipleReceivers": {"uids": ["bob"]}}, "alice"),
    ],
)
async def test_a_refused_message_says_why_and_fires_nothing(
    server: Server, status: int, code: str, fields: dict[str, Any], by: str
) -> None:
    before = await feed_position(server)
    answer = await send(server, "x", by=by, **fields)
    assert (answer.status, answer.code) == (status, code)
    assert await feed_position(server) == before


async def test_permissions_answer_with_the_contracts_statuses(server: Server) -> None:
    guid = await group(server, members={"participants": ["bob"]})
    sent = (await send(server, "x")).data["id"]
    before = await feed_position(server)
    for status, code, method, path, body, uid in (
        (401, "ERR_GROUP_NOT_JOINED", "POST", "/members", {"participants": ["bob"]}, "carol"),
        (403, "ERR_GROUP_NO_MODERATOR_SCOPE", "PUT", "", {"name": "x"}, "bob"),
        (403, "ERR_GROUP_NO_ADMIN_SCOPE", "DELETE", "", None, "bob"),
        (403, "ERR_GROUP_NO_SELF_ACTION", "DELETE", "/members/alice", None, "alice"),
        (400, "ERR_SAME_SCOPE", "PUT", "/members/bob", {"scope": "participant"}, "alice"),
        (404, "ERR_NOT_A_MEMBER", "DELETE", "/members/carol", None, "alice"),
    ):
        answer = await server.call(method, f"/groups/{guid}{path}", body, headers=acting(uid))
        assert (answer.status, answer.code) == (status, code)
    answer = await server.call("DELETE", f"/messages/{sent}", headers=acting("bob"))
    assert (answer.status, answer.code) == (403, "ERR_MESSAGE_NOT_A_SENDER")
    again = await server.call("POST", "/groups", {"guid": guid, "name": "x"})
    assert (again.status, again.code) == (400, "ERR_GUID_ALREADY_EXISTS")
    assert await feed_position(server) == before
