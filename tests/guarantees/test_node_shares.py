"""A node delivers for shares that it has, and for no others: two that deliver for one lane would send everything twice.

Nodes are put together as in a process, each with sessions of its own on one PostgreSQL, and with an endpoint that does not
answer: what an engine that ends waits for, so that looks come and go while shares change hands.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.app.cluster import make_node
from chathooks.app.schedules import Schedules
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.node import Node
from chathooks.delivery.shares import LANE_SHARES
from chathooks.egress.client import EgressClient
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.news import News
from support.rig import POLICY, Rig
from support.scripted_endpoint import ScriptedEndpoint
from support.stores import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.only("postgres")]

HANGS_S = 2.5
"""Longer than two looks, so that some see shares whose engine is ending."""
SETTLED_S_MAX = 30.0
WATCH_EVERY_S = 0.02
RESTING_S = 3.0
"""So long nothing may change once the parts are even: a few looks."""


class Nodes:
    """Opens nodes on one database, and watches who delivers for what."""

    def __init__(self, url: str, rig: Rig, stack: AsyncExitStack) -> None:
        self._url = url
        self._rig = rig
        self._stack = stack
        self.running: dict[str, Node] = {}
        self.not_theirs: list[set[int]] = []
        """Shares that a node was seen to deliver for without having them, or more than once."""
        self._watch = stack.enter_context(psycopg.connect(url, autocommit=True))

    async def start(self, name: str, news: News) -> Node:
        clock = SystemClock()
        resolver = Resolver()
        client = EgressClient(
            POLICY, resolver=resolver, user_agent="Chathooks/test", connections_max=100
        )
        await client.start()
        node = make_node(
            name,
            Database(url=self._url),
            news,
            Schedules(clock, ()),
            clock=clock,
            client=client,
            box=self._rig.box,
            targets=POLICY,
            limits=EngineLimits(timeout_s=HANGS_S),
        )
        await node.start()
        self.running[name] = node

        async def stop() -> None:
            await node.stop()
            await client.close(0)
            resolver.close()

        self._stack.push_async_callback(stop)
        return node

    def look(self) -> list[int]:
        """How many each delivers for; notes what is not theirs."""
        parts = []
        for name, node in self.running.items():
            serves = [share for _, some in node._engines for share in some]
            # The nodes stand still meanwhile, as they are on this loop.
            found = self._watch.execute(
                "SELECT share FROM shares JOIN seats USING (seat) WHERE name = %s", (name,)
            )
            wrong = set(serves) - {share for (share,) in found}
            wrong |= {share for share in serves if serves.count(share) > 1}
            if wrong:
                self.not_theirs.append(wrong)
            parts.append(len(serves))
        return parts

    async def until(self, *parts: int) -> None:
        """Watch until the parts are such, and for a while longer."""
        loop = asyncio.get_running_loop()
        give_up, rests_until = loop.time() + SETTLED_S_MAX, 0.0
        while not rests_until or loop.time() < rests_until:
            found = self.look()
            if found == list(parts):
                rests_until = rests_until or loop.time() + RESTING_S
            else:
                assert not rests_until, f"it moves on: {found}"
                assert loop.time() < give_up, f"{found} instead of {parts}"
            await asyncio.sleep(WATCH_EVERY_S)


@asynccontextmanager
async def nodes(backend: Postgres, tmp_path: Path) -> AsyncIterator[tuple[Nodes, Rig, News]]:
    path = tmp_path / "rig.sqlite3"
    clock: Any = SystemClock()
    rig = Rig(path, clock, EngineLimits())
    news = News()
    url = backend.url(path)
    rig.store = await PostgresStore.join(Database(url=url), name="commands", news=news)
    await rig.store.write(lambda tx: tx.insert_app("shop", "Shop", "us", 0))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(rig.store.close)
        yield Nodes(url, rig, stack), rig, news


async def test_a_node_that_gives_shares_while_its_attempts_hang_delivers_for_them_no_more(
    backend: Postgres, tmp_path: Path
) -> None:
    async with ScriptedEndpoint() as endpoint, nodes(backend, tmp_path) as (world, rig, news):
        await world.start("first", news)
        await world.until(LANE_SHARES)
        endpoint.hold()
        await rig.webhook(endpoint.url())
        await rig.event()
        await endpoint.arrived(1)
        await world.start("second", news)
        await world.until(LANE_SHARES // 2, LANE_SHARES // 2)
        endpoint.release()
        assert world.not_theirs == []


async def test_a_node_that_is_stopped_while_it_gives_shares_records_what_it_was_at(
    backend: Postgres, tmp_path: Path
) -> None:
    """The engine that ends is neither among those that run nor forgotten."""
    async with ScriptedEndpoint() as endpoint, nodes(backend, tmp_path) as (world, rig, news):
        first = await world.start("first", news)
        await world.until(LANE_SHARES)
        endpoint.hold()
        lane = await rig.webhook(endpoint.url())
        await rig.event()
        await endpoint.arrived(1)
        await world.start("second", news)
        async with asyncio.timeout(SETTLED_S_MAX):
            while first._engines:  # noqa: ASYNC110 -- a node has no event for it
                await asyncio.sleep(WATCH_EVERY_S)
        stopping = asyncio.ensure_future(first.stop())
        await asyncio.sleep(0)
        endpoint.release()
        await stopping
        del world.running["first"]
        await world.until(LANE_SHARES)
        assert await rig.states(lane) == {1: "delivered"}
        assert [attempt for _, attempt, _, _ in await rig.attempts(lane)] == [1]
