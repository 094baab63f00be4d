"""Replays: deliveries that ended are made again, on request (delivery contract §2).

A replay keeps the event's id and the delivery's number, uses today's URL, credentials, secret and schedule, and
is made even when the webhook is disabled. Many are marked in small transactions, so that a large window does not
stand in the way of the traffic: the first ones in the call itself, the rest as stored work (`ReplayWork`), which waits
while as many replays of the webhook as REPLAYS_WAITING_MAX have not been sent. How far it is stands in the store, in the very
transaction that marks: after a crash it goes on there, and a delivery is marked once.
"""

from dataclasses import dataclass, replace

import structlog

from chathooks.delivery.log import CLOCK_STEP_MS, first_number_from
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import LIVE_STATES, State, delivery_id
from chathooks.delivery.replay_store import ReplayRow, ReplayTransaction
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store, Topic

DELIVERIES_PER_TRANSACTION = 1000
TRANSACTIONS_PER_CALL_MAX = 10
"""What is left after them goes on as stored work."""
LOOKS_PER_DRY_RUN_MAX = 1000
"""Transactions of a dry run; what it has not seen after them is not counted."""
RUNNING_PER_WEBHOOK_MAX = 10
REPLAYS_WAITING_MAX = 2000
WORK_EVERY_S = 1
WORKED_AT_ONCE_MAX = 100
"""Replays that one round takes a step of."""
UNDELIVERED_STATES = (State.FAILED, State.EXPIRED)
"""What a replay of many takes when no states are named."""
REQUEST_OVERHEAD_BYTES = 900
"""Headers and envelope around the data of an event, about."""
ATTEMPTS_MEASURED = 100
ATTEMPT_UNKNOWN_US = 2_000_000
"""Taken for an attempt where the webhook has had none: the time-out."""
FAR = 2**62

_US_PER_S = 1_000_000

log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """Which deliveries of a webhook are to be replayed."""

    wanted: ReplayFilter
    from_number: int = 0
    to_number: int = FAR
    """The last one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a replay would take, estimated."""

    requests: int
    """If every endpoint answers at once."""
    requests_max: int
    """If every attempt fails."""
    bytes: int
    seconds: float
    """At the webhook's concurrency and the duration of its latest attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay of many found and made due."""

    matched: int
    replayed: int
    dry_run: bool
    complete: bool = True
    """Whether a dry run looked at everything."""
    cost: Cost | None = None
    work: ReplayRow | None = None
    """What goes on after the call."""


def _no_replay() -> ChathooksError:
    return ChathooksError(
        "ERR_REPLAY_NOT_FOUND",
        "There is no such replay in this app; those that ended are forgotten after a while.",
    )


class Replay:
    """Makes ended deliveries due again."""

    def __init__(self, store: Store[ReplayTransaction], clock: Clock, *, retries: int = 2) -> None:
        """
        Args:
            store: where deliveries are kept.
            clock: dates replays.
            retries: of the retry schedule, for estimates.
        """
        self._store = store
        self._clock = clock
        self._retries = retries

    async def one(self, app: int, lane: int, number: int) -> None:
        """Replay one delivery of an app.

        Raises:
            ChathooksError: ERR_DELIVERY_NOT_FOUND; ERR_WEBHOOK_NOT_FOUND when the webhook was deleted;
                ERR_BAD_REQUEST when the delivery has not ended or its event is no longer kept.
        """
        now = self._clock.steady_ms()

        async def command(tx: ReplayTransaction) -> None:
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

    async def many(
        self, webhook: StoredWebhook, window: ReplayWindow, *, dry_run: bool
    ) -> Replayed:
        """Replay all deliveries of a webhook that the window holds; `dry_run` only counts them.

        Raises:
            ChathooksError: ERR_TOO_MANY_REQUESTS while as many replays of the webhook as may go on.
        """
        start, stop = await self._store.read(lambda tx: _bounds(tx, webhook.lane, window))
        if dry_run:
            return await self._count(webhook, window.wanted, start, stop)
        running = await self._store.read(lambda tx: tx.running_of_lane(webhook.lane))
        if running >= RUNNING_PER_WEBHOOK_MAX:
            raise ChathooksError(
                "ERR_TOO_MANY_REQUESTS",
                f"{running} replays of this webhook go on; wait for one, or stop one.",
            )
        now_ms = self._clock.wall_ms()
        row = ReplayRow(
            replay=0,
            lane=webhook.lane,
            app=webhook.app,
            webhook_id=webhook.id,
            webhook_deleted=False,
            created_at=now_ms,
            wanted=window.wanted,
            first_number=start,
            next_number=start,
            stop_number=stop,
            replayed=0,
            ended_at=None if start < stop else now_ms,
            stopped=False,
        )
        for _ in range(TRANSACTIONS_PER_CALL_MAX):
            if row.ended_at is not None:
                return Replayed(matched=row.replayed, replayed=row.replayed, dry_run=False)
            row = await self._step(row)
        if row.ended_at is None:
            kept = row
            row = replace(row, replay=await self._store.write(lambda tx: tx.insert_replay(kept)))
            return Replayed(matched=row.replayed, replayed=row.replayed, dry_run=False, work=row)
        return Replayed(matched=row.replayed, replayed=row.replayed, dry_run=False)

    async def _step(self, row: ReplayRow) -> ReplayRow:
        now, now_ms = self._clock.steady_ms(), self._clock.wall_ms()
        return await self._store.write(lambda tx: mark(tx, row, now, now_ms))

    async def _count(
        self, webhook: StoredWebhook, wanted: ReplayFilter, start: int, stop: int
    ) -> Replayed:
        lane = webhook.lane
        matched = size = looks = 0
        while start < stop and looks < LOOKS_PER_DRY_RUN_MAX:
            found, start = await self._store.read(
                lambda tx, a=start: tx.replayable(lane, a, stop, wanted, DELIVERIES_PER_TRANSACTION)  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
            )
            matched += len(found)
            size += sum(data for _, data in found)
            looks += 1
        mean_us = await self._store.read(lambda tx: tx.recent_attempt_us(lane, ATTEMPTS_MEASURED))
        each_us = ATTEMPT_UNKNOWN_US if mean_us is None else mean_us
        cost = Cost(
            requests=matched,
            requests_max=matched * (1 + (self._retries if webhook.retry_on_failure else 0)),
            bytes=size + matched * REQUEST_OVERHEAD_BYTES,
            seconds=round(matched * each_us / webhook.max_concurrency / _US_PER_S, 3),
        )
        return Replayed(
            matched=matched, replayed=0, dry_run=True, complete=start >= stop, cost=cost
        )

    async def get(self, app: int, replay: int | None) -> ReplayRow:
        """A replay that went on after its call. Raises ERR_REPLAY_NOT_FOUND."""

        async def query(tx: ReplayTransaction) -> ReplayRow:
            return await _find(tx, app, replay)

        return await self._store.read(query)

    async def page(
        self, lane: int, below: int | None, limit: int
    ) -> tuple[list[ReplayRow], int | None]:
        """Replays of a webhook, the latest first, and the key to go on below; None at the end."""

        async def query(tx: ReplayTransaction) -> list[ReplayRow]:
            return await tx.replays_below(lane, FAR if below is None else below, limit + 1)

        found = await self._store.read(query)
        return found[:limit], found[limit - 1].replay if len(found) > limit else None

    async def stop(self, app: int, replay: int | None) -> ReplayRow:
        """Mark no more deliveries; those marked are still sent. Raises ERR_REPLAY_NOT_FOUND."""
        now_ms = self._clock.wall_ms()

        async def stop(tx: ReplayTransaction) -> ReplayRow:
            row = await _find(tx, app, replay)
            if row.ended_at is None:
                row = replace(row, ended_at=now_ms, stopped=True)
                await tx.advance_replay(row)
            return row

        return await self._store.write(stop)


class ReplayWork:
    """Goes on with replays of many."""

    def __init__(self, store: Store[ReplayTransaction], clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def step(self, replay: int) -> bool:
        """Mark some more of one replay; answers whether more can be marked at once."""
        now, now_ms = self._clock.steady_ms(), self._clock.wall_ms()

        async def step(tx: ReplayTransaction) -> bool:
            row = await tx.find_replay(replay)
            if row is None or row.ended_at is not None:
                return False
            if row.webhook_deleted:
                await tx.advance_replay(replace(row, ended_at=now_ms, stopped=True))
                return False
            waiting = await tx.replays_waiting(row.lane, REPLAYS_WAITING_MAX)
            if waiting >= REPLAYS_WAITING_MAX - DELIVERIES_PER_TRANSACTION:
                return False
            row = await mark(tx, row, now, now_ms)
            await tx.advance_replay(row)
            if row.ended_at is not None:
                log.info("a replay is done", lane=row.lane, count=row.replayed)
            return row.ended_at is None

        return await self._store.write(step)

    async def round(self) -> None:
        """Go on with each as far as can be."""
        going = await self._store.read(lambda tx: tx.running_replays(WORKED_AT_ONCE_MAX))
        while going:
            going = [replay for replay in going if await self.step(replay)]


async def mark(tx: ReplayTransaction, row: ReplayRow, now: int, now_ms: int) -> ReplayRow:
    """Make the next deliveries of a replay due; answers how far it is then.

    Args:
        tx: a transaction.
        row: the replay.
        now: steady ms.
        now_ms: unix ms.
    """
    found, reached = await tx.replayable(
        row.lane, row.next_number, row.stop_number, row.wanted, DELIVERIES_PER_TRANSACTION
    )
    if found:
        await tx.make_replay(row.lane, [number for number, _ in found], now)
        tx.notify(Topic.REPLAY, row.lane)
    return replace(
        row,
        next_number=reached,
        replayed=row.replayed + len(found),
        ended_at=now_ms if reached >= row.stop_number else None,
    )


async def _find(tx: ReplayTransaction, app: int, replay: int | None) -> ReplayRow:
    row = None if replay is None else await tx.find_replay(replay)
    if row is None or row.app != app:
        raise _no_replay()
    return row


async def _bounds(tx: ReplayTransaction, lane: int, window: ReplayWindow) -> tuple[int, int]:
    """Numbers from and before which the window lies; times are found by halving, as in the log."""
    low, high = await tx.numbers_of_lane(lane)
    low = max(low, window.from_number, 1)
    stop = min(high, window.to_number) + 1

    async def created_at(number: int) -> int | None:
        return await tx.created_from(lane, number)

    wanted = window.wanted
    low = await first_number_from(created_at, low, stop, wanted.from_ms - CLOCK_STEP_MS)
    stop = await first_number_from(created_at, low, stop, wanted.to_ms + CLOCK_STEP_MS)
    return low, stop
