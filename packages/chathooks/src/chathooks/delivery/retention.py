"""What is kept how long: events, deliveries and attempts, 30 days by default (delivery contract §7).

Nothing that is pending or retrying is pruned, nor the event it needs. Pruning goes in small transactions, so it
never stands in the way of the engine.
"""

from typing import Protocol

from chathooks.delivery.queue import DeliveryTransaction
from chathooks.kernel.clock import Clock
from chathooks.kernel.transactions import Store

PRUNE_EVERY_S = 600
PRUNE_ROWS_PER_TRANSACTION = 500
DAY_MS = 86_400_000


class RetentionTransaction(DeliveryTransaction, Protocol):
    """What retention asks of a store."""

    async def prune_replays(self, before_ms: int, limit: int) -> int:
        """Forget the oldest replays that ended before a time."""


class Retention:
    """Prunes what has passed its time."""

    def __init__(self, store: Store[RetentionTransaction], clock: Clock, days: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days

    async def prune(self) -> tuple[int, int]:
        """Prune once; answers how many deliveries and how many feed entries went."""
        before_ms = self._clock.wall_ms() - self._days * DAY_MS
        lanes = await self._store.read(lambda tx: tx.load_lanes(None))
        deliveries = 0
        for lane in lanes:
            deliveries += await self._prune_lane(lane.lane, before_ms)
        await self._prune_replays(before_ms)
        entries = 0
        while True:
            gone = await self._store.write(lambda tx: self._prune_feed(tx, before_ms))
            entries += gone
            if gone < PRUNE_ROWS_PER_TRANSACTION:
                return deliveries, entries

    async def _prune_lane(self, lane: int, before_ms: int) -> int:
        total = 0
        while True:
            gone = await self._store.write(
                lambda tx: tx.prune_deliveries(lane, before_ms, PRUNE_ROWS_PER_TRANSACTION)
            )
            total += gone
            if gone < PRUNE_ROWS_PER_TRANSACTION:
                return total

    async def _prune_replays(self, before_ms: int) -> None:
        while True:
            gone = await self._store.write(
                lambda tx: tx.prune_replays(before_ms, PRUNE_ROWS_PER_TRANSACTION)
            )
            if gone < PRUNE_ROWS_PER_TRANSACTION:
                return

    @staticmethod
    async def _prune_feed(tx: DeliveryTransaction, before_ms: int) -> int:
        position = await tx.fanout_position()
        kept = await tx.oldest_kept_position()
        below = position + 1 if kept is None else min(kept, position + 1)
        return await tx.prune_feed(before_ms, below, PRUNE_ROWS_PER_TRANSACTION)
