"""Side "commands": messages sent by commands in this process, without the HTTP server, from many callers at once.

Several of these on one database are what several API nodes do. It is told by lines on its standard input:

    "ready"      once the store is open and warm
    begin        callers send for the spec's seconds; answered with what they did (`Done`)
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from benchmarks.calling import PEOPLE
from benchmarks.load import message_body
from benchmarks.side import Counted, Spec
from benchmarks.stores import open_store
from chathooks.app.chat import ChatCore
from chathooks.chat.requests import SendMessage
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.ids import EventIds, system_random
from chathooks.kernel.telemetry import REGISTRY

APP = 1
WARM_COMMANDS = 200
TENTHS_PER_S = 10_000


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What the callers of one process did."""

    counted: Counted
    latencies: dict[str, int]
    """How many commands took so many tenths of a millisecond, rounded."""
    commits: float


def _commits() -> float:
    return REGISTRY.get_sample_value("chathooks_store_commit_seconds_count") or 0.0


def _sender(store: Any) -> Callable[[], Awaitable[None]]:
    clock = SystemClock()
    outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))
    messages = ChatCore.on(store, outbox, clock, system_random).messages
    request = msgspec.json.decode(message_body(), type=SendMessage)

    async def send() -> None:
        await messages.send(APP, request, PEOPLE[0])

    return send


async def _call(spec: Spec, send: Callable[[], Awaitable[None]]) -> Done:
    latencies: Counter[str] = Counter()
    commits, cpu_s, began = _commits(), time.process_time(), time.perf_counter()
    ends = began + spec.seconds

    async def caller() -> None:
        while (start := time.perf_counter()) < ends:
            await send()
            latencies[str(round((time.perf_counter() - start) * TENTHS_PER_S))] += 1

    await asyncio.gather(*(caller() for _ in range(spec.connections)))
    counted = Counted(
        done=latencies.total(),
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.perf_counter() - began,
    )
    return Done(counted=counted, latencies=latencies, commits=_commits() - commits)


async def run(spec: Spec) -> Done:
    """Run the side."""
    store = await open_store(spec)
    send = _sender(store)
    for _ in range(0, WARM_COMMANDS, spec.connections):
        await asyncio.gather(*(send() for _ in range(spec.connections)))
    print('"ready"', flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    done = await _call(spec, send)
    await store.close()
    return done
