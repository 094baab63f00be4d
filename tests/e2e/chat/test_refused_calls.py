"""Each error that a chat call may answer with, provoked over HTTP: nothing is changed and nothing fired.

Delivery contract §3.5, §7 "Statuses"; rest-api.md A6. The table has a row for every code that a route declares.
"""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chathooks.api.problems import STATUS_BY_CODE
from support import stores
from support.chat import chat_routes
from support.server import Server, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.only("sqlite"),  # the whole store is compared, as its file has it
]

TEXT = {"category": "message", "type": "text", "data": {"text": "x"}}
LARGE = {"m": "x" * 6_000}
FTP = [{"url": "ftp://a.example/b"}]
LONG = "x" * 70_000
NO_SUCH = "999999999999"
FILL_GROUPS = """
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
INSERT INTO chat_groups (app, guid, name, name_folded, type, owner, members_count, created_at)
SELECT 1, 'full-' || n, 'n', 'n', 'public', 'app_system', 1, 1 FROM n
"""
FILL_MEMBERS = """
INSERT INTO members (group_key, user, scope, joined_at)
SELECT group_key, (SELECT user FROM users WHERE uid = 'full'), 'participant', 1
FROM chat_groups WHERE guid LIKE 'full-%'
"""
FILL_REACTIONS = """
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100)
INSERT INTO reactions (message, user, reaction, reacted_at) SELECT ?, 2, 'r' || n, 1 FROM n
"""
STILL_LEAVING = """
INSERT INTO departures (user, app, erase) SELECT user, 1, 0 FROM users WHERE uid = 'gone'
"""


@dataclass
class World:
    """A server with people, a group and messages; `ids` are the messages by name."""

    server: Server
    path: Path
    ids: dict[str, str]

    def state(self) -> str:
        """A digest of everything that is stored."""
        connection = sqlite3.connect(self.path)
        try:
            return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()
        finally:
            connection.close()

    def run(self, statement: str, *parameters: Any) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        try:
            connection.execute(statement, parameters)
        finally:
            connection.close()


async def call(server: Server, method: str, path: str, body: Any, by: str | None) -> Any:
    headers = {} if by is None else {"onBehalfOf": by}
    return await server.call(method, path, body, headers=headers)


async def build(server: Server) -> dict[str, str]:
    async def do(method: str, path: str, body: Any = None, by: str | None = None) -> Any:
        return (await call(server, method, path, body, by)).data

    async def sent(to: str, by: str, kind: str = "user", **fields: Any) -> str:
        body = {**TEXT, "receiver": to, "receiverType": kind, **fields}
        return str((await do("POST", "/messages", body, by))["id"])

    people = ("alice", "bob", "carol", "dan", "erin", "frank", "oscar", "full", "gone")
    for uid in people:
        await do("POST", "/users", {"uid": uid, "name": uid})
    members = {"admins": ["dan"], "moderators": ["bob"], "participants": ["carol", "erin"]}
    group = {"guid": "g", "name": "G", "members": {**members, "usersToBan": ["frank"]}}
    made = await do("POST", "/groups", group, "alice")
    await do("POST", "/groups", {"guid": "hidden", "name": "H", "type": "private"}, "alice")
    files = {"attachments": [{"url": "https://a.example/b"}]}
    custom = {"category": "custom", "type": "t", "data": {"customData": {"a": 1}}}
    ids = {
        "action": made["members"]["participants"]["carol"]["data"]["id"],
        "text": await sent("bob", "alice"),
        "image": await sent("bob", "alice", type="image", data=files),
        "custom": await sent("bob", "alice", **custom),
        "deleted": await sent("bob", "alice"),
        "group": await sent("g", "alice", "group"),
        "blocked": await sent("oscar", "carol"),
        "crowded": await sent("bob", "alice"),
    }
    ids["reply"] = (await do("POST", f"/messages/{ids['text']}/thread", TEXT, "bob"))["id"]
    await do("DELETE", f"/messages/{ids['deleted']}", None, "alice")
    await do("POST", "/users/carol/blockedusers", {"blockedUids": ["oscar"]})
    await do("DELETE", "/users/gone")
    ids["token"] = (await do("POST", "/users/alice/auth_tokens", {}))["authToken"]
    return ids


@pytest.fixture(scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("refused")
    async with serving(folder, routes=chat_routes) as server:
        world = World(server, folder / "chathooks.db", await build(server))
        world.run(FILL_GROUPS)
        world.run(FILL_MEMBERS)
        world.run(FILL_REACTIONS, int(world.ids["crowded"]))
        world.run(STILL_LEAVING)
        yield world


def to_user(uid: str, **fields: Any) -> dict[str, Any]:
    return {**TEXT, "receiver": uid, "receiverType": "user", **fields}


def to_group(guid: str) -> dict[str, Any]:
    return {**TEXT, "receiver": guid, "receiverType": "group"}


IMAGE = {"category": "message", "type": "image"}
CUSTOM = {"category": "custom", "type": "t"}
CONTENT: list[tuple[str, dict[str, Any]]] = [
    ("ERR_EMPTY_MESSAGE_CATEGORY", {"category": None}),
    ("ERR_INVALID_MESSAGE_CATEGORY", {"category": "action"}),
    ("ERR_EMPTY_MESSAGE_TYPE", {"type": ""}),
    ("ERR_INVALID_MESSAGE_TYPE", {"type": "smell"}),
    ("ERR_INVALID_MESSAGE_DATA", {"data": None}),
    ("ERR_INVALID_MESSAGE_DATA", {**CUSTOM, "data": {"customData": {"a": "x" * 11_000}}}),
    ("ERR_EMPTY_MESSAGE_TEXT", {"data": {"text": " "}}),
    ("ERR_INVALID_MESSAGE_TEXT", {"data": {"text": LONG}}),
    ("ERR_INVALID_MESSAGE_TEXT", {"data": {"text": "".join(f"<@uid:u{n}>" for n in range(26))}}),
    ("ERR_EMPTY_MESSAGE_FILE", {**IMAGE, "data": {"attachments": []}}),
    ("ERR_INVALID_MEDIA_MESSAGE", {**IMAGE, "data": {"attachments": FTP}}),
    ("ERR_INVALID_MEDIA_MESSAGE", {**IMAGE, "data": {"attachments": FTP * 11}}),
    ("ERR_EMPTY_CUSTOM_DATA", {**CUSTOM, "data": {"customData": {}}}),
    ("ERR_INVALID_METADATA", {"data": {"text": "x", "metadata": LARGE}}),
]
SEND = "POST /messages"
REPLY = "POST /messages/{id}/thread"
EDIT = "PUT /messages/{id}"
DELETE = "DELETE /messages/{id}"
FOLLOW = "POST /messages/{id}/thread/subscription"
LEAVE = "DELETE /messages/{id}/thread/subscription"
REACT = "POST /messages/{id}/reactions/{reaction}"
TAKE_BACK = "DELETE /messages/{id}/reactions/{reaction}"
MEMBERS = "POST /groups/{guid}/members"
SCOPE = "PUT /groups/{guid}/members/{uid}"
KICK = "DELETE /groups/{guid}/members/{uid}"
BAN = "POST /groups/{guid}/bannedusers/{uid}"
UNBAN = "DELETE /groups/{guid}/bannedusers/{uid}"
TOKEN = "/users/{uid}/auth_tokens/{authToken}"
BLOCK = "/users/{uid}/blockedusers"
TO_BLOCK = {"blockedUids": ["alice"]}

Row = tuple[str, str, dict[str, str], str | None, Any]
"""Code, route, path parameters (a message by its name), who acts, body."""

MESSAGES: list[Row] = [
    *((code, SEND, {}, "alice", to_user("bob", **fields)) for code, fields in CONTENT),
    ("ERR_EMPTY_RECEIVER", SEND, {}, "alice", to_user("")),
    ("ERR_EMPTY_RECEIVER", SEND, {}, "alice", {**TEXT, "multipleReceivers": {}}),
    ("ERR_INVALID_RECEIVER_TYPE", SEND, {}, "alice", {**to_user("bob"), "receiverType": "x"}),
    ("ERR_UID_NOT_FOUND", SEND, {}, "alice", to_user("nobody")),
    ("ERR_UID_NOT_FOUND", SEND, {}, "alice", to_user("gone")),
    ("ERR_UID_NOT_FOUND", SEND, {}, "nobody", to_user("alice")),
    ("ERR_GUID_NOT_FOUND", SEND, {}, "alice", to_group("none")),
    ("ERR_GROUP_NOT_JOINED", SEND, {}, "oscar", to_group("g")),
    ("ERR_BLOCKED_RECEIVER", SEND, {}, "carol", to_user("oscar")),
    ("ERR_BLOCKED_SENDER", SEND, {}, "oscar", to_user("carol")),
    *((code, REPLY, {"id": "text"}, "alice", {**TEXT, **fields}) for code, fields in CONTENT),
    ("ERR_MESSAGE_ID_NOT_FOUND", REPLY, {"id": NO_SUCH}, "alice", TEXT),
    ("ERR_UID_NOT_FOUND", REPLY, {"id": "text"}, "nobody", TEXT),
    ("ERR_GROUP_NOT_JOINED", REPLY, {"id": "group"}, "oscar", TEXT),
    ("ERR_MESSAGE_NO_ACCESS", REPLY, {"id": "text"}, "carol", TEXT),
    ("ERR_MESSAGE_THREAD_NESTING", REPLY, {"id": "reply"}, "alice", TEXT),
    ("ERR_WRONG_MESSAGE_THREAD", REPLY, {"id": "text"}, "alice", to_user("carol")),
    ("ERR_WRONG_MESSAGE_THREAD_CATEGORY", REPLY, {"id": "action"}, "alice", TEXT),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", REPLY, {"id": "deleted"}, "alice", TEXT),
    ("ERR_BLOCKED_RECEIVER", REPLY, {"id": "blocked"}, "carol", TEXT),
    ("ERR_BLOCKED_SENDER", REPLY, {"id": "blocked"}, "oscar", TEXT),
    ("ERR_MESSAGE_ID_NOT_FOUND", EDIT, {"id": NO_SUCH}, "alice", {"data": {"text": "y"}}),
    ("ERR_MESSAGE_ID_NOT_FOUND", EDIT, {"id": "x"}, "alice", {"data": {"text": "y"}}),
    ("ERR_UID_NOT_FOUND", EDIT, {"id": "text"}, "nobody", {"data": {"text": "y"}}),
    ("ERR_GROUP_NOT_JOINED", EDIT, {"id": "group"}, "oscar", {"data": {"text": "y"}}),
    ("ERR_MESSAGE_NOT_A_SENDER", EDIT, {"id": "text"}, "bob", {"data": {"text": "y"}}),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", EDIT, {"id": "action"}, "alice", {"data": {"text": "y"}}),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", EDIT, {"id": "deleted"}, "alice", {"data": {"text": "y"}}),
    ("ERR_INVALID_MESSAGE_DATA", EDIT, {"id": "text"}, "alice", {}),
    ("ERR_EMPTY_MESSAGE_TEXT", EDIT, {"id": "text"}, "alice", {"data": {"text": ""}}),
    ("ERR_INVALID_MESSAGE_TEXT", EDIT, {"id": "text"}, "alice", {"data": {"text": LONG}}),
    ("ERR_EMPTY_MESSAGE_FILE", EDIT, {"id": "image"}, "alice", {"data": {"attachments": []}}),
    ("ERR_INVALID_MEDIA_MESSAGE", EDIT, {"id": "image"}, "alice", {"data": {"attachments": FTP}}),
    ("ERR_EMPTY_CUSTOM_DATA", EDIT, {"id": "custom"}, "alice", {"data": {"customData": {}}}),
    ("ERR_INVALID_METADATA", EDIT, {"id": "text"}, "alice", {"data": {"metadata": LARGE}}),
    ("ERR_MESSAGE_ID_NOT_FOUND", DELETE, {"id": NO_SUCH}, None, None),
    ("ERR_UID_NOT_FOUND", DELETE, {"id": "text"}, "nobody", None),
    ("ERR_GROUP_NOT_JOINED", DELETE, {"id": "group"}, "oscar", None),
    ("ERR_MESSAGE_NOT_A_SENDER", DELETE, {"id": "text"}, "bob", None),
    ("ERR_MESSAGE_NOT_A_SENDER", DELETE, {"id": "group"}, "dan", None),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", DELETE, {"id": "deleted"}, "alice", None),
    *(
        row
        for route in (FOLLOW, LEAVE)
        for row in (
            ("ERR_MESSAGE_ID_NOT_FOUND", route, {"id": NO_SUCH}, "alice", None),
            ("ERR_UID_NOT_FOUND", route, {"id": "text"}, "nobody", None),
            ("ERR_GROUP_NOT_JOINED", route, {"id": "group"}, "oscar", None),
            ("ERR_MESSAGE_NO_ACCESS", route, {"id": "text"}, "carol", None),
        )
    ),
    ("ERR_MESSAGE_THREAD_NESTING", FOLLOW, {"id": "reply"}, "alice", None),
    ("ERR_WRONG_MESSAGE_THREAD_CATEGORY", FOLLOW, {"id": "action"}, "alice", None),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", FOLLOW, {"id": "deleted"}, "alice", None),
    *(
        row
        for route in (REACT, TAKE_BACK)
        for row in (
            ("ERR_MESSAGE_ID_NOT_FOUND", route, {"id": NO_SUCH, "reaction": "x"}, "alice", None),
            ("ERR_UID_NOT_FOUND", route, {"id": "text", "reaction": "x"}, "nobody", None),
            ("ERR_GROUP_NOT_JOINED", route, {"id": "group", "reaction": "x"}, "oscar", None),
            ("ERR_MESSAGE_NO_ACCESS", route, {"id": "text", "reaction": "x"}, "carol", None),
            (
                "ERR_MESSAGE_ACTION_NOT_ALLOWED",
                route,
                {"id": "deleted", "reaction": "x"},
                "alice",
                None,
            ),
        )
    ),
    ("ERR_PLAN_QUOTA_RESTRICTION", REACT, {"id": "crowded", "reaction": "new"}, "alice", None),
    ("ERR_REACTION_NOT_FOUND", TAKE_BACK, {"id": "text", "reaction": "x"}, "alice", None),
]
USERS: list[Row] = [
    ("ERR_UID_ALREADY_EXISTS", "POST /users", {}, None, {"uid": "ALICE", "name": "x"}),
    ("ERR_UID_ALREADY_EXISTS", "POST /users", {}, None, {"uid": "gone", "name": "x"}),
    ("ERR_UID_ALREADY_EXISTS", "POST /users", {}, None, {"uid": "app_system", "name": "x"}),
    ("ERR_INVALID_METADATA", "POST /users", {}, None, {"uid": "n", "name": "n", "metadata": LARGE}),
    ("ERR_BAD_REQUEST", "POST /users", {}, None, {"uid": "a b", "name": "n"}),
    ("ERR_BAD_REQUEST", "POST /users", {}, None, {"uid": "a" * 101, "name": "n"}),
    ("ERR_BAD_REQUEST", "POST /users", {}, None, {"uid": "n", "name": "n" * 101}),
    ("ERR_BAD_REQUEST", "POST /users", {}, None, {"uid": "n", "name": "n", "tags": ["t"] * 26}),
    ("ERR_BAD_REQUEST", "POST /users", {}, None, {"uid": "n", "name": "n", "tags": ["t" * 101]}),
    (
        "ERR_BAD_REQUEST",
        "POST /users",
        {},
        None,
        {"uid": "n", "name": "n", "avatar": "https://a/" + "x" * 3_000},
    ),
    ("ERR_UID_NOT_FOUND", "PUT /users/{uid}", {"uid": "nobody"}, None, {"name": "x"}),
    ("ERR_UID_NOT_FOUND", "PUT /users/{uid}", {"uid": "gone"}, None, {"name": "x"}),
    ("ERR_INVALID_METADATA", "PUT /users/{uid}", {"uid": "bob"}, None, {"metadata": LARGE}),
    ("ERR_PERMISSION_DENIED", "PUT /users/{uid}", {"uid": "app_system"}, None, {"name": "x"}),
    ("ERR_PERMISSION_DENIED", "DELETE /users", {}, None, {"uidsToDeactivate": ["app_system"]}),
    ("ERR_OPERATION_FAILED", "PUT /users", {}, None, {"uidsToActivate": ["gone"]}),
    ("ERR_UID_NOT_FOUND", "DELETE /users/{uid}", {"uid": "nobody"}, None, None),
    ("ERR_PERMISSION_DENIED", "DELETE /users/{uid}", {"uid": "app_system"}, None, None),
    ("ERR_UID_NOT_FOUND", "POST /users/{uid}/auth_tokens", {"uid": "nobody"}, None, {}),
    ("ERR_UID_NOT_FOUND", "DELETE /users/{uid}/auth_tokens", {"uid": "nobody"}, None, None),
    *(
        row
        for method, body in (("PUT", {"platform": "web"}), ("DELETE", None))
        for row in (
            (
                "ERR_UID_NOT_FOUND",
                f"{method} {TOKEN}",
                {"uid": "nobody", "authToken": "x"},
                None,
                body,
            ),
            (
                "ERR_AUTH_TOKEN_NOT_FOUND",
                f"{method} {TOKEN}",
                {"uid": "alice", "authToken": "x"},
                None,
                body,
            ),
            (
                "ERR_AUTHTOKEN_NOT_ACCESSIBLE",
                f"{method} {TOKEN}",
                {"uid": "bob", "authToken": "token"},
                None,
                body,
            ),
        )
    ),
    ("ERR_UID_NOT_FOUND", f"POST {BLOCK}", {"uid": "nobody"}, None, TO_BLOCK),
    ("ERR_UID_NOT_FOUND", f"DELETE {BLOCK}", {"uid": "nobody"}, None, TO_BLOCK),
]
G = {"guid": "g"}
NONE = {"guid": "none"}
GROUP = {"guid": "new", "name": "n"}
MANY = {"participants": [f"u{number}" for number in range(26)]}
GROUPS: list[Row] = [
    ("ERR_GUID_ALREADY_EXISTS", "POST /groups", {}, None, {"guid": "G", "name": "x"}),
    ("ERR_UID_NOT_FOUND", "POST /groups", {}, "nobody", GROUP),
    ("ERR_UID_NOT_FOUND", "POST /groups", {}, None, {**GROUP, "owner": "nobody"}),
    ("ERR_EMPTY_GROUP_PASS", "POST /groups", {}, None, {**GROUP, "type": "password"}),
    ("ERR_INVALID_METADATA", "POST /groups", {}, None, {**GROUP, "metadata": LARGE}),
    ("ERR_PLAN_QUOTA_RESTRICTION", "POST /groups", {}, "full", GROUP),
    ("ERR_BAD_REQUEST", "POST /groups", {}, None, {**GROUP, "members": MANY}),
    ("ERR_BAD_REQUEST", "POST /groups", {}, None, {**GROUP, "description": "x" * 256}),
    ("ERR_GUID_NOT_FOUND", "PUT /groups/{guid}", NONE, None, {"name": "x"}),
    ("ERR_UID_NOT_FOUND", "PUT /groups/{guid}", G, "nobody", {"name": "x"}),
    ("ERR_NOT_A_MEMBER", "PUT /groups/{guid}", G, None, {"owner": "oscar"}),
    ("ERR_GROUP_NOT_JOINED", "PUT /groups/{guid}", G, "oscar", {"name": "x"}),
    ("ERR_GROUP_NO_MODERATOR_SCOPE", "PUT /groups/{guid}", G, "carol", {"name": "x"}),
    ("ERR_EMPTY_GROUP_PASS", "PUT /groups/{guid}", G, None, {"type": "password"}),
    ("ERR_INVALID_METADATA", "PUT /groups/{guid}", G, None, {"metadata": LARGE}),
    ("ERR_GUID_NOT_FOUND", "DELETE /groups/{guid}", NONE, None, None),
    ("ERR_UID_NOT_FOUND", "DELETE /groups/{guid}", G, "nobody", None),
    ("ERR_GROUP_NOT_JOINED", "DELETE /groups/{guid}", G, "oscar", None),
    ("ERR_GROUP_NO_ADMIN_SCOPE", "DELETE /groups/{guid}", G, "bob", None),
    ("ERR_GUID_NOT_FOUND", MEMBERS, NONE, None, {"participants": ["oscar"]}),
    ("ERR_UID_NOT_FOUND", MEMBERS, G, "nobody", {"participants": ["oscar"]}),
    ("ERR_GROUP_NOT_JOINED", MEMBERS, G, "oscar", {"participants": ["oscar"]}),
    ("ERR_GROUP_NO_MODERATOR_SCOPE", MEMBERS, G, "carol", {"participants": ["oscar"]}),
    ("ERR_BAD_REQUEST", MEMBERS, G, None, MANY),
    *(
        row
        for route, body in ((SCOPE, {"scope": "participant"}), (KICK, None), (BAN, None))
        for row in (
            ("ERR_GUID_NOT_FOUND", route, {"guid": "none", "uid": "carol"}, None, body),
            ("ERR_UID_NOT_FOUND", route, {"guid": "g", "uid": "nobody"}, None, body),
            ("ERR_UID_NOT_FOUND", route, {"guid": "g", "uid": "carol"}, "nobody", body),
            ("ERR_GROUP_NOT_JOINED", route, {"guid": "g", "uid": "carol"}, "oscar", body),
            ("ERR_NOT_A_MEMBER", route, {"guid": "g", "uid": "oscar"}, None, body),
            ("ERR_GROUP_NO_MODERATOR_SCOPE", route, {"guid": "g", "uid": "erin"}, "carol", body),
            ("ERR_GROUP_NO_SCOPE_CLEARANCE", route, {"guid": "g", "uid": "dan"}, "bob", body),
            ("ERR_GROUP_NO_SCOPE_CLEARANCE", route, {"guid": "g", "uid": "alice"}, "dan", body),
            ("ERR_GROUP_NO_SELF_ACTION", route, {"guid": "g", "uid": "dan"}, "dan", body),
        )
    ),
    ("ERR_SAME_SCOPE", SCOPE, {"guid": "g", "uid": "carol"}, None, {"scope": "participant"}),
    ("ERR_ALREADY_BANNED", BAN, {"guid": "g", "uid": "frank"}, None, None),
    ("ERR_GUID_NOT_FOUND", UNBAN, {"guid": "none", "uid": "frank"}, None, None),
    ("ERR_UID_NOT_FOUND", UNBAN, {"guid": "g", "uid": "nobody"}, None, None),
    ("ERR_GROUP_NOT_JOINED", UNBAN, {"guid": "g", "uid": "frank"}, "oscar", None),
    ("ERR_NOT_A_BANNED_USER", UNBAN, {"guid": "g", "uid": "carol"}, None, None),
    ("ERR_GROUP_NO_MODERATOR_SCOPE", UNBAN, {"guid": "g", "uid": "frank"}, "carol", None),
    ("ERR_GROUP_NO_SELF_ACTION", UNBAN, {"guid": "g", "uid": "dan"}, "dan", None),
]
READS: list[Row] = [
    *(
        row
        for route in (
            "GET /messages/{id}",
            "GET /messages/{id}/thread",
            "GET /messages/{id}/reactions",
            "GET /messages/{id}/reactions/{reaction}",
        )
        for row in (
            ("ERR_MESSAGE_ID_NOT_FOUND", route, {"id": NO_SUCH, "reaction": "x"}, None, None),
            ("ERR_UID_NOT_FOUND", route, {"id": "text", "reaction": "x"}, "nobody", None),
            ("ERR_GROUP_NOT_JOINED", route, {"id": "group", "reaction": "x"}, "oscar", None),
            ("ERR_MESSAGE_NO_ACCESS", route, {"id": "text", "reaction": "x"}, "carol", None),
        )
    ),
    *(
        row
        for route, parameters in (
            ("GET /messages", {}),
            ("GET /users/{uid}/messages", {"uid": "bob"}),
            ("GET /groups/{guid}/messages", G),
        )
        for row in (
            ("ERR_UID_NOT_FOUND", route, parameters, "nobody", None),
            ("ERR_MESSAGE_ID_NOT_FOUND", f"{route}?id=x", parameters, None, None),
            ("ERR_BAD_REQUEST", f"{route}?limit=1001", parameters, None, None),
            ("ERR_BAD_REQUEST", f"{route}?unread=1", parameters, "alice", None),
            ("ERR_BAD_REQUEST", f"{route}?mentionsWithBlockedInfo=1", parameters, None, None),
        )
    ),
    ("ERR_UID_NOT_FOUND", "GET /messages?sender=nobody", {}, None, None),
    ("ERR_UID_NOT_FOUND", "GET /users/{uid}/messages", {"uid": "nobody"}, None, None),
    ("ERR_BAD_REQUEST", "GET /users/{uid}/messages?myMentionsOnly=1", {"uid": "bob"}, None, None),
    ("ERR_GUID_NOT_FOUND", "GET /groups/{guid}/messages", NONE, None, None),
    ("ERR_GROUP_NOT_JOINED", "GET /groups/{guid}/messages", G, "oscar", None),
    ("ERR_UID_NOT_FOUND", "GET /threads", {}, "nobody", None),
    ("ERR_MESSAGE_ID_NOT_FOUND", "GET /threads?updatedAt=1&id=x", {}, "alice", None),
    ("ERR_BAD_REQUEST", "GET /threads", {}, None, None),
    ("ERR_BAD_REQUEST", "GET /threads?id=1", {}, "alice", None),
    ("ERR_BAD_REQUEST", "GET /threads?participatedByMe=false", {}, "alice", None),
    ("ERR_UID_NOT_FOUND", "GET /users", {}, "nobody", None),
    ("ERR_BAD_REQUEST", "GET /users?perPage=1001", {}, None, None),
    ("ERR_BAD_REQUEST", "GET /users?page=0", {}, None, None),
    ("ERR_UID_NOT_FOUND", "GET /users/{uid}", {"uid": "gone"}, None, None),
    ("ERR_UID_NOT_FOUND", "GET /users/{uid}/auth_tokens", {"uid": "nobody"}, None, None),
    ("ERR_UID_NOT_FOUND", f"GET {TOKEN}", {"uid": "nobody", "authToken": "x"}, None, None),
    ("ERR_AUTH_TOKEN_NOT_FOUND", f"GET {TOKEN}", {"uid": "alice", "authToken": "x"}, None, None),
    (
        "ERR_AUTHTOKEN_NOT_ACCESSIBLE",
        f"GET {TOKEN}",
        {"uid": "bob", "authToken": "token"},
        None,
        None,
    ),
    ("ERR_UID_NOT_FOUND", f"GET {BLOCK}", {"uid": "nobody"}, None, None),
    ("ERR_UID_NOT_FOUND", "GET /groups", {}, "nobody", None),
    ("ERR_BAD_REQUEST", "GET /groups?hasJoined=true", {}, None, None),
    ("ERR_BAD_REQUEST", "GET /groups?updatedAt=-1", {}, None, None),
    ("ERR_GROUP_NOT_JOINED", "GET /groups/{guid}", {"guid": "hidden"}, "bob", None),
    ("ERR_GROUP_NO_MODERATOR_SCOPE", "GET /groups/{guid}/bannedusers", G, "carol", None),
    *(
        row
        for route in (
            "GET /groups/{guid}",
            "GET /groups/{guid}/members",
            "GET /groups/{guid}/bannedusers",
        )
        for row in (
            ("ERR_GUID_NOT_FOUND", route, NONE, None, None),
            ("ERR_UID_NOT_FOUND", route, G, "nobody", None),
        )
    ),
    ("ERR_GROUP_NOT_JOINED", "GET /groups/{guid}/members", G, "oscar", None),
    ("ERR_GROUP_NOT_JOINED", "GET /groups/{guid}/bannedusers", G, "oscar", None),
]
TABLE = [*MESSAGES, *USERS, *GROUPS, *READS]


async def test_a_refused_call_says_why_changes_nothing_and_fires_nothing(world: World) -> None:
    before = world.state()
    for code, route, parameters, by, body in TABLE:
        method, path = route.split(" ")
        for name, value in parameters.items():
            path = path.replace(f"{{{name}}}", world.ids.get(value, value))
        answer = await call(world.server, method, path, body, by)
        assert (answer.code, answer.status) == (code, STATUS_BY_CODE[code]), (route, by, body)
    assert world.state() == before


async def test_the_state_that_is_compared_shows_a_change(world: World) -> None:
    before = world.state()
    await call(world.server, "PUT", "/users/erin", {"statusMessage": "changed"}, None)
    assert world.state() != before


async def test_the_table_has_every_error_that_a_call_declares(world: World) -> None:
    declared = {
        (code, f"{route.method} {route.path}")
        for route in chat_routes(world.server.store, world.server.outbox)
        for code in route.errors
    }
    assert declared - {(code, route.partition("?")[0]) for code, route, *_ in TABLE} == set()
