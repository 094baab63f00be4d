"""A process among several that share a PostgreSQL store, with NATS to carry news between them."""

import os
import re
import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from chathooks.adapters.nats.bell import NatsBell
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.app.schedules import Schedules
from chathooks.app.settings import NODE_NAME_CHARS_MAX, Settings
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import Engine
from chathooks.delivery.health import Health
from chathooks.delivery.node import LaneStore, Node, Parts
from chathooks.delivery.sequencer import Sequencer
from chathooks.egress.client import EgressClient
from chathooks.egress.guard import TargetPolicy
from chathooks.kernel.clock import Clock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.news import News
from chathooks.kernel.transactions import Store

BEAT_EVERY_S = 1
"""How often a process shows that it is well; five looks without it, and it is taken for dead (`delivery.shares`)."""
CONNECTIONS_OF_COMMANDS = 1
CONNECTIONS_OF_LANES = 2
"""One that writes and one that reads."""

STORE_NAME_BYTES = 16
SEED_BYTES = 8

_STORE_NAME = "store_name"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)


def node_name_of(settings: Settings) -> str:
    """The name of this process in seats, logs and doctor: the given one, else host name and process id."""
    if settings.node_name is not None:
        return settings.node_name
    process = f"-{os.getpid()}"
    host = _UNFIT.sub("-", socket.gethostname()) or "host"
    return host[: NODE_NAME_CHARS_MAX - len(process)] + process


class MetaTransaction(Protocol):
    """What is asked of a transaction here."""

    async def get_meta(self, name: str) -> str | None: ...
    async def set_meta(self, name: str, value: str) -> None: ...


async def store_name(store: Store[MetaTransaction], random: RandomBytes) -> str:
    """What names the store, the same for all of its processes and no other store's; made by the first one."""
    made = random(STORE_NAME_BYTES).hex()

    async def command(tx: MetaTransaction) -> str:
        kept = await tx.get_meta(_STORE_NAME)
        if kept is None:
            await tx.set_meta(_STORE_NAME, made)
        return kept or made

    return await store.write(command)


async def open_bell(
    settings: Settings,
    store: Store[MetaTransaction],
    news: News,
    clock: Clock,
    random: RandomBytes,
) -> NatsBell | None:
    """What carries news to the other processes, connected; None outside of a cluster. Raises StartRefused."""
    if settings.nats_url is None:
        return None
    return await NatsBell.open(
        settings.nats_url,
        await store_name(store, random),
        news,
        node=node_name_of(settings),
        clock=clock,
        randomness=Random(random(SEED_BYTES)),  # noqa: S311 -- spreads timers, hides nothing
        ca_file=settings.nats_ca_file,
    )


def connections_needed(settings: Settings) -> int:
    """Connections to PostgreSQL that this process takes at most."""
    needed = settings.database_connections + CONNECTIONS_OF_COMMANDS
    if settings.in_cluster and settings.role != "api":
        needed += CONNECTIONS_OF_LANES
    return needed


def make_node(
    name: str,
    database: Database,
    news: News,
    schedules: Schedules,
    *,
    clock: Clock,
    client: EgressClient,
    box: SecretBox,
    targets: TargetPolicy,
    limits: EngineLimits,
) -> Node:
    """What delivers in a process of a cluster.

    Args:
        name: of the process, for people.
        database: where its own writing session for lanes goes.
        news: shared with the session of commands.
        schedules: what one process does for the store; run while this one leads.
        clock: the cluster's.
        client: the way out.
        box: opens secrets.
        targets: which addresses may be called.
        limits: of its engines.
    """
    health = Health()

    async def open_lanes() -> LaneStore:
        return await PostgresStore.join_lanes(database, name=name, news=news)

    def make_engine(store: LaneStore, shares: Sequence[int], certain: Callable[[], bool]) -> Engine:
        return Engine(
            store=store,
            clock=clock,
            client=client,
            box=box,
            targets=targets,
            limits=limits,
            health=health,
            shares=shares,
            certain=certain,
        )

    def make_sequencer(store: LaneStore) -> Sequencer:
        return Sequencer(store, clock, health, backlog_max=limits.backlog_max)

    return Node(Parts(open_lanes, make_engine, make_sequencer, schedules), clock, health)
