"""A server put together: what starts and stops, in which order, whatever parts its role gives it."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from chathooks.adapters.notify.apprise_notifier import AppriseNotifier
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.api.server import ApiServer, Listen
from chathooks.app.schedules import Schedules
from chathooks.app.settings import Settings
from chathooks.apps.records import Credentials
from chathooks.chat.upkeep import Upkeep
from chathooks.delivery.app_deletion import AppDeletion
from chathooks.delivery.engine import Engine
from chathooks.delivery.supervision import Supervision
from chathooks.egress.client import EgressClient
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import StoreUnavailable

AnyStore = SqliteStore | PostgresStore
DRAIN_S = 2.0
"""What running attempts get on a graceful stop (delivery contract §2: an attempt lasts 2 s)."""

log = structlog.get_logger("server")


class Delivering(Protocol):
    """What delivers in this process: one engine, or a node of a cluster."""

    async def start(self) -> None: ...
    def hold(self) -> None:
        """Begin no more attempts from now on."""

    async def stop(self) -> None:
        """Let running attempts end and record them."""

    async def ended(self) -> None:
        """Wait until it has ended; raises what ended it other than a stop."""


class Bell(Protocol):
    """Carries news between the processes of a cluster."""

    async def close(self) -> None:
        """Send what is left to send, and end."""


class Keeper(Protocol):
    """Notes where the clocks stand."""

    async def keep(self) -> None: ...


@dataclass
class Runtime:
    """A server put together; `start` it, later `stop` it."""

    settings: Settings
    store: AnyStore
    clock: Clock
    resolver: Resolver
    client: EgressClient
    api: object
    listen: Listen
    own_schedules: Schedules
    """What concerns this process."""
    shared_schedules: Schedules
    """What concerns the store; a node starts and stops them itself as it leads."""
    supervision: Supervision | None
    """None in a process that only serves the API."""
    upkeep: Upkeep
    app_deletion: AppDeletion
    anchor: Keeper
    credentials: Credentials | None
    """The keys of the app that this start made; None where the store had one."""
    delivering: Delivering | None = None
    """None in a process that only serves the API."""
    bell: Bell | None = None
    """None in a process that serves its store alone."""
    notifier: AppriseNotifier | None = None
    server: ApiServer | None = None

    @property
    def port(self) -> int:
        """Port the API listens on, once started."""
        return self.listen.port if self.server is None else self.server.port

    @property
    def engine(self) -> Engine:
        """The engine of a process that delivers alone."""
        if not isinstance(self.delivering, Engine):
            raise TypeError("this process does not deliver alone")
        return self.delivering

    async def start(self) -> None:
        """Deliver, then listen. Raises StartRefused."""
        await self.client.start()
        if self.delivering is not None:
            await self.delivering.start()
        self.server = await ApiServer.start(self.api, self.listen)
        self.own_schedules.start()
        if not self.settings.in_cluster:
            self.shared_schedules.start()

    async def failed(self) -> None:
        """Wait until what delivers has ended by itself, for ever where nothing does; raises why."""
        if self.delivering is None:
            await asyncio.Event().wait()
        else:
            await self.delivering.ended()

    async def stop(self) -> None:
        """Graceful: no new requests and attempts, running ones end, everything else stays stored."""
        if self.delivering is not None:
            self.delivering.hold()
        await asyncio.gather(
            self.own_schedules.stop(), self.shared_schedules.stop(), self._stop_serving()
        )
        if self.delivering is not None:
            await self.delivering.stop()
        await self.client.close(DRAIN_S)
        self.resolver.close()
        try:
            await self.anchor.keep()
        except StoreUnavailable as error:
            log.warning("the clocks are not noted", reason=error.message)
        if self.bell is not None:
            await self.bell.close()
        await self.store.close()
        if self.notifier is not None:
            await asyncio.to_thread(self.notifier.close)

    async def _stop_serving(self) -> None:
        if self.server is not None:
            await self.server.stop()
