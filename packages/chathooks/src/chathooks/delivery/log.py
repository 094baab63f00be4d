"""The delivery log: what became of each delivery, attempt by attempt (delivery contract §6, §7 "Field names").

A page walks a lane's numbers downwards, which is the primary key, or where only states are wanted that few deliveries are
in, the index of those. It looks at a bounded number of rows: a filter that matches little ends the page early with a
cursor to go on from. A time window is found by halving
the lane's numbers, as they were given in commit order; CLOCK_STEP_MS allows for a wall clock that was stepped.
"""

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from chathooks.delivery.outcome import classify, explain
from chathooks.delivery.records import LIVE_STATES, AttemptDetail, State, parse_delivery_id
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.egress.failures import FailureKind
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.catalog import trigger_by_number

ROWS_SCANNED_MAX = 2000
"""Deliveries looked at for one page."""
PAGE_BODY_BYTES_MAX = 4 * 1024 * 1024
"""Kept answers shown on one page; the page ends early beyond it."""
ATTEMPTS_SHOWN_MAX = 100
"""Of one delivery, the latest: replays may add any number."""
CLOCK_JITTER_MS = 5
"""Two readings of two clocks differ by this much without either having been stepped."""
CLOCK_STEP_MS = 3_600_000

INDEXED_STATES = frozenset(
    {State.IN_FLIGHT, State.RETRYING, State.FAILED, State.EXPIRED, State.CANCELLED}
)
"""States whose deliveries are found without walking over all others."""

_STATES_BY_NAME = {state.shown: state for state in State if state is not State.HELD}
_detail = msgspec.json.Decoder(AttemptDetail)
_KINDS = frozenset(str(kind) for kind in FailureKind)


class DeliveryRow(NamedTuple):
    """A delivery as stored."""

    number: int
    trigger_number: int
    state: int
    due_at: int | None
    created_at: int


class EventRow(NamedTuple):
    """What the log shows of a delivery's event."""

    event_id: str
    sequence: int | None


class AttemptRow(NamedTuple):
    """An attempt as stored."""

    attempt: int
    started_at: int
    duration_us: int
    status: int | None
    failure: str | None
    detail: str | bytes
    response_headers: bytes
    response_body: bytes


class LogTransaction(Protocol):
    """What the log asks of a store."""

    async def find_webhook(self, app: int, webhook_id: str) -> StoredWebhook | None: ...
    async def lane_owner(self, lane: int) -> tuple[int, str] | None:
        """(app, webhook id) of a lane, deleted or not."""

    async def deliveries_below(self, lane: int, below: int, limit: int) -> list[DeliveryRow]:
        """Deliveries with smaller numbers than `below`, the highest first."""

    async def deliveries_in_states_below(
        self, lane: int, states: Set[State], below: int, limit: int
    ) -> list[DeliveryRow]:
        """The same of deliveries in some of INDEXED_STATES, without looking at others."""

    async def delivery_from(self, lane: int, number: int) -> DeliveryRow | None:
        """The first delivery from `number` on."""

    async def event_of(self, lane: int, number: int) -> EventRow | None: ...
    async def attempts_of(self, lane: int, number: int, limit: int) -> list[AttemptRow]:
        """The latest attempts, the first of them first."""


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One attempt as it is shown."""

    number: int
    started_at: int
    """Unix ms."""
    duration_ms: float
    detail: AttemptDetail
    status: int | None
    headers: dict[str, str]
    body: str
    failure: str | None
    explanation: str


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """One delivery as it is shown."""

    lane: int
    number: int
    webhook_id: str
    trigger: str
    state: str
    event_id: str
    sequence: int | None
    created_at: int
    """Unix ms."""
    next_attempt_at: int | None
    """Unix ms."""
    attempts: list[LoggedAttempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which deliveries a page shows; empty sets and None mean all."""

    states: Set[str] = frozenset()
    """As shown, e.g. `failed`."""
    triggers: Set[int] = frozenset()
    from_ms: int | None = None
    to_ms: int | None = None
    """Unix ms of the event's commit: from the first, before the second."""
    from_number: int | None = None
    to_number: int | None = None
    """`chathooks-number` of the first and of the last one."""

    def indexed_states(self) -> frozenset[State]:
        """The wanted states where an index finds their deliveries; else none."""
        wanted = frozenset(_STATES_BY_NAME[name] for name in self.states)
        return wanted if wanted <= INDEXED_STATES else frozenset()

    def matches(self, row: DeliveryRow) -> bool:
        """Whether a row is shown."""
        return (
            (not self.states or State(row.state).shown in self.states)
            and (not self.triggers or row.trigger_number in self.triggers)
            and (self.from_ms is None or row.created_at >= self.from_ms)
            and (self.to_ms is None or row.created_at < self.to_ms)
        )


def read_headers(kept: bytes) -> dict[str, str]:
    """Headers of an answer from its kept bytes: lower-case names, repeated ones joined with a comma."""
    headers: dict[str, str] = {}
    for line in kept.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if colon and name and not name.startswith("HTTP/"):
            key, text = name.strip().lower(), value.strip()
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def first_number_from(
    created_at: Callable[[int], Awaitable[int | None]], low: int, high: int, at_ms: int
) -> int:
    """The first of the numbers `low`..`high` whose time is `at_ms` or later; `high` where none is."""
    while low < high:
        middle = (low + high) // 2
        found = await created_at(middle)
        if found is None or found >= at_ms:
            high = middle
        else:
            low = middle + 1
    return low


def _no_webhook(webhook_id: str) -> ChathooksError:
    return ChathooksError(
        "ERR_WEBHOOK_NOT_FOUND", f"There is no webhook {webhook_id!r} in this app."
    )


class DeliveryLog:
    """Reads the log."""

    def __init__(
        self, store: Store[LogTransaction], clock: Clock, *, request_timeout_s: float = 2.0
    ) -> None:
        """
        Args:
            store: where deliveries are kept.
            clock: turns due times into wall time.
            request_timeout_s: what explanations of time-outs name.
        """
        self._store = store
        self._clock = clock
        self._timeout_s = request_timeout_s
        self._ahead_ms = clock.wall_ms() - clock.steady_ms()

    async def live_lane(self, app: int, webhook_id: str) -> int:
        """Lane of a webhook that is not deleted. Raises ERR_WEBHOOK_NOT_FOUND."""

        async def query(tx: LogTransaction) -> StoredWebhook | None:
            return await tx.find_webhook(app, webhook_id)

        webhook = await self._store.read(query)
        if webhook is None or webhook.deleted_at is not None:
            raise _no_webhook(webhook_id)
        return webhook.lane

    async def one(self, app: int, delivery_id: str) -> LoggedDelivery:
        """One delivery of an app. Raises ERR_DELIVERY_NOT_FOUND."""
        key = parse_delivery_id(delivery_id)

        async def query(tx: LogTransaction) -> LoggedDelivery | None:
            if key is None:
                return None
            lane, number = key
            owner = await tx.lane_owner(lane)
            if owner is None or owner[0] != app:
                return None
            row = await tx.delivery_from(lane, number)
            if row is None or row.number != number:
                return None
            return await self._shown(tx, lane, owner[1], row)

        found = await self._store.read(query)
        if found is None:
            raise ChathooksError(
                "ERR_DELIVERY_NOT_FOUND",
                "There is no such delivery in this app; its log may have been pruned.",
            )
        return found

    async def page(
        self, app: int, webhook_id: str, wanted: LogFilter, below: int | None, limit: int
    ) -> tuple[list[LoggedDelivery], int | None]:
        """Deliveries of a webhook, newest first, and the number to go on below; None at the end.

        Args:
            app: key of the app.
            webhook_id: a webhook of the app, deleted or not.
            wanted: which deliveries.
            below: go on below this number; None begins with the newest.
            limit: how many at most; a page may be shorter although more follow.

        Raises:
            ChathooksError: ERR_WEBHOOK_NOT_FOUND.
        """

        async def query(tx: LogTransaction) -> tuple[list[LoggedDelivery], int | None]:
            webhook = await tx.find_webhook(app, webhook_id)
            if webhook is None:
                raise _no_webhook(webhook_id)
            return await self._page(tx, webhook, wanted, below, limit)

        return await self._store.read(query)

    async def _page(
        self,
        tx: LogTransaction,
        webhook: StoredWebhook,
        wanted: LogFilter,
        below: int | None,
        limit: int,
    ) -> tuple[list[LoggedDelivery], int | None]:
        low, high = await self._window(tx, webhook.lane, wanted)
        high = high if below is None else min(high, below)
        states = wanted.indexed_states()
        if states:
            rows = await tx.deliveries_in_states_below(webhook.lane, states, high, ROWS_SCANNED_MAX)
        else:
            rows = await tx.deliveries_below(webhook.lane, high, ROWS_SCANNED_MAX)
        shown: list[LoggedDelivery] = []
        body_chars = 0
        last = None
        for row in rows:
            if row.number < low:
                return shown, None
            if len(shown) >= limit or body_chars > PAGE_BODY_BYTES_MAX:
                return shown, last
            last = row.number
            if wanted.matches(row):
                delivery = await self._shown(tx, webhook.lane, webhook.id, row)
                body_chars += sum(len(attempt.body) for attempt in delivery.attempts)
                shown.append(delivery)
        return shown, last if len(rows) == ROWS_SCANNED_MAX else None

    async def _window(self, tx: LogTransaction, lane: int, wanted: LogFilter) -> tuple[int, int]:
        """Numbers from and below which the wanted numbers and times lie."""
        newest = await tx.deliveries_below(lane, 2**62, 1)
        oldest = await tx.delivery_from(lane, 0)
        if not newest or oldest is None:
            return 0, 0
        low, high = oldest.number, newest[0].number + 1
        if wanted.from_number is not None:
            low = min(max(low, wanted.from_number), high)
        if wanted.to_number is not None:
            high = max(min(high, wanted.to_number + 1), low)

        async def created_at(number: int) -> int | None:
            row = await tx.delivery_from(lane, number)
            return None if row is None else row.created_at

        if wanted.from_ms is not None:
            low = await first_number_from(created_at, low, high, wanted.from_ms - CLOCK_STEP_MS)
        if wanted.to_ms is not None:
            high = await first_number_from(created_at, low, high, wanted.to_ms + CLOCK_STEP_MS)
        return low, high

    def _wall_ahead(self) -> int:
        """Wall time less steady time in ms, the same at every look unless a clock was stepped."""
        ahead = self._clock.wall_ms() - self._clock.steady_ms()
        if abs(ahead - self._ahead_ms) > CLOCK_JITTER_MS:
            self._ahead_ms = ahead
        return self._ahead_ms

    async def _shown(
        self, tx: LogTransaction, lane: int, webhook_id: str, row: DeliveryRow
    ) -> LoggedDelivery:
        event = await tx.event_of(lane, row.number)
        state = State(row.state)
        waits = state in LIVE_STATES and state is not State.IN_FLIGHT
        next_attempt_at = None
        if waits and row.due_at:
            # Due times are on the steady clock; people read the wall clock.
            next_attempt_at = row.due_at + self._wall_ahead()
        attempts = await tx.attempts_of(lane, row.number, ATTEMPTS_SHOWN_MAX)
        return LoggedDelivery(
            lane=lane,
            number=row.number,
            webhook_id=webhook_id,
            trigger=trigger_by_number(row.trigger_number).name,
            state=state.shown,
            event_id="" if event is None else event.event_id,
            sequence=None if event is None else event.sequence,
            created_at=row.created_at,
            next_attempt_at=next_attempt_at,
            attempts=[self._attempt(attempt) for attempt in attempts],
        )

    def _attempt(self, row: AttemptRow) -> LoggedAttempt:
        detail = _detail.decode(row.detail)
        failure = None
        if row.failure is not None:
            failure = FailureKind(row.failure) if row.failure in _KINDS else FailureKind.internal
        transport = None if failure is FailureKind.http_status else failure
        return LoggedAttempt(
            number=row.attempt,
            started_at=row.started_at,
            duration_ms=row.duration_us / 1000,
            detail=detail,
            status=row.status,
            headers=read_headers(row.response_headers),
            body=row.response_body.decode("utf-8", "replace"),
            failure=None if failure is None else str(failure),
            explanation=explain(
                classify(row.status, transport), detail.note or "", self._timeout_s
            ),
        )
