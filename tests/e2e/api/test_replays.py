"""Replays over HTTP: count, make due, see how far it is, stop (delivery contract §6)."""

import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chathooks.delivery import replay as replay_module
from support.populate import add_webhook, send
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, running
from support.waiting import until

pytestmark = pytest.mark.anyio

MESSAGES = 7
PATH = "/webhooks/orders/replay"


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint(default=500) as listening:
        yield listening


@pytest.fixture
async def server(tmp_path: Path, endpoint: ScriptedEndpoint) -> AsyncIterator[Client]:
    """With deliveries that failed."""
    async with running(
        tmp_path,
        allow_http_targets=True,
        allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),),
    ) as client:
        for uid in ("alice", "bob"):
            await client.call("POST", "/users", {"uid": uid, "name": uid})
        await add_webhook(client.call, "orders", endpoint.url())
        for number in range(MESSAGES):
            await send(client.call, f"number {number}")
        await until_states(client, "failed", MESSAGES)
        yield client


async def until_states(client: Client, state: str, count: int) -> None:
    async def so_many() -> bool:
        path = f"/webhooks/orders/deliveries?state={state}"
        return len((await client.call("GET", path)).data) == count

    await until(so_many)


async def test_a_dry_run_answers_with_count_and_cost(
    server: Client, endpoint: ScriptedEndpoint
) -> None:
    answer = (await server.call("POST", PATH, {"dryRun": True, "fromNumber": 2})).data
    cost = answer.pop("cost")
    expected = {"matched": MESSAGES - 1, "replayed": 0, "dryRun": True, "complete": True}
    assert answer == expected
    assert set(cost) == {"requests", "requestsMax", "bytes", "seconds"}
    assert (cost["requests"], cost["requestsMax"]) == (MESSAGES - 1, MESSAGES - 1)
    assert cost["bytes"] > (MESSAGES - 1) * 1000
    assert cost["seconds"] >= 0
    assert len(endpoint.requests) == MESSAGES


async def test_numbers_narrow_a_replay(server: Client, endpoint: ScriptedEndpoint) -> None:
    endpoint.default = 200
    answer = (await server.call("POST", PATH, {"fromNumber": 3, "toNumber": 4})).data
    assert answer == {"matched": 2, "replayed": 2, "dryRun": False}
    await until_states(server, "delivered", 2)
    assert sorted(one.number for one in endpoint.requests[MESSAGES:]) == [3, 4]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"fromNumber": 5, "toNumber": 4}, "fromNumber"),
        ({"fromNumber": 0}, "fromNumber"),
        ({"toNumber": "x"}, "toNumber"),
        ({"states": ["pending"]}, "states"),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(
    server: Client, body: dict[str, Any], field: str
) -> None:
    refused = await server.call("POST", PATH, body)
    assert (refused.status, refused.code) == (400, "ERR_BAD_REQUEST")
    assert field in refused.details


async def test_a_big_replay_says_how_far_it_is_until_it_is_done(
    server: Client, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "DELIVERIES_PER_TRANSACTION", 2)
    monkeypatch.setattr(replay_module, "TRANSACTIONS_PER_CALL_MAX", 1)
    endpoint.default = 200
    answer = (await server.call("POST", PATH)).data
    assert (answer["matched"], answer["replayed"], answer["dryRun"]) == (2, 2, False)
    progress = answer["replay"]
    assert set(progress) == {
        *("id", "webhook", "state", "progress", "replayed"),
        *("fromNumber", "nextNumber", "toNumber", "createdAt"),
    }
    assert (progress["webhook"], progress["state"]) == ("orders", "running")
    assert (progress["fromNumber"], progress["nextNumber"]) == (1, 3)
    assert (progress["toNumber"], progress["progress"]) == (MESSAGES, round(2 / MESSAGES, 4))
    path = f"/replays/{progress['id']}"

    async def is_done() -> bool:
        return (await server.call("GET", path)).data["state"] == "done"

    await until(is_done)
    await until_states(server, "delivered", MESSAGES)
    done = (await server.call("GET", path)).data
    assert (done["progress"], done["replayed"]) == (1.0, MESSAGES)
    assert done["endedAt"] >= done["createdAt"]
    listed = await server.call("GET", "/webhooks/orders/replays")
    assert (listed.data, listed.json["meta"]) == ([done], {})
    managed = await server.manage("GET", "/webhooks/orders/replays")
    assert managed.data == [done]


async def test_a_replay_is_stopped(
    server: Client, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "DELIVERIES_PER_TRANSACTION", 2)
    monkeypatch.setattr(replay_module, "TRANSACTIONS_PER_CALL_MAX", 1)
    monkeypatch.setattr(replay_module, "REPLAYS_WAITING_MAX", 2)
    endpoint.hold()
    started = (await server.call("POST", PATH)).data["replay"]
    stopped = (await server.call("DELETE", f"/replays/{started['id']}")).data
    assert (stopped["state"], stopped["replayed"]) == ("stopped", 2)
    endpoint.default = 200
    endpoint.release()
    await until_states(server, "delivered", 2)
    await until_states(server, "failed", MESSAGES - 2)
    assert (await server.call("GET", f"/replays/{started['id']}")).data == stopped


@pytest.mark.parametrize("replay", ["rpl_1", "rpl_", "rpl_x", "1", "dlv_1_1", "rpl_" + "9" * 30])
async def test_an_unknown_replay_is_not_found(server: Client, replay: str) -> None:
    for method in ("GET", "DELETE"):
        unknown = await server.call(method, f"/replays/{replay}")
        assert (unknown.status, unknown.code) == (404, "ERR_REPLAY_NOT_FOUND")
