"""What an engine reads when it begins: its lanes, what waits in them and since when, and what is not swept yet.

Read in one transaction, applied to memory after it. What was cut off in lanes of a webhook that was disabled meanwhile,
or in streams whose turn came while nobody looked, is set going here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chathooks.delivery.claims import release_head
from chathooks.delivery.fanout import Subscriptions
from chathooks.delivery.lanes import Lanes
from chathooks.delivery.queue import DeliveryTransaction, LaneRow, Sweep


@dataclass(slots=True)
class Loaded:
    """What the store has of an engine's lanes."""

    position: int
    """Feed position of the last entry fanned out, at the least."""
    rows: list[LaneRow]
    due: list[tuple[int, int]] = field(default_factory=list)
    """(lane, earliest due time)."""
    backlogs: dict[int, int] = field(default_factory=dict)
    created: dict[int, int] = field(default_factory=dict)
    """By lane, deliveries ever made to wait when those that wait were counted."""
    sweeps: list[Sweep] = field(default_factory=list)

    def apply(self, subscriptions: Subscriptions, lanes: Lanes) -> None:
        """Bring memory to where the store is."""
        subscriptions.load(self.rows)
        for key, count in self.created.items():
            subscriptions.lanes[key].created = count
        for key, due_at in self.due:
            lanes.due_at(lanes.of(subscriptions.lanes[key]), due_at)
        for key, backlog in self.backlogs.items():
            subscription = subscriptions.lanes[key]
            subscription.backlog = backlog
            if backlog > 0:
                lanes.want_turn(lanes.of(subscription))


async def load(
    tx: DeliveryTransaction, shares: Sequence[int] | None, *, now: int, latest: int
) -> Loaded:
    """Read the lanes of some shares; nothing of them is in flight any more.

    Args:
        tx: a transaction of its own.
        shares: whose lanes; None: all.
        now: steady ms.
        latest: steady ms after which nothing falls due: another boot may have another steady clock, and nothing
            waits longer than the schedule's longest delay.
    """
    # First of all: what fan-out does meanwhile comes after it and is found by the first step.
    loaded = Loaded(await tx.fanout_position(), await tx.load_lanes(shares))
    rows = {row.lane: row for row in loaded.rows}
    for lane, stream in await tx.held_heads(shares):
        if lane in rows:
            await release_head(tx, lane, stream, rows[lane].cursor, now)
    for lane, earliest, entries in await tx.lanes_due(shares):
        if lane not in rows:
            continue
        await tx.bring_forward(lane, latest)
        loaded.backlogs[lane] = entries
        loaded.due.append((lane, min(earliest, latest)))
    for lane, waiting in await tx.lanes_held(shares):
        if lane in rows:
            loaded.backlogs[lane] = loaded.backlogs.get(lane, 0) + waiting
    for lane, waiting, created in await tx.lanes_pending(shares):
        if lane in rows:
            loaded.backlogs[lane] = loaded.backlogs.get(lane, 0) + waiting
            loaded.created[lane] = created
    for lane, backlog in loaded.backlogs.items():
        if backlog and not rows[lane].enabled:
            # Cut off after the lane's sweep had passed: nobody claims from a closed lane, so sweep again.
            await tx.add_sweep(lane, rows[lane].next_number)
    loaded.sweeps = [sweep for sweep in await tx.load_sweeps(shares) if sweep.lane in rows]
    await tx.save_progress(
        [
            (
                row.cursor,
                row.cursor,
                loaded.backlogs.get(row.lane, 0),
                loaded.created.get(row.lane, row.created),
                row.lane,
            )
            for row in loaded.rows
            if row.head < row.cursor or row.lane in loaded.backlogs
        ]
    )
    return loaded
