"""What chat serves besides the core calls, over HTTP (rest-api.md C2, C5, C8, C10, C11, C12)."""

from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from support.server import Server
from support.stores import execute

pytestmark = pytest.mark.anyio

_numbers = count(1)


def new_id() -> str:
    return f"more-{next(_numbers)}"


def acting(uid: str) -> dict[str, str]:
    return {"onBehalfOf": uid}


async def feed_position(server: Server) -> int:
    async def query(tx: Any) -> int:
        ((newest,),) = await execute(tx, "SELECT coalesce(max(position), 0) FROM feed")
        return int(newest)

    return await server.store.read(query)


async def sent_message(server: Server, **fields: Any) -> Any:
    body = {
        "receiver": "bob",
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "hello"},
        **fields,
    }
    return (await server.call("POST", "/messages", body, headers=acting("alice"))).data


async def test_a_message_is_reacted_to_listed_and_taken_back(server: Server) -> None:
    sent = await sent_message(server)
    path = f"/messages/{sent['id']}/reactions"
    emoji = quote("👍🏽")
    added = await server.call("POST", f"{path}/{emoji}", headers=acting("bob"))
    assert added.data["id"] == sent["id"]
    assert added.data["data"]["reactions"] == [
        {"reaction": "👍🏽", "count": 1, "reactedByMe": True}
    ]
    for listing in (path, f"{path}/{emoji}"):
        listed = await server.call("GET", listing, headers=acting("alice"))
        (one,) = listed.data
        assert set(one) == {"id", "messageId", "reaction", "uid", "reactedAt", "reactedBy"}
        assert (one["messageId"], one["reactedBy"]["uid"]) == (sent["id"], "bob")
        assert listed.json["meta"]["current"] == {"limit": 100, "count": 1}
        assert listed.json["meta"]["next"]["id"] == one["id"]
    removed = await server.call("DELETE", f"{path}/{emoji}", headers=acting("bob"))
    assert "reactions" not in removed.data["data"]
    assert (await server.call("GET", path)).data == []


async def test_a_refused_reaction_says_why_and_fires_nothing(server: Server) -> None:
    sent = await sent_message(server)
    before = await feed_position(server)
    path = f"/messages/{sent['id']}/reactions/x"
    for status, code, method, where, uid in (
        (400, "ERR_BAD_REQUEST", "POST", path, None),
        (403, "ERR_MESSAGE_NO_ACCESS", "POST", path, "carol"),
        (404, "ERR_UID_NOT_FOUND", "POST", path, "nobody"),
        (404, "ERR_MESSAGE_ID_NOT_FOUND", "POST", "/messages/999999999999/reactions/x", "bob"),
        (404, "ERR_REACTION_NOT_FOUND", "DELETE", path, "bob"),
        (400, "ERR_BAD_REQUEST", "POST", f"{path}{'y' * 100}", "bob"),
    ):
        headers = {} if uid is None else acting(uid)
        answer = await server.call(method, where, headers=headers)
        assert (answer.status, answer.code) == (status, code), where
    assert await feed_position(server) == before


async def test_a_member_is_banned_listed_and_unbanned(server: Server) -> None:
    guid = new_id()
    body = {"guid": guid, "name": "G", "owner": "alice", "members": {"participants": ["bob"]}}
    assert (await server.call("POST", "/groups", body)).status == 200
    path = f"/groups/{guid}/bannedusers"
    banned = (await server.call("POST", f"{path}/bob", headers=acting("alice"))).data
    assert banned["success"] is True
    assert banned["message"] == f"The member with bob has been banned from the Group with {guid}."
    assert banned["data"]["action"] == "banned"
    assert banned["data"]["entities"]["on"]["entity"]["uid"] == "bob"
    listed = await server.call("GET", path)
    assert [(one["uid"], one["isBanned"]) for one in listed.data] == [("bob", True)]
    assert listed.json["meta"]["pagination"]["total"] == 1
    before = await feed_position(server)
    for status, code, method, uid in (
        (400, "ERR_ALREADY_BANNED", "POST", "bob"),
        (404, "ERR_NOT_A_MEMBER", "POST", "carol"),
        (404, "ERR_NOT_A_BANNED_USER", "DELETE", "carol"),
        (404, "ERR_UID_NOT_FOUND", "POST", "nobody"),
    ):
        answer = await server.call(method, f"{path}/{uid}")
        assert (answer.status, answer.code) == (status, code), uid
    added = await server.call("POST", f"/groups/{guid}/members", {"participants": ["bob"]})
    assert added.data["participants"]["bob"]["error"]["code"] == "ERR_BANNED_GROUPMEMBER"
    assert await feed_position(server) == before
    unbanned = (await server.call("DELETE", f"{path}/bob")).data
    assert (unbanned["success"], unbanned["data"]["action"]) == (True, "unbanned")
    assert (await server.call("GET", path)).data == []


async def new_user(server: Server) -> str:
    uid = new_id()
    assert (await server.call("POST", "/users", {"uid": uid, "name": uid})).status == 200
    return uid


async def test_users_are_blocked_listed_and_unblocked(server: Server) -> None:
    uid, other = await new_user(server), await new_user(server)
    path = f"/users/{uid}/blockedusers"
    blocked = await server.call("POST", path, {"blockedUids": [other, uid]})
    assert blocked.data[other]["message"] == (
        f"The user with UID {uid} has blocked user with UID {other} successfully."
    )
    assert blocked.data[uid]["error"]["code"] == "ERR_CANNOT_BLOCK_SELF"
    listed = await server.call("GET", f"{path}?searchKey={other}")
    assert [(one["uid"], one["blockedByMe"]) for one in listed.data] == [(other, True)]
    assert listed.json["meta"]["pagination"]["total"] == 1
    body = {"receiverType": "user", "category": "message", "type": "text", "data": {"text": "x"}}
    before = await feed_position(server)
    for by, to, code in ((uid, other, "ERR_BLOCKED_RECEIVER"), (other, uid, "ERR_BLOCKED_SENDER")):
        refused = await server.call(
            "POST", "/messages", {**body, "receiver": to}, headers=acting(by)
        )
        assert (refused.status, refused.code) == (403, code)
    for wrong in ({}, {"blockedUids": []}, {"blockedUids": ["x"] * 26}):
        refused = await server.call("POST", path, wrong)
        assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
    assert await feed_position(server) == before
    assert (await server.call("DELETE", path, {"blockedUids": [other]})).data[other]["success"]
    assert (await server.call("GET", path)).data == []


async def test_users_are_deactivated_activated_and_deleted(server: Server) -> None:
    uid = await new_user(server)
    gone = await server.call("DELETE", "/users", {"uidsToDeactivate": [uid, "nobody"]})
    assert gone.data == {"deactivatedUids": [uid]}
    read = await server.call("GET", f"/users/{uid}")
    assert (read.status, read.code) == (404, "ERR_UID_NOT_FOUND")
    back = await server.call("PUT", "/users", {"uidsToActivate": [uid]})
    assert back.data == {"nonDeactivatedUids": [uid]}
    deleted = await server.call("DELETE", f"/users/{uid}", {"permanent": True})
    assert deleted.data == {
        "success": True,
        "message": f"User with {uid} has been deleted successfully.",
    }
    again = await server.call("DELETE", f"/users/{uid}")
    assert (again.status, again.code) == (404, "ERR_UID_NOT_FOUND")
    assert (await server.call("POST", "/users", {"uid": uid, "name": "x"})).status == 200
    built_in = await server.call("DELETE", "/users/app_system")
    assert (built_in.status, built_in.code) == (403, "ERR_PERMISSION_DENIED")


async def test_a_thread_hangs_on_its_message(server: Server) -> None:
    sent = await sent_message(server)
    path = f"/messages/{sent['id']}/thread"
    body = {"category": "message", "type": "text", "data": {"text": "re"}}
    reply = (await server.call("POST", path, body, headers=acting("bob"))).data
    assert (reply["parentId"], reply["receiver"]) == (sent["id"], "alice")
    listed = await server.call("GET", f"{path}?limit=5", headers=acting("alice"))
    assert [one["id"] for one in listed.data] == [reply["id"]]
    assert listed.json["meta"]["previous"]["id"] == reply["id"]
    assert (await server.call("GET", f"/messages/{sent['id']}")).data["replyCount"] == 1
    before = await feed_position(server)
    for status, code, message_id, fields, uid in (
        (400, "ERR_BAD_REQUEST", sent["id"], {}, None),
        (400, "ERR_MESSAGE_THREAD_NESTING", reply["id"], {}, "bob"),
        (400, "ERR_WRONG_MESSAGE_THREAD", sent["id"], {"receiver": "carol"}, "bob"),
        (403, "ERR_MESSAGE_NO_ACCESS", sent["id"], {}, "carol"),
        (404, "ERR_MESSAGE_ID_NOT_FOUND", "999999999999", {}, "bob"),
        (400, "ERR_EMPTY_MESSAGE_TEXT", sent["id"], {"data": {"text": ""}}, "bob"),
    ):
        headers = {} if uid is None else acting(uid)
        answer = await server.call(
            "POST", f"/messages/{message_id}/thread", {**body, **fields}, headers=headers
        )
        assert (answer.status, answer.code) == (status, code)
    assert await feed_position(server) == before


async def test_a_message_to_many_answers_for_each(server: Server) -> None:
    body = {
        "multipleReceivers": {"uids": ["bob", "nobody"], "guids": []},
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "x"},
    }
    told = (await server.call("POST", "/messages", body, headers=acting("alice"))).data
    assert told["uids"]["bob"]["data"]["receiver"] == "bob"
    assert told["uids"]["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert told["guids"] == {}


async def test_message_lists_are_narrowed_by_query(server: Server) -> None:
    sent = await sent_message(server, data={"text": "a Needle"}, tags=["rare"])
    for query in ("searchKey=needle", "tags=rare", "hideReplies=true&searchKey=NEEDLE"):
        listed = await server.call("GET", f"/messages?{query}")
        assert [one["id"] for one in listed.data] == [sent["id"]], query
    none = await server.call("GET", "/messages?hasAttachments=1&hasLinks=1&mentionedUids=bob")
    assert none.data == []
    assert none.json["meta"] == {"current": {"limit": 10, "count": 0}}


async def test_a_thread_is_followed_listed_and_left(server: Server) -> None:
    sent = await sent_message(server)
    path = f"/messages/{sent['id']}/thread/subscription"
    followed = await server.call("POST", path, headers=acting("bob"))
    assert followed.data["success"] is True
    assert sent["id"] in followed.data["message"]
    reply = {"category": "message", "type": "text", "data": {"text": "re"}}
    made = await server.call(
        "POST", f"/messages/{sent['id']}/thread", reply, headers=acting("alice")
    )
    listed = await server.call("GET", "/threads?limit=1", headers=acting("bob"))
    (thread,) = listed.data
    assert (thread["id"], thread["replyCount"], thread["threadSubscribed"]) == (sent["id"], 1, True)
    assert thread["lastReply"]["id"] == made.data["id"]
    previous = listed.json["meta"]["previous"]
    assert previous == {
        "affix": "prepend",
        "updatedAt": thread["updatedAt"],
        "id": sent["id"],
    }
    query = "&".join(f"{name}={value}" for name, value in previous.items())
    rest = await server.call("GET", f"/threads?{query}", headers=acting("bob"))
    assert sent["id"] not in [one["id"] for one in rest.data]
    assert "previous" not in rest.json["meta"]
    seen = await server.call("GET", f"/messages/{sent['id']}", headers=acting("bob"))
    assert seen.data["threadSubscribed"] is True
    left = await server.call("DELETE", path, headers=acting("bob"))
    assert left.data["success"] is True
    after = await server.call("GET", "/threads", headers=acting("bob"))
    assert sent["id"] not in [one["id"] for one in after.data]


async def test_lists_of_messages_tell_what_they_are_asked_for(server: Server) -> None:
    uid = new_id()
    user = {"uid": uid, "name": "M", "tags": ["vip"]}
    assert (await server.call("POST", "/users", user)).status == 200
    text = f"<@uid:{uid}> hello"
    sent = await sent_message(server, receiver=uid, data={"text": text}, tags=["t"])
    await sent_message(server, receiver=uid)
    (told,) = (
        await server.call("GET", "/users/alice/messages?myMentionsOnly=1", headers=acting(uid))
    ).data
    assert (told["id"], told["tags"]) == (sent["id"], ["t"])
    for spelling in ("mentionsWithTagInfo", "mentionswithTagInfo"):
        query = f"withTags=false&hasMentions=true&{spelling}=1&mentionsWithBlockedInfo=1"
        listed = await server.call("GET", f"/users/{uid}/messages?{query}", headers=acting("alice"))
        (one,) = listed.data
        assert "tags" not in one
        mentioned = one["data"]["mentions"][uid]
        assert (mentioned["tags"], mentioned["blockedByMe"]) == (["vip"], False)


async def test_groups_are_followed_by_when_they_changed(server: Server) -> None:
    first, second = new_id(), new_id()
    for guid in (first, second):
        body = {"guid": guid, "name": guid, "type": "public"}
        made = (await server.call("POST", "/groups", body)).data
    since = made["createdAt"] - 1_000
    newer = await server.call("GET", f"/groups?searchKey=more-&updatedAt={since}&affix=append")
    guids = [one["guid"] for one in newer.data]
    assert guids.index(first) < guids.index(second)
    assert newer.json["meta"]["cursor"]["affix"] == "append"
    until = made["createdAt"] + 1_000
    older = await server.call("GET", f"/groups?searchKey=more-&updatedAt={until}&affix=prepend")
    guids = [one["guid"] for one in older.data]
    assert guids.index(second) < guids.index(first)
    assert older.json["meta"]["cursor"]["affix"] == "prepend"
    before = await server.call("GET", f"/groups?searchKey=more-&updatedAt={since}&affix=prepend")
    assert before.data == []


async def walk(server: Server, path: str, direction: str) -> list[str]:
    """The ids of a whole list, page after page, by nothing but what `meta` says."""
    found: list[str] = []
    query = "limit=2"
    while True:
        page = (await server.call("GET", f"{path}?{query}", headers=acting("bob"))).json
        ids = [one["id"] for one in page["data"]]
        found = ids + found if direction == "previous" else found + ids
        place = page["meta"].get(direction)
        if place is None:
            return found
        query = "limit=2&" + "&".join(f"{name}={value}" for name, value in place.items())


async def test_lists_in_windows_are_walked_by_what_their_meta_says(server: Server) -> None:
    uid = new_id()
    assert (await server.call("POST", "/users", {"uid": uid, "name": uid})).status == 200
    sent = await sent_message(server)
    messages = []
    for number in range(5):
        body = {
            "receiver": uid,
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": str(number)},
        }
        made = await server.call("POST", "/messages", body, headers=acting("bob"))
        messages.append(made.data["id"])
        react = f"/messages/{sent['id']}/reactions/r{number}"
        assert (await server.call("POST", react, headers=acting("bob"))).status == 200
    assert await walk(server, f"/users/{uid}/messages", "previous") == messages
    for page, wanted in ((1, messages[3:]), (2, messages[1:3]), (3, messages[:1]), (4, [])):
        path = f"/users/{uid}/messages?perPage=2&page={page}"
        listed = (await server.call("GET", path, headers=acting("bob"))).data
        assert [one["id"] for one in listed] == wanted
    too_far = await server.call("GET", f"/users/{uid}/messages?perPage=1000&page=12")
    assert (too_far.status, too_far.code) == (400, "ERR_BAD_REQUEST")
    reactions = f"/messages/{sent['id']}/reactions"
    everything = [one["id"] for one in (await server.call("GET", reactions)).data]
    assert len(everything) == 5
    assert await walk(server, reactions, "previous") == everything
    refused = await server.call("GET", f"{reactions}?sentAt=1")
    assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
