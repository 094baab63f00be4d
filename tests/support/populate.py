"""Puts something into every table that an app has rows in, through the API."""

from collections.abc import Awaitable, Callable
from typing import Any

from support.server import Response

Call = Callable[..., Awaitable[Response]]
"""`call(method, path, body=None, headers=None)` below /v3, with a fullAccess key of the app."""

USERS = ("alice", "bob", "carol", "dave", "erin", "frank")


async def done(answer: Awaitable[Response]) -> Any:
    """The data of an answer that must be a success."""
    return (await answer).data


async def fill_chat(call: Call) -> dict[str, str]:
    """Users, groups, messages and what hangs on them; answers the ids of a message and of a reply to it."""
    for uid in USERS:
        body = {
            "uid": uid,
            "name": uid.title(),
            "tags": ["vip"],
            "metadata": {"@private": {"a": 1}},
        }
        await done(call("POST", "/users", {**body, "withAuthToken": True}))
    members = {
        "admins": ["alice"],
        "participants": ["bob", "carol", "dave"],
        "usersToBan": ["erin"],
    }
    group = {"guid": "team", "name": "Team", "type": "public", "owner": "alice", "tags": ["t"]}
    await done(call("POST", "/groups", {**group, "members": members}))
    secret = {"guid": "club", "name": "Club", "type": "password", "password": "open"}
    await done(call("POST", "/groups", secret))
    blocks = {"blockedUids": ["frank"]}
    await done(call("POST", "/users/alice/blockedusers", blocks))
    as_alice = {"onBehalfOf": "alice"}
    message = {
        "receiver": "bob",
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "Hello <@uid:bob>", "metadata": {"n": 1}},
        "tags": ["m"],
        "muid": "m-1",
    }
    first = await done(call("POST", "/messages", message, headers=as_alice))
    to_group = {**message, "receiver": "team", "receiverType": "group", "data": {"text": "all"}}
    await done(call("POST", "/messages", to_group, headers=as_alice))
    reply = {"category": "message", "type": "text", "data": {"text": "re"}}
    path = f"/messages/{first['id']}"
    answered = await done(call("POST", f"{path}/thread", reply, headers={"onBehalfOf": "bob"}))
    await done(call("POST", f"{path}/reactions/x", headers={"onBehalfOf": "bob"}))
    await done(call("PUT", path, {"data": {"text": "Hello again"}}, headers=as_alice))
    return {"message": str(first["id"]), "reply": str(answered["id"])}


async def add_webhook(call: Call, webhook_id: str, url: str, **fields: Any) -> Any:
    """A webhook that gets messages; answers it with its secret."""
    body = {"id": webhook_id, "name": webhook_id, "webhookURL": url, "triggers": ["message_sent"]}
    return await done(call("POST", "/webhooks", {**body, **fields}))


async def send(call: Call, text: str, *, to: str = "bob", by: str = "alice") -> Any:
    """A message to a user."""
    body = {"receiver": to, "receiverType": "user", "category": "message", "type": "text"}
    message = {**body, "data": {"text": text}}
    return await done(call("POST", "/messages", message, headers={"onBehalfOf": by}))
