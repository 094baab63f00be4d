"""Following fan-out: how an engine learns of new deliveries where another process makes them.

The sequencer marks every lane that it changes with the feed position at which it did; an engine asks for those of its
own shares that moved beyond the position it has seen. One sequencer at a time commits one step after the other, so
nothing ever appears behind a position that was seen.

Two things that fan-out cannot do for lanes which somebody else works off are done here, in the transaction of the
cycle: to have withdrawn deliveries looked for from where the lane stands now, and to let go the events of an ordered
lane that were held for an earlier one whose end fan-out could not see yet.
"""

from collections.abc import Sequence

from chathooks.delivery.claims import release_head
from chathooks.delivery.fanout import Step, Subscription, Subscriptions, subscription_of
from chathooks.delivery.queue import DeliveryTransaction, LaneRow
from chathooks.kernel.clock import Clock

FEED_ENTRIES_PER_LOOK_MAX = 4096


class Follower:
    """Takes steps after the sequencer's."""

    def __init__(self, clock: Clock, shares: Sequence[int]) -> None:
        """Args: shares: whose lanes are followed."""
        self.subscriptions = Subscriptions()
        self._clock = clock
        self._shares = shares

    async def step(self, tx: DeliveryTransaction, position: int) -> Step | None:
        """What fan-out did after `position`; None when that is nothing.

        Args:
            tx: the transaction of the engine's cycle.
            position: up to which it is known.
        """
        reached = await tx.fanout_position()
        until = min(reached, position + FEED_ENTRIES_PER_LOOK_MAX)
        if until <= position:
            return None
        step = Step(position=until, more=until < reached)
        for row in await tx.moved_lanes(position, until, self._shares):
            old = self.subscriptions.lanes.get(row.lane)
            if old is None:
                new = subscription_of(row)
                new.backlog = row.created
                step.changed.append(new)
            else:
                await self._follow(tx, old, row, step)
        return step

    async def _follow(
        self, tx: DeliveryTransaction, old: Subscription, row: LaneRow, step: Step
    ) -> None:
        lane = row.lane
        if row.created > old.created:
            step.created[lane] = row.created - old.created
        if row.next_number > old.next_number:
            step.next_numbers[lane] = row.next_number
            if row.ordered or old.ordered:
                await self._release(tx, old, row, step)
        new = subscription_of(row)
        if _config(new) != _config(old):
            step.changed.append(new)
            if new.withdrawn != old.withdrawn:
                step.sweeps.append(await tx.add_sweep(lane, row.next_number))

    async def _release(
        self, tx: DeliveryTransaction, old: Subscription, row: LaneRow, step: Step
    ) -> None:
        now = self._clock.steady_ms()
        for stream in await tx.held_streams(row.lane, old.next_number, row.next_number):
            if await release_head(tx, row.lane, stream, old.cursor, now):
                step.woken.append(row.lane)


def _config(one: Subscription) -> tuple[object, ...]:
    return one.enabled, one.ordered, one.triggers, one.withdrawn
