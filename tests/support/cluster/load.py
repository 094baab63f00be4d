"""Load on a cluster: writers that send messages through all API nodes, and what was answered to them.

A message that was answered with 200 must be delivered. One that was answered with 503, or not at all, may or may not exist:
its sender goes on with another one.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from support.cluster.nodes import Cluster
from support.crash.process import Client, make_users, make_webhook
from support.crash.sink import Sink

USERS = ("ann", "ben", "cem", "dua")
GROUP = "team"
WEBHOOKS = ("plain", "ordered", "slow", "second", "third", "fourth")
LANES_APART = 10
"""Nodes have lanes in rows, so webhooks whose lanes are far apart are delivered by different nodes."""
PACE_S = 0.04
"""Between two messages of a writer: the machine is shared with the nodes."""
AWAY_S = 0.1
"""Before a writer that was refused tries another node."""


@dataclass
class Load:
    """Messages sent so far. Make it, `prepare` it, then use `running`."""

    cluster: Cluster
    sink: Sink
    seed: int = 1
    webhooks: tuple[str, ...] = WEBHOOKS
    acknowledged: set[str] = field(default_factory=set)
    unknown: int = 0
    """Calls that were not answered, or answered with 503."""
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    """Of every acknowledged message: when it was answered, how long that took (s), and by which node."""

    to_group_only: bool = False

    async def prepare(self) -> None:
        """Make users, a group of them, and webhooks in lanes that different nodes have."""
        client = self.cluster.client(self.cluster.api_nodes[0])
        try:
            await make_users(client, *USERS)
            await made(client, "/groups", {"guid": GROUP, "name": GROUP, "type": "public"})
            members = {"participants": list(USERS)}
            await made(client, f"/groups/{GROUP}/members", members)
            for place, name in enumerate(self.webhooks):
                await make_webhook(client, name, self.sink.url(name), **fields_of(name))
                if place < len(self.webhooks) - 1:
                    for filler in range(LANES_APART - 1):
                        await _fill(client, f"filler-{place}-{filler}")
        finally:
            client.close()

    @asynccontextmanager
    async def running(self, writers: int = 6, *, pace_s: float = PACE_S) -> AsyncIterator["Load"]:
        """Write while the block runs; at its end the calls under way are answered first."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._write(place, pace_s, stop)) for place in range(writers)]
        try:
            yield self
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def sent(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more messages were acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(timeout_s):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 -- the writers have no event for it
                await asyncio.sleep(0.01)

    async def _write(self, place: int, pace_s: float, stop: asyncio.Event) -> None:
        picked = random.Random(self.seed * 1_000 + place)
        nodes = self.cluster.api_nodes
        turn = place
        clients: dict[str, Client] = {}
        try:
            while not stop.is_set():
                name = nodes[turn % len(nodes)]
                client = clients.setdefault(name, Client(0))
                client._port = self.cluster.nodes[name].port
                if await self._send(client, name, picked):
                    await asyncio.sleep(pace_s)
                else:
                    turn += 1
                    await asyncio.sleep(AWAY_S)
        finally:
            for client in clients.values():
                client.close()

    async def _send(self, client: Client, node: str, picked: random.Random) -> bool:
        sender, receiver = picked.sample(USERS, 2)
        to_group = self.to_group_only or picked.random() < 0.5
        body = {
            "receiver": GROUP if to_group else receiver,
            "receiverType": "group" if to_group else "user",
            "category": "message",
            "type": "text",
            "data": {"text": "hello"},
        }
        began = time.monotonic()
        try:
            answer = await client.call("POST", "/messages", body, actor=sender)
        except (OSError, EOFError):
            self.unknown += 1
            return False
        if answer.status == 503:
            self.unknown += 1
            return False
        assert answer.status == 200, answer
        ended = time.monotonic()
        self.acknowledged.add(str(answer.data["id"]))
        self.answers.append((ended, ended - began, node))
        return True


def fields_of(webhook: str) -> dict[str, Any]:
    """What the webhooks of the load are made with."""
    fields: dict[str, Any] = {"retryOnFailure": True}
    if webhook == "ordered":
        fields["ordered"] = True
    if webhook == "slow":
        fields["maxConcurrency"] = 4
    return fields


async def made(client: Client, path: str, body: Any, *, actor: str | None = None) -> Any:
    answer = await client.call("POST", path, body, actor=actor)
    assert answer.status == 200, answer
    return answer.data


async def _fill(client: Client, name: str) -> None:
    """Use up a lane."""
    body = {"id": name, "name": name, "webhookURL": "https://example.com/filler", "enabled": False}
    await made(client, "/webhooks", body)
