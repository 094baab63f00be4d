"""Deleting an app: refused at once, its webhooks stopped, its rows removed in batches (rest-api.md B3).

What happens when, and what a crash leaves:
1. In the call's own transaction the app is marked and its keys go, so no later call finds it; its webhooks are
   deleted through the feed, so what waits for them is cancelled. A crash leaves all of it or nothing.
2. REMOVAL_DELAY_S later, when no call that was let in before can still be under way, rows go: `step` takes one
   bounded batch in one transaction, again and again; where it stands is in the store, so a restart goes on.
3. Rows of deliveries wait until fan-out has passed the deletion of the webhooks and nothing of them is in flight.
The app's row itself stays, without its id and name, so that its number is never used again.
"""

from dataclasses import dataclass
from typing import Protocol

import structlog

from chathooks.apps.access import unknown_app
from chathooks.apps.records import App
from chathooks.apps.store import AppsTransaction
from chathooks.delivery.webhook_store import WebhookTransaction
from chathooks.delivery.webhooks import Webhooks
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store, Topic

REMOVAL_DELAY_S = 120
"""Longer than a request that was authenticated may take to send its body and be carried out."""
REMOVE_EVERY_S = 10
ROWS_PER_STEP = 500
STEPS_PER_ROUND_MAX = 200
"""A round ends here although more is left: the next one is near."""

log = structlog.get_logger("apps")


@dataclass(frozen=True, slots=True)
class Removal:
    """How far the removal of an app's rows is."""

    app: int
    begins_at: int
    """Unix seconds."""
    feed_position: int
    """Feed entries up to here were looked at; -1 before the webhooks are known to be gone."""
    feed_until: int
    """Feed entries behind it cannot be the app's."""


class AppDeletionTransaction(AppsTransaction, WebhookTransaction, Protocol):
    """What deleting apps asks of a store."""

    async def fanout_position(self) -> int: ...
    async def add_app_removal(self, app: int, begins_at: int) -> None:
        """From now on the app is not found."""

    async def next_app_removal(self, before_s: int) -> Removal | None:
        """A removal that is not done and may begin before a time (unix seconds)."""

    async def begin_feed_removal(self, app: int) -> None:
        """The webhooks are deleted: note the feed's end, behind which nothing can be the app's."""

    async def app_lanes_rest(self, app: int) -> bool:
        """Whether nothing of the app's webhooks waits or is in flight."""

    async def remove_app_feed(self, app: int, after: int, below: int) -> None:
        """Remove the app's feed entries after one position up to another, and note the latter."""

    async def remove_app_rows(self, app: int, limit: int) -> int:
        """Remove up to about `limit` rows of the app; 0 once none are left."""

    async def app_groups_gone(self, app: int) -> bool:
        """Whether the app's groups, which go as deleted ones do, are gone."""

    async def end_app_removal(self, app: int) -> None:
        """Take id and name off the app's row: the removal is done."""


class AppDeletion:
    """Deletes apps."""

    def __init__(
        self, store: Store[AppDeletionTransaction], webhooks: Webhooks, clock: Clock
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._clock = clock

    async def delete(self, app: App) -> int:
        """Delete an app; answers when its rows begin to be removed (unix seconds).

        Raises:
            ChathooksError: AUTH_ERR_INVALID_APPID where it is deleted already; ERR_OPERATION_FAILED where it is the
                only one.
        """
        begins_at = self._clock.wall_ms() // MS_PER_S + REMOVAL_DELAY_S

        async def delete(tx: AppDeletionTransaction) -> None:
            if await tx.find_app(app.id) is None:
                raise unknown_app()
            if await tx.count_apps() == 1:
                raise ChathooksError(
                    "ERR_OPERATION_FAILED",
                    "This is the server's only app; make another one first, or remove the data directory.",
                    {"appId": "is the only app"},
                )
            await tx.add_app_removal(app.key, begins_at)
            await tx.delete_api_keys(app.key)
            await self._webhooks.delete_all(tx, app.key)
            tx.notify(Topic.KEYS, app.key)

        await self._store.write(delete)
        log.info("app deleted", app=app.id)
        return begins_at

    async def step(self) -> bool:
        """Do one bounded part of what waits; answers whether more can be done at once. For upkeep."""
        now_s = self._clock.wall_ms() // MS_PER_S

        async def step(tx: AppDeletionTransaction) -> bool:
            removal = await tx.next_app_removal(now_s)
            return removal is not None and await self._step(tx, removal)

        return await self._store.write(step)

    async def _step(self, tx: AppDeletionTransaction, removal: Removal) -> bool:
        app = removal.app
        if removal.feed_position < 0:
            # A call that was under way may have made one after the deletion.
            await self._webhooks.delete_all(tx, app)
            await tx.delete_api_keys(app)
            await tx.begin_feed_removal(app)
            return True
        if await tx.fanout_position() < removal.feed_until or not await tx.app_lanes_rest(app):
            return False
        if removal.feed_position < removal.feed_until:
            below = min(removal.feed_position + ROWS_PER_STEP, removal.feed_until)
            await tx.remove_app_feed(app, removal.feed_position, below)
            return True
        if await tx.remove_app_rows(app, ROWS_PER_STEP) > 0:
            return True
        if not await tx.app_groups_gone(app):
            return False
        await tx.end_app_removal(app)
        log.info("the rows of a deleted app are removed")
        return True

    async def round(self) -> None:
        """Step until nothing is left, or long enough."""
        for _ in range(STEPS_PER_ROUND_MAX):
            if not await self.step():
                return
