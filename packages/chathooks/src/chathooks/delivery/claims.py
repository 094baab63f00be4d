"""A lane's turn: which waiting deliveries begin an attempt now, and which end without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chathooks.delivery.fanout import Subscription
from chathooks.delivery.payload import Endpoint
from chathooks.delivery.queue import Candidate, DeliveryTransaction, Settled
from chathooks.delivery.records import State

EXPIRED_PER_TURN_MAX = 256
LOOK_AGAIN_MS_MIN = 1_000
LOOK_AGAIN_MS_MAX = 3_600_000
"""The wall clock, by which deliveries expire, may be stepped meanwhile."""
ANY_TIME = 2**62
"""Later than every due time."""


@dataclass(slots=True)
class Claim:
    """What a turn took, to be applied to memory after its commit."""

    subscription: Subscription
    endpoint: Endpoint
    cursor: int
    items: list[Candidate] = field(default_factory=list)
    ended: list[Settled] = field(default_factory=list)
    left: int = 0
    """Deliveries that wait no more, replays aside."""
    due_checked: bool = False
    next_due: int | None = None
    """Earliest due time left, when `due_checked`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The times a cycle goes by, read once."""

    steady_ms: int
    wall_ms: int
    expire_before_ms: int
    """Deliveries of events committed before it (unix ms) expire instead of being tried (§3.3)."""


async def take_turn(
    tx: DeliveryTransaction,
    subscription: Subscription,
    endpoint: Endpoint,
    *,
    slots: int,
    next_number: int,
    due: bool,
    moment: Moment,
) -> Claim:
    """Claim up to `slots` deliveries of a lane: what is due first, then what waits at its cursor.

    Args:
        tx: the cycle's transaction.
        subscription: the lane.
        endpoint: its webhook; a disabled one makes replays only (§2).
        slots: attempts that may begin.
        next_number: of the lane, deliveries of this very cycle included.
        due: whether the lane's due index has come due.
        moment: the cycle's times.
    """
    lane = subscription.lane
    claim = Claim(subscription, endpoint, subscription.cursor)
    waiting: list[Candidate] = []
    if due:
        waiting = await tx.waiting_due(
            lane, moment.steady_ms, slots, replays_only=not endpoint.open
        )
    room = slots - len(waiting)
    if room > 0 and endpoint.open and claim.cursor < next_number:
        found = await tx.waiting_at_cursor(lane, claim.cursor, room)
        cursor = found[-1].number + 1 if len(found) == room else next_number
        claim.cursor = cursor
        waiting += found
    claim.left = sum(not item.replay for item in waiting)
    for item in waiting:
        state = _ends_unsent(item, subscription, endpoint, moment)
        if state is None:
            claim.items.append(item)
        else:
            claim.ended.append(Settled(state, item.failures, None, None, lane, item.number))
    await tx.claim(claim.items)
    if claim.ended:
        streams = {item.ordered_stream for item in waiting if item.ordered_stream is not None}
        await end_unsent(tx, claim.ended, streams, claim.cursor, moment.steady_ms)
    if due or claim.ended:
        claim.due_checked = True
        claim.next_due = await tx.next_due(lane, replays_only=not endpoint.open)
    return claim


async def expire_turn(
    tx: DeliveryTransaction,
    subscription: Subscription,
    endpoint: Endpoint,
    moment: Moment,
) -> Claim:
    """The turn of a lane whose webhook cannot be read: what is too old ends, the rest waits for a readable one.

    Otherwise it would wait for ever and with it every event behind it (delivery contract §3.3).

    Args:
        tx: the cycle's transaction.
        subscription: the lane.
        endpoint: its webhook.
        moment: the cycle's times.
    """
    lane = subscription.lane
    claim = Claim(subscription, endpoint, subscription.cursor, due_checked=True)
    retries = await tx.waiting_due(lane, ANY_TIME, EXPIRED_PER_TURN_MAX, replays_only=False)
    first = await tx.waiting_at_cursor(lane, claim.cursor, EXPIRED_PER_TURN_MAX)
    waiting: list[Candidate] = []
    for item in (*retries, *first):
        withdrawn = not item.replay and subscription.is_withdrawn(item.number, item.trigger_number)
        if withdrawn or endpoint.deleted:
            state = State.CANCELLED
        elif item.created_at < moment.expire_before_ms:
            state = State.EXPIRED
        else:
            waiting.append(item)
            continue
        claim.ended.append(Settled(state, item.failures, None, None, lane, item.number))
        claim.left += not item.replay
    ended = {one.number for one in claim.ended}
    for item in first:
        if item.number not in ended:
            break
        claim.cursor = item.number + 1
    if claim.ended:
        streams = {
            item.ordered_stream
            for item in (*retries, *first)
            if item.ordered_stream is not None and item.number in ended
        }
        await end_unsent(tx, claim.ended, streams, claim.cursor, moment.steady_ms)
        claim.next_due = moment.steady_ms
    elif waiting:
        oldest = min(item.created_at for item in waiting)
        wait_ms = oldest - moment.expire_before_ms
        claim.next_due = moment.steady_ms + min(max(wait_ms, LOOK_AGAIN_MS_MIN), LOOK_AGAIN_MS_MAX)
    return claim


def _ends_unsent(
    item: Candidate, subscription: Subscription, endpoint: Endpoint, moment: Moment
) -> State | None:
    if item.replay:
        return State.CANCELLED if endpoint.deleted else None
    if subscription.is_withdrawn(item.number, item.trigger_number):
        return State.CANCELLED
    if item.created_at < moment.expire_before_ms:
        return State.EXPIRED
    return None


async def end_unsent(
    tx: DeliveryTransaction,
    ended: Sequence[Settled],
    streams: set[int],
    cursor: int,
    now: int,
) -> None:
    """End deliveries without an attempt and let the next of their streams go.

    Args:
        tx: the cycle's transaction.
        ended: deliveries of one lane.
        streams: ordered streams that they stood in.
        cursor: the lane's.
        now: steady ms.
    """
    await tx.settle(ended)
    for stream in streams:
        await release_head(tx, ended[0].lane, stream, cursor, now)


async def release_head(
    tx: DeliveryTransaction, lane: int, stream: int, cursor: int, now: int
) -> bool:
    """Let an ordered stream's first delivery go if it was held; whether it went to the due index."""
    number = await tx.held_at_head(lane, stream)
    if number is None:
        return False
    # Above the cursor the cursor will find it; below, only the due index will.
    await tx.release(lane, number, now if number < cursor else None)
    return number < cursor
