"""Ids that look alike never share a conversation, from the call to an ordered endpoint (delivery contract §7).

`a` with `b_user_c` and `a_user_b` with `c` show the same `conversationId`, and so do the group `user_x` and the pair
of `group` and `x`; yet who sees what, which stream an event belongs to and what is held back tell them apart.
"""

import ipaddress
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support import stores
from support.scripted_endpoint import Received, ScriptedEndpoint
from support.server import Client, running

pytestmark = pytest.mark.anyio

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PAIRS = (("a", "b_user_c"), ("a_user_b", "c"), ("group", "x"))
SHOWN = "a_user_b_user_c"
SHOWN_BY_GROUP = "group_user_x"
PATIENT_S = 30.0
"""What the endpoint has to answer: it is kept waiting on purpose."""


async def call(server: Client, method: str, path: str, body: Any = None, by: str = "") -> Any:
    headers = {"onBehalfOf": by} if by else {}
    return await server.call(method, path, body, headers=headers)


async def say(server: Client, text: str, by: str, to: str, kind: str = "user") -> str:
    body = {
        "receiver": to,
        "receiverType": kind,
        "category": "message",
        "type": "text",
        "data": {"text": text},
    }
    return str((await call(server, "POST", "/messages", body, by)).data["id"])


@pytest.fixture(scope="module")
async def server(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[Client]:
    allowed = {"allow_target_networks": LOOPBACK, "allow_http_targets": True}
    folder = tmp_path_factory.mktemp("server")
    async with running(folder, request_timeout=PATIENT_S, **allowed) as client:
        for uid in dict.fromkeys(uid for pair in PAIRS for uid in pair):
            await call(client, "POST", "/users", {"uid": uid, "name": uid})
        group = {"guid": "user_x", "name": "G", "members": {"participants": ["c"]}}
        await call(client, "POST", "/groups", group, "a")
        yield client


async def seen(server: Client, path: str, by: str = "") -> list[str]:
    messages = (await call(server, "GET", path, by=by)).data
    return [one["data"]["text"] for one in messages if one["category"] == "message"]


async def test_each_sees_their_own_conversation_alone(server: Client) -> None:
    await say(server, "one", "a", "b_user_c")
    await say(server, "two", "a_user_b", "c")
    await say(server, "three", "group", "x")
    await say(server, "four", "a", "user_x", "group")
    by_id = f"/messages?conversationId={SHOWN}&limit=100"
    for uid, wanted in (
        ("a", ["one"]),
        ("b_user_c", ["one"]),
        ("a_user_b", ["two"]),
        ("c", ["two"]),
        ("x", []),
        ("", ["one", "two"]),
    ):
        assert await seen(server, by_id, uid) == wanted, uid
    of_group = f"/messages?conversationId={SHOWN_BY_GROUP}&limit=100"
    for uid, wanted in (("x", ["three"]), ("a", ["four"]), ("c", ["four"]), ("a_user_b", [])):
        assert await seen(server, of_group, uid) == wanted, uid
    assert await seen(server, "/users/b_user_c/messages", "a") == ["one"]
    assert await seen(server, "/users/c/messages", "a_user_b") == ["two"]
    assert await seen(server, "/users/c/messages", "a") == []
    assert await seen(server, "/users/x/messages", "group") == ["three"]
    assert await seen(server, "/groups/user_x/messages") == ["four"]


async def test_who_is_not_of_the_pair_gets_no_hold_of_its_messages(server: Client) -> None:
    sent = await say(server, "mine", "a", "b_user_c")
    for method, path, code in (
        ("GET", f"/messages/{sent}", "ERR_MESSAGE_NO_ACCESS"),
        ("POST", f"/messages/{sent}/reactions/x", "ERR_MESSAGE_NO_ACCESS"),
        ("POST", f"/messages/{sent}/thread/subscription", "ERR_MESSAGE_NO_ACCESS"),
        ("GET", f"/messages/{sent}/thread", "ERR_MESSAGE_NO_ACCESS"),
        ("DELETE", f"/messages/{sent}", "ERR_MESSAGE_NOT_A_SENDER"),
    ):
        for uid in ("a_user_b", "c"):
            assert (await call(server, method, path, by=uid)).code == code


async def test_an_ordered_endpoint_gets_them_side_by_side(server: Client) -> None:
    async with ScriptedEndpoint() as endpoint:
        hook = {
            "id": "ordered",
            "name": "Ordered",
            "webhookURL": endpoint.url(),
            "ordered": True,
            "triggers": ["message_sent"],
        }
        assert (await call(server, "POST", "/webhooks", hook)).status == 200
        endpoint.hold()
        first = await say(server, "1", "a", "b_user_c")
        again = await say(server, "2", "b_user_c", "a")
        other = await say(server, "3", "c", "a_user_b")
        pair = await say(server, "4", "x", "group")
        group = await say(server, "5", "a", "user_x", "group")
        waiting = await endpoint.arrived(4)
        # All four are on their way at once; the second message of the first pair waits for its first.
        assert endpoint.concurrent == 4
        assert {_message(one)["id"] for one in waiting[:4]} == {first, other, pair, group}
        endpoint.release()
        arrived = {_message(one)["id"]: one for one in await endpoint.arrived(5)}
        assert set(arrived) == {first, again, other, pair, group}
        sequence = {key: int(one.headers["chathooks-sequence"]) for key, one in arrived.items()}
        assert sequence[again] == sequence[first] + 1
        shown = {key: _message(one)["conversationId"] for key, one in arrived.items()}
        assert shown[first] == shown[other] == SHOWN
        assert shown[pair] == shown[group] == SHOWN_BY_GROUP


def _message(one: Received) -> Any:
    return json.loads(one.body)["data"]["message"]
