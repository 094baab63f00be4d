"""The engine's port to the store: what is owed, claimed and recorded.

Everything waiting is found through one of two places: a lane's cursor (first attempts, in number order) or the
due index (retries, replays, attempts cut off by a crash, and events of an ordered lane whose turn has come).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from chathooks.delivery.records import State, WebhookChange
from chathooks.kernel.transactions import Notifying


class FeedEntry(NamedTuple):
    """One entry of the feed without its data; `trigger_number` 0 is a webhook change."""

    position: int
    app: int
    trigger_number: int
    stream: int | None
    created_at: int
    change: bytes | None
    """The webhook's new state as JSON, on webhook changes only."""


class NewDelivery(NamedTuple):
    """A row that fan-out makes, in the order of the table's columns."""

    lane: int
    number: int
    position: int
    trigger_number: int
    state: int
    ordered_stream: int | None
    created_at: int


class LaneRow(NamedTuple):
    """A lane as stored."""

    lane: int
    app: int
    enabled: bool
    ordered: bool
    triggers: frozenset[int]
    next_number: int
    cursor: int
    head: int
    withdrawn: dict[int, int]
    """Trigger number (0: all) → deliveries below this number were cancelled."""
    created: int = 0
    """Deliveries that were ever made to wait."""
    moved: int = 0
    """Feed position at which fan-out last changed the row."""


class Candidate(NamedTuple):
    """A waiting delivery with all that an attempt needs."""

    lane: int
    number: int
    attempt: int
    """Attempts begun so far."""
    failures: int
    replay: bool
    due: bool
    """Comes from the due index rather than from the cursor."""
    trigger_number: int
    ordered_stream: int | None
    created_at: int
    event_id: str
    sequence: int | None
    data: bytes


class EndedAttempt(NamedTuple):
    """An attempt's record, in the order of the table's columns."""

    lane: int
    number: int
    attempt: int
    started_at: int
    duration_us: int
    status: int | None
    failure: str | None
    detail: bytes
    response_headers: bytes
    response_body: bytes


class Settled(NamedTuple):
    """A delivery's state after an attempt or without one."""

    state: int
    failures: int
    due_at: int | None
    ordered_stream: int | None
    lane: int
    number: int


class Sweep(NamedTuple):
    """Numbers of a lane that are to be looked through for what was withdrawn; a lane has one sweep at most."""

    lane: int
    from_number: int
    below_number: int


class ReplayFilter(NamedTuple):
    """Which deliveries of a lane are to be replayed."""

    from_ms: int
    """Events committed at or after it, unix ms."""
    to_ms: int
    """Events committed before it, unix ms."""
    states: tuple[int, ...]
    triggers: tuple[int, ...] | None
    """Trigger numbers; None: all."""


class WebhookRow(NamedTuple):
    """A webhook as it is now, secrets sealed: what an attempt uses."""

    lane: int
    app: int
    app_id: str
    region: str
    webhook_id: str
    url: str
    use_basic_auth: bool
    username: str | None
    password_sealed: bytes | None
    enabled: bool
    deleted: bool
    retry_on_failure: bool
    ordered: bool
    max_concurrency: int
    secret_sealed: bytes
    previous_secret_sealed: bytes | None
    previous_expires_at: int | None


class DeliveryTransaction(Notifying, Protocol):
    """What the engine asks of a transaction. All lists are bounded by their `limit`."""

    # Fan-out
    async def fanout_position(self) -> int: ...
    async def read_feed(self, after: int, limit: int) -> list[FeedEntry]: ...
    async def save_fanout_position(self, position: int) -> None: ...
    async def load_lanes(self, shares: Sequence[int] | None) -> list[LaneRow]:
        """The lanes of some shares; None: all. Likewise wherever `shares` are asked for."""

    async def moved_lanes(
        self, after: int, until: int, shares: Sequence[int] | None
    ) -> list[LaneRow]:
        """Lanes that fan-out last changed after one feed position and up to another."""

    async def save_lane(self, row: LaneRow) -> None:
        """Save what a change of its webhook made of a lane; the numbers of one that is known are kept."""

    async def save_numbers(self, rows: Sequence[tuple[int, int, int, int]]) -> None:
        """(next_number, deliveries more that were made to wait, moved, lane) of lanes that got deliveries."""

    async def backlogs(self) -> list[tuple[int, int]]:
        """(lane, deliveries that wait) of lanes with such, as their engines last noted them and with those made since."""

    async def backlog(self, lane: int) -> int:
        """The same of one lane."""

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> None: ...
    async def streams_busy(self, lane: int, streams: Sequence[int]) -> set[int]:
        """Which of the streams have a delivery in this lane that has not ended."""

    # Claiming
    async def waiting_at_cursor(self, lane: int, cursor: int, limit: int) -> list[Candidate]: ...
    async def waiting_due(
        self, lane: int, now: int, limit: int, *, replays_only: bool
    ) -> list[Candidate]: ...
    async def claim(self, claimed: Sequence[Candidate]) -> None:
        """Mark as in flight, one more attempt begun."""

    async def hand_back(self, claimed: Sequence[tuple[int, int]], due_at: int) -> None:
        """Let (lane, number) that were claimed wait in the due index, as if never claimed."""

    async def next_due(self, lane: int, *, replays_only: bool) -> int | None:
        """Earliest due time (steady ms) in a lane's due index."""

    async def save_progress(self, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
        """(cursor, head, waiting, seen, lane) of lanes that were worked on.

        `waiting` of the deliveries that were ever made to wait, as far as `seen`, still wait.
        """

    # Recording
    async def record_attempts(self, rows: Sequence[EndedAttempt]) -> None: ...
    async def settle(self, rows: Sequence[Settled]) -> None: ...
    async def settle_delivered(self, lane: int, numbers: Sequence[int]) -> None:
        """End deliveries in flight as delivered that came from the cursor, never failed and stand in no stream."""

    async def held_at_head(self, lane: int, stream: int) -> int | None:
        """Number of the stream's first delivery that has not ended, where it is held."""

    async def release(self, lane: int, number: int, due_at: int | None) -> None:
        """Let a held delivery be claimed: through the due index, or without a due time at the cursor."""

    # Cancelling
    async def add_sweep(self, lane: int, below: int) -> Sweep:
        """Have a lane looked through anew, from its first waiting delivery to before `below`."""

    async def load_sweeps(self, shares: Sequence[int] | None) -> list[Sweep]: ...
    async def sweep(
        self, sweep: Sweep, below: int, withdrawn: Mapping[int, int]
    ) -> list[tuple[int, int | None, int]]:
        """Waiting deliveries below a number that were withdrawn: (number, ordered stream, failures).

        Args:
            sweep: how far the lane was looked through.
            below: where to stop.
            withdrawn: trigger number (0: all) → deliveries below this number are cancelled.
        """

    async def swept(self, sweep: Sweep, below: int) -> None:
        """Note that the sweep is done below a number."""

    # Start, supervision, retention
    async def interrupted(self, shares: Sequence[int] | None) -> list[Candidate]:
        """Deliveries whose attempt was in flight when their engine ended; `data` is empty."""

    async def bring_forward(self, lane: int, latest: int) -> None:
        """Let no entry of the lane's due index fall due later than `latest` (steady ms)."""

    async def lanes_due(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        """(lane, earliest due time, entries) of every lane with entries in the due index; 0: one in flight."""

    async def due_lanes(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        """(lane, earliest due time) of every lane that has something due: at the cost of a look per such lane."""

    async def lanes_held(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        """(lane, deliveries held below the lane's cursor) of ordered lanes."""

    async def held_heads(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        """(lane, stream) where the first delivery that has not ended is held, though nothing is before it."""

    async def held_streams(self, lane: int, first: int, below: int) -> list[int]:
        """Streams with a held delivery among the lane's numbers from `first` to before `below`."""

    async def lanes_pending(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        """(lane, deliveries that wait from the lane's cursor on, those ever made to wait) of lanes with such."""

    async def webhook_config(self, lane: int) -> WebhookRow | None: ...
    async def oldest_waiting(self, lane: int, cursor: int) -> int | None:
        """Commit time (unix ms) of the event of the first unclaimed delivery."""

    async def outbox_waiting(self, position: int) -> tuple[int, int | None]:
        """(entries after `position`, commit time in unix ms of the first)."""

    async def prune_deliveries(self, lane: int, before_ms: int, limit: int) -> int: ...
    async def prune_feed(self, before_ms: int, below: int, limit: int) -> int:
        """Prune entries from the front, up to the first that is younger or not below; readers rely on it."""

    async def oldest_kept_position(self) -> int | None:
        """Lowest feed position that a kept delivery points to."""


__all__ = [
    "Candidate",
    "DeliveryTransaction",
    "EndedAttempt",
    "FeedEntry",
    "LaneRow",
    "NewDelivery",
    "ReplayFilter",
    "Settled",
    "State",
    "Sweep",
    "WebhookChange",
    "WebhookRow",
]
