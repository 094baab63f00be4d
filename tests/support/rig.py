"""The delivery half on a real store, with a real client and a manual clock."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import Engine
from chathooks.delivery.payload import password_context, secret_context
from chathooks.delivery.records import State, WebhookChange
from chathooks.delivery.replay import Replay
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.egress.client import EgressClient
from chathooks.egress.guard import TargetPolicy
from chathooks.egress.resolver import Resolver
from chathooks.events.outbox import Outbox
from chathooks.events.streams import Stream
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.ids import EventIds
from chathooks.kernel.transactions import Topic
from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample
from chathooks_events.signing import generate_secret
from support import stores
from support.spread import Spread
from support.stores import execute, open_store, rows

APP = 1
POLICY = TargetPolicy(allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),), allow_http=True)
KEY = bytes(range(32))


class Rig:
    """An engine with its store; restart it with `crash` or `stop` and `start`."""

    def __init__(self, path: Path, clock: ManualClock, limits: EngineLimits) -> None:
        self.path = path
        self.clock = clock
        self.limits = limits
        self.box = SecretBox(KEY, os.urandom)
        self.outbox = Outbox(clock, EventIds(clock.wall_ms, os.urandom))
        self.secret = generate_secret(os.urandom)
        self.samples: dict[str, bytes] = {}

    async def open(self) -> None:
        self.store = await open_store(self.path)

        async def make_app(tx: Any) -> None:
            if not await tx.has_apps():
                await tx.insert_app("shop", "Shop", "us", 0)

        await self.store.write(make_app)

    async def start(self) -> None:
        self.resolver = Resolver()
        self.client = EgressClient(
            POLICY, resolver=self.resolver, user_agent="Chathooks/test", connections_max=10_000
        )
        await self.client.start()
        self.engine = self.make_engine()
        self.replay = Replay(self.store, self.clock)
        await self.engine.start()

    def make_engine(self) -> Any:
        """An engine, or what stands in its place on the backend of this test."""
        kind: Any = partial(Spread, path=self.path) if stores.current.spread else Engine
        return kind(
            store=self.store,
            clock=self.clock,
            client=self.client,
            box=self.box,
            targets=POLICY,
            limits=self.limits,
        )

    async def stop(self) -> None:
        await self.engine.stop()
        await self.client.close(2.0)
        self.resolver.close()
        await self.store.close()

    async def crash(self) -> None:
        """End as a killed process does: nothing more is recorded."""
        task = self.engine._task
        assert task is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.client.close(0)
        self.resolver.close()
        await self.store.close()

    async def restart(self) -> None:
        await self.open()
        await self.start()

    async def webhook(
        self,
        url: str,
        *,
        webhook_id: str = "hook",
        triggers: Iterable[str] = ("message_sent",),
        enabled: bool = True,
        deleted: bool = False,
        retry: bool = False,
        ordered: bool = False,
        concurrency: int = 64,
        basic: tuple[str, str] | None = None,
    ) -> int:
        """Make or change a webhook as the management API does: rows and feed entry in one transaction."""
        numbers = tuple(TRIGGERS[name].number for name in triggers)

        async def command(tx: Any) -> int:
            found = await execute(tx, "SELECT lane FROM webhooks WHERE id = ?", webhook_id)
            values: dict[str, Any] = {
                "app": APP,
                "id": webhook_id,
                "name": webhook_id,
                "url": url,
                "use_basic_auth": int(basic is not None),
                "username": basic[0] if basic else None,
                "password_sealed": self.box.seal(basic[1], password_context(APP, webhook_id))
                if basic
                else None,
                "enabled": int(enabled),
                "retry_on_failure": int(retry),
                "ordered": int(ordered),
                "max_concurrency": concurrency,
                "secret_sealed": self.box.seal(self.secret, secret_context(APP, webhook_id)),
                "created_at": 0,
                "updated_at": 0,
                "deleted_at": 1 if deleted else None,
            }
            if found:
                lane = found[0][0]
                names = ", ".join(f"{name} = ?" for name in values)
                await execute(
                    tx, f"UPDATE webhooks SET {names} WHERE lane = {lane}", *values.values()
                )
            else:
                names, places = ", ".join(values), ", ".join("?" for _ in values)
                insert = f"INSERT INTO webhooks ({names}) VALUES ({places}) RETURNING lane"
                ((lane,),) = await execute(tx, insert, *values.values())
            change = WebhookChange(
                lane=lane,
                webhook_id=webhook_id,
                enabled=enabled,
                deleted=deleted,
                ordered=ordered,
                triggers=numbers,
            )
            await self.outbox.append_webhook_change(tx, app=APP, change=change)
            tx.notify(Topic.WEBHOOK, lane)
            return int(lane)

        return await self.store.write(command)

    async def stored_webhook(self, webhook_id: str = "hook") -> StoredWebhook:
        found = await self.store.read(lambda tx: tx.find_webhook(APP, webhook_id))
        assert found is not None
        return found

    async def event(self, trigger: str = "message_sent", stream: str | None = "group/a") -> str:
        data = self.samples.get(trigger)
        if data is None:
            data = self.samples[trigger] = msgspec.json.encode(sample(trigger))
        return await self.store.write(
            lambda tx: self.outbox.append(
                tx, app=APP, trigger=trigger, data=data, stream=Stream(stream) if stream else None
            )
        )

    async def events(self, count: int, **how: Any) -> list[str]:
        return list(await asyncio.gather(*(self.event(**how) for _ in range(count))))

    async def quiet(self, timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            await self.engine.quiet()

    async def followed(self) -> None:
        """Wait until those who deliver know all that was fanned out."""
        if isinstance(self.engine, Spread):
            await self.engine.followed()

    async def states(self, lane: int) -> dict[int, str]:
        found = await rows(
            self.store,
            "SELECT number, state FROM deliveries WHERE lane = ? ORDER BY number",
            lane,
        )
        return {number: State(state).shown for number, state in found}

    def fanout_backlog(self, lane: int) -> int:
        """Deliveries that wait, as the engine counts them."""
        return self.engine.fanout.subscriptions.lanes[lane].backlog

    async def attempts(self, lane: int) -> list[tuple[int, int, int | None, str | None]]:
        return await rows(
            self.store,
            "SELECT number, attempt, status, failure FROM attempts WHERE lane = ? ORDER BY 1, 2",
            lane,
        )


@asynccontextmanager
async def running(
    path: Path, clock: ManualClock, limits: EngineLimits | None = None
) -> AsyncIterator[Rig]:
    rig = Rig(path / "rig.sqlite3", clock, limits or EngineLimits())
    await rig.open()
    await rig.start()
    try:
        yield rig
    finally:
        await rig.stop()
