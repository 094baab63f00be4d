"""Appends events at a steady rate, as an API node of a cluster does: `python -m benchmarks.feeding '<spec as JSON>'`.

It has a session of commands and the bell, and appends through the outbox, some events a command. It begins when it is told
a rate on its standard input (`{"rate": …, "seconds": …}`) and answers with how many it appended, and how late it
was at most; a rate of 0 is as fast as it goes.
"""

import asyncio
import random
import sys
import time
from typing import Any

import msgspec
import uvloop

from benchmarks.backlog import APP, STREAMS
from benchmarks.nodes import NodeSpec
from benchmarks.workload import DATA, TRIGGER
from chathooks.adapters.nats.bell import NatsBell
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.app.logs import configure_logs
from chathooks.events.outbox import Outbox
from chathooks.events.streams import Stream
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.ids import EventIds, system_random
from chathooks.kernel.news import News

EVENTS_PER_COMMAND = 8
TICK_S = 0.002
UNDER_WAY_MAX = 64
"""Commands that wait for their commit at a time."""


class Feed(msgspec.Struct, frozen=True):
    """What it is told."""

    rate: float
    """Events per second; 0: as fast as it goes."""
    seconds: float


class Fed(msgspec.Struct, frozen=True):
    """What it did."""

    events: int
    late_s: float


class _Feeder:
    def __init__(self, store: PostgresStore) -> None:
        clock = SystemClock()
        self._store = store
        self._outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))
        self._number = 0
        self._slots = asyncio.Semaphore(UNDER_WAY_MAX)

    async def _append(self, first: int) -> None:
        async def command(tx: Any) -> None:
            for number in range(first, first + EVENTS_PER_COMMAND):
                stream = Stream(f"group/{number % STREAMS}")
                await self._outbox.append(tx, app=APP, trigger=TRIGGER, data=DATA, stream=stream)

        try:
            await self._store.write(command)
        finally:
            self._slots.release()

    async def feed(self, told: Feed) -> Fed:
        """Append for the seconds told."""
        began, events, late_s = time.perf_counter(), 0, 0.0
        async with asyncio.TaskGroup() as commands:
            while (passed := time.perf_counter() - began) < told.seconds:
                owed = told.rate * passed - events if told.rate else EVENTS_PER_COMMAND
                if owed < EVENTS_PER_COMMAND:
                    await asyncio.sleep(TICK_S)
                    continue
                if told.rate:
                    late_s = max(late_s, owed / told.rate)
                await self._slots.acquire()
                commands.create_task(self._append(self._number))
                self._number += EVENTS_PER_COMMAND
                events += EVENTS_PER_COMMAND
        return Fed(events, round(late_s, 3))


async def run(spec: NodeSpec) -> None:
    """See the module."""
    news = News()
    store = await PostgresStore.join(Database(url=spec.database), name=spec.name, news=news)
    bell = await NatsBell.open(
        spec.nats,
        "benchmark",
        news,
        node=spec.name,
        clock=SystemClock(),
        randomness=random.Random(),
    )
    feeder = _Feeder(store)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        fed = await feeder.feed(msgspec.json.decode(line, type=Feed))
        print(msgspec.json.encode(fed).decode(), flush=True)
    await bell.close()
    await store.close()


if __name__ == "__main__":
    configure_logs("warning")
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=NodeSpec)))
