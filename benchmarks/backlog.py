"""Makes the stored backlog that a drain begins with: webhooks, and events that nothing has read yet.

It runs as a side of its own, once per run of the benchmark; each drain works on a copy of its store.
"""

import os
import time
from typing import Any

from benchmarks.side import Counted, Spec
from benchmarks.stores import Transaction, open_store, rows
from benchmarks.workload import TRIGGER, endpoint_url, larger
from chathooks.delivery.payload import secret_context
from chathooks.delivery.records import WebhookChange
from chathooks.events.outbox import Outbox
from chathooks.events.streams import Stream
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.crypto import SECRET_KEY_BYTES, SecretBox
from chathooks.kernel.ids import EventIds, system_random
from chathooks_events.catalog import TRIGGERS
from chathooks_events.signing import generate_secret

APP = 1
KEY = bytes(range(SECRET_KEY_BYTES))
EVENTS_PER_COMMAND = 1_000
STREAMS = 1_000
"""Conversations that the events are spread over."""

_WEBHOOK = """
INSERT INTO webhooks (app, id, name, url, use_basic_auth, enabled, retry_on_failure, ordered,
    max_concurrency, secret_sealed, created_at, updated_at)
VALUES (?, ?, ?, ?, 0, 1, 1, 0, ?, ?, 0, 0)
RETURNING lane
"""


class _Filler:
    def __init__(self, store: Any, spec: Spec) -> None:
        clock = SystemClock()
        self._store = store
        self._spec = spec
        self._box = SecretBox(KEY, system_random)
        self._outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))

    async def webhooks(self) -> None:
        """An app and its webhooks, all of them subscribed, sharing the run's connections."""
        spec = self._spec
        concurrency = max(1, spec.connections // spec.webhooks)

        async def command(tx: Transaction) -> None:
            await rows(tx, "INSERT INTO apps VALUES (?, 'benchmark', 'Benchmark', 'us', 0)", (APP,))
            for place in range(spec.webhooks):
                name = f"hook-{place}"
                sealed = self._box.seal(generate_secret(os.urandom), secret_context(APP, name))
                url = endpoint_url(spec.port)
                row = (APP, name, name, url, concurrency, sealed)
                ((lane,),) = await rows(tx, _WEBHOOK, row)
                change = WebhookChange(
                    lane=lane,
                    webhook_id=name,
                    enabled=True,
                    deleted=False,
                    ordered=False,
                    triggers=(TRIGGERS[TRIGGER].number,),
                )
                await self._outbox.append_webhook_change(tx, app=APP, change=change)

        await self._store.write(command)

    async def events(self, first: int, count: int) -> None:
        """Events on the feed, appended as a request that changes chat state does."""
        data = larger(self._spec.body_bytes)

        async def command(tx: Transaction) -> None:
            for number in range(first, first + count):
                stream = Stream(f"group/{number % STREAMS}")
                await self._outbox.append(tx, app=APP, trigger=TRIGGER, data=data, stream=stream)

        await self._store.write(command)


async def run(spec: Spec) -> Counted:
    """Fill a store in the spec's folder with the spec's events and webhooks."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    store = await open_store(spec)
    filler = _Filler(store, spec)
    await filler.webhooks()
    for first in range(0, spec.events, EVENTS_PER_COMMAND):
        await filler.events(first, min(EVENTS_PER_COMMAND, spec.events - first))
    await store.close()
    return Counted(
        done=spec.events,
        cpu_s=time.process_time() - cpu_s,
        wall_s=time.perf_counter() - wall_s,
    )
