"""The real engine on a stored backlog: read, fan out, claim, send, record, durable with every commit.

Side "drain" works on SQLite with `synchronous = FULL`, side "drain-postgres" on PostgreSQL, alone.

The window is the whole drain: from the engine's start with nothing fanned out and no connection open, to the last
acknowledgement that is committed. A window that ended earlier would charge the deliveries made in it with the fan-out
of those that were not. Afterwards the store is asked whether it holds what was counted.
"""

import asyncio
from typing import Any

from benchmarks.backlog import KEY
from benchmarks.side import Counted, Spec, Window
from benchmarks.stores import Transaction, open_store, rows
from benchmarks.workload import POLICY, USER_AGENT
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import Engine
from chathooks.delivery.records import State
from chathooks.egress.client import EgressClient
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.ids import system_random
from chathooks.kernel.telemetry import REGISTRY

DRAIN_S_MAX = 300.0


def delivered() -> int:
    """Deliveries that this process has acknowledged and recorded."""
    labels = {"state": State.DELIVERED.shown}
    return int(REGISTRY.get_sample_value("chathooks_deliveries_ended_total", labels) or 0)


def _commits() -> float:
    return REGISTRY.get_sample_value("chathooks_store_commit_seconds_count") or 0.0


async def _stored(store: Any) -> dict[str, int]:
    async def query(tx: Transaction) -> dict[str, int]:
        found = await rows(tx, "SELECT state, COUNT(*) FROM deliveries GROUP BY state")
        return {State(state).name: count for state, count in found}

    stored: dict[str, int] = await store.read(query)
    return stored


async def run(spec: Spec) -> Counted:
    """Drain until nothing is left.

    Raises:
        TimeoutError: that took longer than DRAIN_S_MAX.
        RuntimeError: a delivery was not acknowledged, or the store does not hold what was counted.
    """
    store = await open_store(spec)
    resolver = Resolver()
    client = EgressClient(
        POLICY,
        resolver=resolver,
        user_agent=USER_AGENT,
        ca_file=spec.ca_file,
        connections_max=spec.connections * 2,
    )
    await client.start()
    engine = Engine(
        store=store,
        clock=SystemClock(),
        client=client,
        box=SecretBox(KEY, system_random),
        targets=POLICY,
        limits=EngineLimits(),
    )
    window = Window(spec, delivered)
    window.begin()
    async with asyncio.timeout(DRAIN_S_MAX):
        await engine.start()
        await engine.quiet()
    commits = _commits()
    counted = window.end({"deliveries_per_commit": round(delivered() / max(1.0, commits), 1)})
    await engine.stop()
    await client.close(2.0)
    resolver.close()
    stored = await _stored(store)
    await store.close()
    kept = stored.pop(State.DELIVERED.name, 0)
    if stored or kept != counted.done or kept != spec.events * spec.webhooks:
        raise RuntimeError(f"counted {counted.done}, stored {kept} delivered and {stored}")
    return counted
