"""Memberships that a call leaves for later end by themselves, each told once (delivery contract §5, §7)."""

import ipaddress
import json
from pathlib import Path

import pytest

from chathooks.chat.departures import MEMBERSHIPS_PER_STEP
from support.scripted_endpoint import ScriptedEndpoint
from support.server import running

pytestmark = pytest.mark.anyio

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
GROUPS = MEMBERSHIPS_PER_STEP + 3


async def test_a_user_in_many_groups_leaves_all_of_them_after_one_call(tmp_path: Path) -> None:
    allowed = {"allow_target_networks": LOOPBACK, "allow_http_targets": True}
    async with ScriptedEndpoint() as endpoint, running(tmp_path, **allowed) as server:
        await server.call("POST", "/users", {"uid": "alice", "name": "Alice"})
        for number in range(GROUPS):
            body = {
                "guid": f"g{number}",
                "name": "G",
                "members": {"participants": ["alice"]},
            }
            assert (await server.call("POST", "/groups", body)).status == 200
        hook = {
            "id": "w",
            "name": "w",
            "webhookURL": endpoint.url(),
            "triggers": ["group_member_removed"],
        }
        assert (await server.call("POST", "/webhooks", hook)).status == 200
        assert (await server.call("DELETE", "/users/alice")).status == 200
        arrived = await endpoint.arrived(GROUPS, timeout_s=20)
        told = [json.loads(request.body)["data"]["group"]["guid"] for request in arrived]
        assert sorted(told) == sorted(f"g{number}" for number in range(GROUPS))
        read = await server.call("GET", f"/groups/g{GROUPS - 1}")
        assert read.data["membersCount"] == 1
