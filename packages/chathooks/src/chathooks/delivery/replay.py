"""Replays: deliveries that ended are made again, on request (delivery contract §2).

A replay keeps the event's id and the delivery's number, uses today's URL, credentials, secret and schedule, and
is made even when the webhook is disabled. Many are marked in small transactions, so that a large window does not
stand in the way of the traffic.
"""

from dataclasses import dataclass

from chathooks.delivery.queue import DeliveryTransaction, ReplayFilter
from chathooks.delivery.records import LIVE_STATES, State, delivery_id
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store, Topic

NUMBERS_PER_TRANSACTION = 1000
UNDELIVERED_STATES = (State.FAILED, State.EXPIRED)
"""What a replay of many takes when no states are named."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay of many found and made due."""

    matched: int
    replayed: int
    dry_run: bool


class Replay:
    """Makes ended deliveries due again."""

    def __init__(self, store: Store[DeliveryTransaction], clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def one(self, app: int, lane: int, number: int) -> None:
        """Replay one delivery of an app.

        Raises:
            ChathooksError: ERR_DELIVERY_NOT_FOUND; ERR_WEBHOOK_NOT_FOUND when the webhook was deleted;
                ERR_BAD_REQUEST when the delivery has not ended or its event is no longer kept.
        """
        now = self._clock.steady_ms()

        async def command(tx: DeliveryTransaction) -> None:
            found = await tx.replayable_one(lane, number)
            if found is None or found[0] != app:
                raise ChathooksError(
                    "ERR_DELIVERY_NOT_FOUND",
                    f"There is no delivery {delivery_id(lane, number)}; its log may have been pruned.",
                )
            _, deleted, state, kept = found
            if deleted:
                raise ChathooksError(
                    "ERR_WEBHOOK_NOT_FOUND",
                    "The delivery's webhook was deleted; make it again first.",
                )
            if State(state) in LIVE_STATES:
                raise ChathooksError(
                    "ERR_BAD_REQUEST", "The delivery has not ended yet; replay it when it has."
                )
            if not kept:
                raise ChathooksError("ERR_BAD_REQUEST", "The event is no longer kept.")
            await tx.make_replay(lane, [number], now)
            tx.notify(Topic.REPLAY, lane)

        await self._store.write(command)

    async def many(self, lane: int, wanted: ReplayFilter, *, dry_run: bool) -> Replayed:
        """Replay all deliveries of a lane that the filter matches; `dry_run` only counts them."""
        low, high = await self._store.read(lambda tx: tx.numbers_of_lane(lane))
        matched = 0
        for start in range(low, high + 1, NUMBERS_PER_TRANSACTION):
            stop = min(start + NUMBERS_PER_TRANSACTION, high + 1)
            if dry_run:
                found = await self._store.read(
                    lambda tx, a=start, b=stop: tx.replayable_window(lane, a, b, wanted)  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
                )
                matched += len(found)
            else:
                matched += await self._replay_window(lane, start, stop, wanted)
        return Replayed(matched, 0 if dry_run else matched, dry_run)

    async def _replay_window(self, lane: int, start: int, stop: int, wanted: ReplayFilter) -> int:
        now = self._clock.steady_ms()

        async def command(tx: DeliveryTransaction) -> int:
            numbers = await tx.replayable_window(lane, start, stop, wanted)
            await tx.make_replay(lane, numbers, now)
            if numbers:
                tx.notify(Topic.REPLAY, lane)
            return len(numbers)

        return await self._store.write(command)
