"""A process of a cluster that delivers, and says how much: `python -m benchmarks.nodes '<spec as JSON>'`.

It is put together as `chathooks serve --role delivery` is, but for the HTTP port: the cluster's clock, a session of
commands, the bell, a node. It is told by lines on its standard input, and answers each with one:

    "ready"     once it is put together
    begin       the node starts; from here on its CPU time counts
    count       so many deliveries were acknowledged and recorded since
    end         what it did (`benchmarks.side.Counted`)
"""

import asyncio
import random
import resource
import sys
import time

import msgspec
import uvloop

from benchmarks.backlog import KEY
from benchmarks.drain import delivered
from benchmarks.side import Counted
from benchmarks.workload import POLICY, USER_AGENT
from chathooks.adapters.nats.bell import NatsBell
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.app.cluster import make_node
from chathooks.app.cluster_clock import cluster_clock
from chathooks.app.collector import tune_collector
from chathooks.app.logs import configure_logs
from chathooks.app.schedules import Schedules
from chathooks.delivery.cycle import EngineLimits
from chathooks.egress.client import EgressClient
from chathooks.egress.resolver import Resolver
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.ids import system_random
from chathooks.kernel.news import News


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told."""

    name: str
    database: str
    nats: str
    ca_file: str
    connections: int
    """It has so many attempts under way at the most, those of all webhooks together."""


async def run(spec: NodeSpec) -> None:
    """See the module."""
    database = Database(url=spec.database)
    news = News()
    store = await PostgresStore.join(database, name=spec.name, news=news)
    clock = await cluster_clock(store)
    bell = await NatsBell.open(
        spec.nats, "benchmark", news, node=spec.name, clock=clock, randomness=random.Random()
    )
    resolver = Resolver()
    client = EgressClient(
        POLICY,
        resolver=resolver,
        user_agent=USER_AGENT,
        ca_file=spec.ca_file,
        connections_max=spec.connections,
    )
    await client.start()
    node = make_node(
        spec.name,
        database,
        news,
        Schedules(clock, ()),
        clock=clock,
        client=client,
        box=SecretBox(KEY, system_random),
        targets=POLICY,
        limits=EngineLimits(),
    )
    _tell("ready")
    cpu_s, wall_s, before = 0.0, 0.0, 0
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "begin":
            cpu_s, wall_s, before = time.process_time(), time.perf_counter(), delivered()
            await node.start()
            _tell(0)
        elif line == "count":
            _tell(delivered() - before)
        else:
            resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            _tell(
                Counted(
                    done=delivered() - before,
                    cpu_s=time.process_time() - cpu_s,
                    wall_s=time.perf_counter() - wall_s,
                    notes={"rss_mib": round(resident, 1)},
                )
            )
    await node.stop()
    await client.close(2.0)
    await bell.close()
    resolver.close()
    await store.close()


def _tell(answer: object) -> None:
    print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    configure_logs("warning")
    tune_collector()
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=NodeSpec)))
