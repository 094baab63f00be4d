"""Cancelling what was withdrawn: a lane's waiting deliveries are looked through in pieces, one piece a cycle (§2)."""

from collections.abc import Iterable

from chathooks.delivery.claims import Moment, end_unsent
from chathooks.delivery.cycle import Cycle
from chathooks.delivery.fanout import ALL_TRIGGERS, Subscription
from chathooks.delivery.queue import DeliveryTransaction, Settled, Sweep
from chathooks.delivery.records import State

SWEEP_NUMBERS_PER_CYCLE = 2_000


class Sweeps:
    """The lanes that are looked through, one after the other."""

    def __init__(self) -> None:
        self._by_lane: dict[int, Sweep] = {}
        """The first is under way."""

    def __bool__(self) -> bool:
        return bool(self._by_lane)

    def add(self, sweeps: Iterable[Sweep]) -> None:
        """Look through these lanes too, anew where they were under way."""
        self._by_lane.update((sweep.lane, sweep) for sweep in sweeps)

    async def take_piece(
        self,
        tx: DeliveryTransaction,
        cycle: Cycle,
        subscriptions: dict[int, Subscription],
        moment: Moment,
    ) -> None:
        """Cancel some of what was withdrawn; noted in `cycle`."""
        sweep = next(iter(self._by_lane.values()))
        if cycle.step is not None and any(one.lane == sweep.lane for one in cycle.step.sweeps):
            return  # this very cycle begins it anew
        subscription = subscriptions[sweep.lane]
        below = min(sweep.below_number, sweep.from_number + SWEEP_NUMBERS_PER_CYCLE)
        found = await tx.sweep(sweep, below, subscription.withdrawn)
        cycle.swept = [
            Settled(int(State.CANCELLED), failures, None, None, sweep.lane, number)
            for number, _, failures in found
        ]
        if cycle.swept:
            streams = {stream for _, stream, _ in found if stream is not None}
            await end_unsent(tx, cycle.swept, streams, subscription.cursor, moment.steady_ms)
        cycle.swept_cursor = min(below, subscription.withdrawn.get(ALL_TRIGGERS, 0))
        await tx.swept(sweep, below)
        cycle.sweep = sweep._replace(from_number=below)

    def done(self, sweep: Sweep) -> None:
        """A piece is committed: go on behind it."""
        if sweep.from_number < sweep.below_number:
            self._by_lane[sweep.lane] = sweep
        else:
            del self._by_lane[sweep.lane]
