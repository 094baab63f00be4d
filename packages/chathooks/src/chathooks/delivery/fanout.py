"""Fan-out: one delivery per subscribed webhook for each event, in feed order.

Fan-out keeps the webhooks as of its own place in the feed, not as they are now: a webhook's changes are entries
of the feed and are applied when fan-out reaches them, however late it runs (delivery contract §3.1). Its place,
each lane's subscription and each lane's next number are saved in the very transaction that makes the deliveries;
a crash at any instant leaves either all of a step or nothing of it, so no event is skipped or fanned out twice
and numbers have no gaps.

The index in memory is changed by `Step.apply` after the commit; a step whose commit failed is simply taken again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from chathooks.delivery.queue import DeliveryTransaction, FeedEntry, LaneRow, NewDelivery, Sweep
from chathooks.delivery.records import State, WebhookChange
from chathooks.kernel.rows import row_maker

FEED_ENTRIES_PER_STEP_MAX = 256
DELIVERIES_PER_STEP_MAX = 256
"""A step ends with the entry that reaches it, so one step may exceed it by one entry's webhooks."""
ALL_TRIGGERS = 0

_new_delivery = row_maker(NewDelivery)
_changes = msgspec.json.Decoder(WebhookChange)


@dataclass(slots=True, eq=False)
class Subscription:
    """A lane as fan-out knows it."""

    lane: int
    app: int
    enabled: bool
    ordered: bool
    triggers: frozenset[int]
    next_number: int
    withdrawn: dict[int, int]
    """Trigger number (0: all) → waiting deliveries below this number were cancelled."""
    cursor: int = 1
    """Deliveries from here on were never claimed."""
    backlog: int = 0
    """Deliveries that wait: for their first attempt, a retry, or their turn in a stream; replays aside."""
    created: int = 0
    """Deliveries that were ever made to wait."""

    def is_withdrawn(self, number: int, trigger_number: int) -> bool:
        """Whether a waiting delivery was cancelled by a later change of the webhook."""
        withdrawn = self.withdrawn
        return bool(withdrawn) and (
            number < withdrawn.get(ALL_TRIGGERS, 0) or number < withdrawn.get(trigger_number, 0)
        )


def subscription_of(row: LaneRow) -> Subscription:
    """A lane as it is stored; what waits in it is not known yet."""
    return Subscription(
        row.lane,
        row.app,
        row.enabled,
        row.ordered,
        row.triggers,
        row.next_number,
        row.withdrawn,
        row.cursor,
        created=row.created,
    )


class Subscriptions:
    """All lanes, and for each app and trigger the lanes that get it."""

    def __init__(self) -> None:
        self.lanes: dict[int, Subscription] = {}
        self._by_trigger: dict[tuple[int, int], tuple[Subscription, ...]] = {}

    def load(self, rows: Iterable[LaneRow]) -> None:
        """Take over what is stored."""
        grouped: dict[tuple[int, int], list[Subscription]] = defaultdict(list)
        for row in rows:
            subscription = self.lanes[row.lane] = subscription_of(row)
            if row.enabled:
                for trigger in row.triggers:
                    grouped[(row.app, trigger)].append(subscription)
        self._by_trigger = {key: tuple(found) for key, found in grouped.items()}

    def of(self, app: int, trigger_number: int) -> tuple[Subscription, ...]:
        """The lanes that get this trigger."""
        return self._by_trigger.get((app, trigger_number), ())

    def put(self, subscription: Subscription) -> None:
        """Take over a lane's changed subscription; its progress is kept."""
        old = self.lanes.get(subscription.lane)
        if old is not None and old.enabled:
            for trigger in old.triggers:
                key = (old.app, trigger)
                kept = tuple(s for s in self._by_trigger.get(key, ()) if s.lane != old.lane)
                if kept:
                    self._by_trigger[key] = kept
                else:
                    self._by_trigger.pop(key, None)
        if old is None:
            self.lanes[subscription.lane] = subscription
        else:
            old.enabled, old.ordered = subscription.enabled, subscription.ordered
            old.triggers, old.withdrawn = subscription.triggers, subscription.withdrawn
            subscription = old
        if subscription.enabled:
            for trigger in subscription.triggers:
                key = (subscription.app, trigger)
                self._by_trigger[key] = (*self._by_trigger.get(key, ()), subscription)


@dataclass(slots=True)
class Step:
    """What one step of fan-out did, to be applied to memory after its commit."""

    position: int
    entries: int = 0
    more: bool = False
    next_numbers: dict[int, int] = field(default_factory=dict)
    created: dict[int, int] = field(default_factory=dict)
    """Deliveries made, by lane."""
    expired: dict[int, int] = field(default_factory=dict)
    """Deliveries that ended as expired at once, by lane."""
    changed: list[Subscription] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    """Lanes in which something fell due."""
    backlogs: dict[int, int] = field(default_factory=dict)
    """By lane, what waited before the step, where that was asked for."""

    def apply(self, subscriptions: Subscriptions) -> None:
        """Bring the index in memory to where the committed step left the store."""
        for lane, backlog in self.backlogs.items():
            subscriptions.lanes[lane].backlog = backlog
        for lane, number in self.next_numbers.items():
            subscriptions.lanes[lane].next_number = number
        for lane, count in self.created.items():
            subscription = subscriptions.lanes[lane]
            subscription.backlog += count
            subscription.created += count
        for subscription in self.changed:
            subscriptions.put(subscription)


class Fanout:
    """Takes steps through the feed."""

    def __init__(self, *, backlog_max: int, alone: bool = True) -> None:
        """
        Args:
            backlog_max: deliveries that may wait per webhook; beyond it they expire (§3.3).
            alone: whether the same process works off all lanes. If not, those who do look for what was withdrawn
                (`following`), and what waits in a lane is known from their notes.
        """
        self.subscriptions = Subscriptions()
        self._backlog_max = backlog_max
        self._alone = alone

    async def step(self, tx: DeliveryTransaction, position: int) -> Step | None:
        """Fan out the next entries after `position`; None when there are none.

        Args:
            tx: the transaction of the engine's cycle.
            position: of the last entry fanned out.
        """
        entries = await tx.read_feed(position, FEED_ENTRIES_PER_STEP_MAX)
        if not entries:
            return None
        step = Step(position=position, more=len(entries) == FEED_ENTRIES_PER_STEP_MAX)
        if entries[0].trigger_number == 0:
            await self._apply_changes(tx, entries, step)
        else:
            await self._fan_out(tx, entries, step)
            made, position = step.created, step.position
            await tx.save_numbers(
                [(n, made.get(lane, 0), position, lane) for lane, n in step.next_numbers.items()]
            )
        await tx.save_fanout_position(step.position)
        return step

    async def _fan_out(
        self,
        tx: DeliveryTransaction,
        entries: Sequence[FeedEntry],
        step: Step,
    ) -> None:
        rows: list[NewDelivery] = []
        numbers = step.next_numbers
        created = step.created
        ordered: dict[int, list[int]] = {}
        pending, expired = int(State.PENDING), int(State.EXPIRED)
        subscribers = self.subscriptions.of
        backlog_max = self._backlog_max
        for position, app, trigger_number, stream, created_at, _ in entries:
            if trigger_number == 0 or len(rows) >= DELIVERIES_PER_STEP_MAX:
                step.more = True
                break
            for subscription in subscribers(app, trigger_number):
                lane = subscription.lane
                number = numbers.get(lane) or subscription.next_number
                numbers[lane] = number + 1
                in_order = stream if subscription.ordered else None
                state = pending
                waiting = created.get(lane, 0)
                if subscription.backlog + waiting >= backlog_max and (
                    self._alone or await self._backlog(tx, lane, step) + waiting >= backlog_max
                ):
                    state, in_order = expired, None
                    step.expired[lane] = step.expired.get(lane, 0) + 1
                else:
                    created[lane] = created.get(lane, 0) + 1
                    if in_order is not None:
                        ordered.setdefault(lane, []).append(len(rows))
                rows.append(
                    _new_delivery(
                        (lane, number, position, trigger_number, state, in_order, created_at)
                    )
                )
            step.position = position
            step.entries += 1
        for lane, places in ordered.items():
            await self._hold(tx, lane, places, rows)
        if rows:
            await tx.insert_deliveries(rows)

    @staticmethod
    async def _backlog(tx: DeliveryTransaction, lane: int, step: Step) -> int:
        """What waits in a lane that others work off meanwhile, deliveries of this step aside."""
        if lane not in step.backlogs:
            step.backlogs[lane] = await tx.backlog(lane)
        return step.backlogs[lane]

    @staticmethod
    async def _hold(
        tx: DeliveryTransaction, lane: int, places: list[int], rows: list[NewDelivery]
    ) -> None:
        """Let each event of an ordered lane wait for the one before it in its stream (§3.4)."""
        streams = {rows[place].ordered_stream for place in places}
        busy: set[int | None] = set(await tx.streams_busy(lane, [s for s in streams if s]))
        for place in places:
            stream = rows[place].ordered_stream
            if stream in busy:
                rows[place] = rows[place]._replace(state=int(State.HELD))
            else:
                busy.add(stream)

    async def _apply_changes(
        self, tx: DeliveryTransaction, entries: Sequence[FeedEntry], step: Step
    ) -> None:
        changed: dict[int, Subscription] = {}
        withdrawn: set[int] = set()
        for entry in entries:
            if entry.trigger_number != 0 or entry.change is None:
                step.more = True
                break
            change = _changes.decode(entry.change)
            old = changed.get(change.lane) or self.subscriptions.lanes.get(change.lane)
            new = _changed(old, entry.app, change)
            changed[change.lane] = new
            if old is not None and new.withdrawn != old.withdrawn:
                withdrawn.add(change.lane)
            step.position = entry.position
            step.entries += 1
        for new in changed.values():
            await tx.save_lane(
                LaneRow(
                    new.lane,
                    new.app,
                    new.enabled,
                    new.ordered,
                    new.triggers,
                    next_number=1,
                    cursor=1,
                    head=1,
                    withdrawn=new.withdrawn,
                    moved=step.position,
                )
            )
        # Whatever was withdrawn from a lane, one look through its backlog finds it all.
        for lane in sorted(withdrawn) if self._alone else ():
            step.sweeps.append(await tx.add_sweep(lane, changed[lane].next_number))
        step.changed = list(changed.values())


def _changed(old: Subscription | None, app: int, change: WebhookChange) -> Subscription:
    """The subscription after a change; what the change withdraws is marked by the next number (§2)."""
    enabled = change.enabled and not change.deleted
    triggers = frozenset(change.triggers)
    if old is None:
        return Subscription(change.lane, app, enabled, change.ordered, triggers, 1, {})
    withdrawn = dict(old.withdrawn)
    if old.next_number > 1:
        if old.enabled and not enabled:
            withdrawn[ALL_TRIGGERS] = old.next_number
        for trigger_number in old.triggers - triggers:
            withdrawn[trigger_number] = old.next_number
    return Subscription(
        change.lane, app, enabled, change.ordered, triggers, old.next_number, withdrawn
    )
