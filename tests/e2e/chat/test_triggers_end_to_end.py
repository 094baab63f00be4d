"""From the REST call to the body at the endpoint: each trigger that chat fires, and nothing of refused calls.

Delivery contract §1 (the body), §3.5 (nothing is fired for a refused request), §5 (what fires what), §7 "Schemas".
"""

import ast
import ipaddress
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from chathooks import chat
from chathooks_events.catalog import TRIGGERS, schema
from support import stores
from support.scripted_endpoint import Received, ScriptedEndpoint
from support.server import Client, running

pytestmark = pytest.mark.anyio

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TEXT = {"category": "message", "type": "text"}
TO_BOB = {**TEXT, "receiver": "bob", "receiverType": "user"}
THUMB = quote("👍")


@dataclass(frozen=True)
class Step:
    """A call, who makes it, and what it fires, in this order."""

    method: str
    path: str
    body: Any
    by: str | None
    fires: tuple[str, ...]


STORY = [
    Step("POST", "/messages", {**TO_BOB, "data": {"text": "hi"}}, "alice", ("message_sent",)),
    Step(
        "POST",
        "/messages",
        {**TO_BOB, "data": {"text": "<@uid:carol>"}},
        "alice",
        ("message_sent", "user_mentioned"),
    ),
    Step("PUT", "/messages/1", {"data": {"text": "ho"}}, "alice", ("message_edited",)),
    Step("POST", f"/messages/1/reactions/{THUMB}", None, "bob", ("message_reaction_added",)),
    Step("DELETE", f"/messages/1/reactions/{THUMB}", None, "bob", ("message_reaction_removed",)),
    Step("POST", "/messages/1/thread", {**TEXT, "data": {"text": "re"}}, "bob", ("message_sent",)),
    Step("DELETE", "/messages/2", None, "alice", ("message_deleted",)),
    Step("DELETE", "/messages/1", {"permanent": True}, None, ("message_deleted",)),
    Step("POST", "/groups", {"guid": "g", "name": "G"}, "alice", ("group_created",)),
    Step(
        "POST",
        "/groups/g/members",
        {"participants": ["bob", "carol", "dave"]},
        "alice",
        ("group_member_added",),
    ),
    Step("PUT", "/groups/g", {"name": "H"}, "alice", ("group_updated",)),
    Step(
        "PUT",
        "/groups/g/members/bob",
        {"scope": "admin"},
        "alice",
        ("group_member_scope_changed",),
    ),
    Step("PUT", "/groups/g", {"owner": "bob"}, None, ("group_owner_transferred",)),
    Step("POST", "/groups/g/bannedusers/carol", None, "bob", ("group_member_banned",)),
    Step("DELETE", "/groups/g/bannedusers/carol", None, "bob", ("group_member_unbanned",)),
    Step("DELETE", "/groups/g/members/dave", None, "bob", ("group_member_kicked",)),
    Step(
        "DELETE",
        "/groups/g/members/alice",
        None,
        None,
        ("group_member_kicked", "group_member_removed"),
    ),
    Step("POST", "/users/alice/blockedusers", {"blockedUids": ["bob"]}, None, ("user_blocked",)),
    Step(
        "DELETE", "/users/alice/blockedusers", {"blockedUids": ["bob"]}, None, ("user_unblocked",)
    ),
    Step(
        "DELETE",
        "/users/bob",
        None,
        None,
        ("group_owner_transferred", "group_member_removed"),
    ),
    Step("DELETE", "/groups/g", None, None, ("group_deleted",)),
]
REFUSED = [
    (404, "POST", "/messages", {**TO_BOB, "data": {"text": "x"}}, "alice"),
    (400, "POST", "/messages", {**TO_BOB, "receiver": "carol", "data": {"text": ""}}, "alice"),
    (404, "PUT", "/messages/999999999999", {"data": {"text": "x"}}, "alice"),
    (403, "DELETE", "/messages/2", None, "carol"),
    (404, "POST", "/messages/999999999999/reactions/x", None, "alice"),
    (404, "PUT", "/groups/none", {"name": "x"}, None),
    (404, "POST", "/groups/none/bannedusers/alice", None, None),
    (404, "DELETE", "/groups/none/members/alice", None, None),
    (404, "POST", "/users/nobody/blockedusers", {"blockedUids": ["alice"]}, None),
    (404, "DELETE", "/users/nobody", None, None),
    (400, "POST", "/users/alice/blockedusers", {"blockedUids": []}, None),
]
FIRED = [trigger for step in STORY for trigger in step.fires]
LAST = {**TO_BOB, "receiver": "carol", "data": {"text": "last"}}


async def call(server: Client, method: str, path: str, body: Any, by: str | None) -> Any:
    headers = {} if by is None else {"onBehalfOf": by}
    return await server.call(method, path, body, headers=headers)


async def tell(server: Client, endpoint: ScriptedEndpoint) -> None:
    """The story, call by call, with all that chat fires delivered to the endpoint."""
    for uid in ("alice", "bob", "carol", "dave"):
        assert (await call(server, "POST", "/users", {"uid": uid, "name": uid}, None)).status == 200
    hook = {
        "id": "all",
        "name": "All",
        "webhookURL": endpoint.url(),
        "triggers": sorted(set(FIRED)),
    }
    assert (await call(server, "POST", "/webhooks", hook, None)).status == 200
    for step in STORY:
        answer = await call(server, step.method, step.path, step.body, step.by)
        assert answer.status == 200, (step, answer.body)
    for status, method, path, body, by in REFUSED:
        answer = await call(server, method, path, body, by)
        assert answer.status == status, (method, path, answer.body)
    assert (await call(server, "POST", "/messages", LAST, "alice")).status == 200


@pytest.fixture(scope="module")
async def received(
    tmp_path_factory: pytest.TempPathFactory, backend: stores.Backend
) -> AsyncIterator[list[Received]]:
    """What arrived, in the order of the feed."""
    folder = tmp_path_factory.mktemp("server")
    allowed = {"allow_target_networks": LOOPBACK, "allow_http_targets": True}
    async with ScriptedEndpoint() as endpoint, running(folder, **allowed) as server:
        await tell(server, endpoint)
        arrived = await endpoint.arrived(len(FIRED) + 1)
        yield sorted(arrived, key=lambda request: request.number)


async def test_each_call_fires_what_the_contract_says_in_this_order(
    received: list[Received],
) -> None:
    assert [request.event.trigger for request in received] == [*FIRED, "message_sent"]
    assert [request.number for request in received] == list(range(1, len(FIRED) + 2))


async def test_refused_calls_leave_no_hole_and_fire_nothing(received: list[Received]) -> None:
    # What follows them has the next number, so nothing stands between.
    last = received[-1]
    assert last.number == len(FIRED) + 1
    assert json.loads(last.body)["data"]["message"]["data"]["text"] == "last"
    assert "nobody" not in b"".join(request.body for request in received).decode()


@pytest.mark.parametrize("trigger", sorted(set(FIRED)))
async def test_the_body_that_arrives_is_as_its_schema_says(
    received: list[Received], trigger: str
) -> None:
    bodies = [json.loads(one.body) for one in received if one.event.trigger == trigger]
    assert bodies
    validator = jsonschema.Draft202012Validator(schema(trigger))
    for body in bodies:
        validator.validate(body)
        assert (body["appId"], body["region"], body["webhook"]) == ("app1", "us", "all")
        assert body["eventId"].startswith("evt_")


def test_the_story_has_every_trigger_that_the_chat_core_fires() -> None:
    named = {
        node.value
        for path in Path(chat.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in TRIGGERS
    }
    assert named == set(FIRED)
