"""The services of a process on one store: what its API serves, and the work that its schedules do."""

from collections.abc import Sequence
from dataclasses import dataclass

from chathooks.adapters.postgres.store import PostgresStore
from chathooks.api.deliveries_routes import DeliveryRoutes
from chathooks.api.events_routes import EventRoutes
from chathooks.api.replay_routes import ReplayRoutes
from chathooks.api.routing import Route
from chathooks.api.testfire_routes import FireTestRoutes
from chathooks.api.triggers_routes import TriggerRoutes
from chathooks.api.webhooks_routes import WebhookRoutes
from chathooks.app.anchor import KEEP_EVERY_S
from chathooks.app.chat import ChatCore
from chathooks.app.cluster import BEAT_EVERY_S
from chathooks.app.runtime import AnyStore, Keeper
from chathooks.app.schedules import FIRST_ROUND_S_MAX, Periodic, Schedules
from chathooks.app.settings import Settings
from chathooks.app.tenancy import Tenancy
from chathooks.chat.upkeep import UPKEEP_EVERY_S
from chathooks.delivery.app_deletion import REMOVE_EVERY_S
from chathooks.delivery.log import DeliveryLog
from chathooks.delivery.replay import WORK_EVERY_S, Replay, ReplayWork
from chathooks.delivery.retention import PRUNE_EVERY_S, Retention
from chathooks.delivery.supervision import OBSERVE_EVERY_S, Supervision
from chathooks.delivery.testfire import FireTest
from chathooks.delivery.webhooks import Webhooks
from chathooks.egress.client import EgressClient
from chathooks.egress.guard import TargetPolicy
from chathooks.events.feed import Feed
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import Clock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.ids import EventIds, RandomBytes


@dataclass(frozen=True, slots=True)
class Services:
    """All services that calls and schedules use."""

    chat: ChatCore
    tenancy: Tenancy
    webhooks: Webhooks
    deliveries: DeliveryLog
    test_fire: FireTest
    replay: Replay

    @classmethod
    def on(
        cls,
        settings: Settings,
        store: AnyStore,
        clock: Clock,
        random: RandomBytes,
        box: SecretBox,
        policy: TargetPolicy,
        client: EgressClient,
    ) -> "Services":
        """The services on `store`."""
        ids = EventIds(clock.wall_ms, random)
        outbox = Outbox(clock, ids)
        webhooks = Webhooks(
            store, outbox, clock, random, box, policy, webhooks_per_app=settings.webhooks_per_app
        )
        return cls(
            chat=ChatCore.on(store, outbox, clock, random),
            tenancy=Tenancy.on(store, webhooks, clock, random),
            webhooks=webhooks,
            deliveries=DeliveryLog(store, clock, request_timeout_s=settings.request_timeout),
            test_fire=FireTest(
                store,
                clock,
                ids,
                client,
                box,
                policy,
                request_timeout_s=settings.request_timeout,
            ),
            replay=Replay(store, clock, retries=len(settings.retry_schedule)),
        )

    def routes(self, store: AnyStore, clock: Clock) -> Sequence[Route]:
        """The calls that they serve."""
        return (
            *self.chat.routes(),
            *self.tenancy.routes(),
            *WebhookRoutes(self.webhooks).routes(),
            *TriggerRoutes().routes(),
            *EventRoutes(Feed(store)).routes(),
            *DeliveryRoutes(self.deliveries).routes(),
            *FireTestRoutes(self.test_fire).routes(),
            *ReplayRoutes(self.replay, self.deliveries, self.webhooks, clock).routes(),
        )


def own_schedules(
    settings: Settings,
    store: AnyStore,
    clock: Clock,
    anchor: Keeper,
    supervision: Supervision | None,
) -> Schedules:
    """What every process does for itself; one that delivers is supervised, one of a cluster shows that it is well."""
    work = [Periodic(KEEP_EVERY_S, anchor.keep)]
    if supervision is not None:
        work.append(Periodic(OBSERVE_EVERY_S, supervision.observe))
    if settings.in_cluster and isinstance(store, PostgresStore):
        work.append(Periodic(BEAT_EVERY_S, store.beat))
    return Schedules(clock, work)


def shared_schedules(
    settings: Settings, store: AnyStore, clock: Clock, services: Services
) -> Schedules:
    """What one process does for the store."""
    retention = Retention(store, clock, settings.retention_days)
    return Schedules(
        clock,
        [
            Periodic(PRUNE_EVERY_S, retention.prune),
            Periodic(UPKEEP_EVERY_S, services.chat.upkeep.round),
            Periodic(WORK_EVERY_S, ReplayWork(store, clock).round),
            Periodic(REMOVE_EVERY_S, services.tenancy.deletion.round),
        ],
        first_within_s=FIRST_ROUND_S_MAX if settings.in_cluster else None,
    )
