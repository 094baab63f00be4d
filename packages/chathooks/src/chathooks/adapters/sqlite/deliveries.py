"""The engine's port on SQLite."""

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec

from chathooks.adapters.sqlite.connection import TransactionPart
from chathooks.adapters.sqlite.statements import of_many_rows, statements
from chathooks.delivery.queue import (
    Candidate,
    EndedAttempt,
    FeedEntry,
    LaneRow,
    NewDelivery,
    Settled,
    Sweep,
    WebhookRow,
)
from chathooks.delivery.records import LIVE_STATES, State
from chathooks.delivery.shares import share_of
from chathooks.kernel.rows import row_maker

_SQL = statements("deliveries.sql")
_PLAINLY_DELIVERED = (int(State.DELIVERED), 0, None, None)
_CLAIM_ONE = _SQL["claim_one"]
_CLAIM_DUE = _SQL["claim_due"]
ROWS_PER_INSERT = 16
"""Rows that one statement inserts where there are so many: half the time of a statement for each."""
_INSERT_DELIVERIES = of_many_rows(_SQL["insert_delivery"], ROWS_PER_INSERT)
_RECORD_ATTEMPTS = of_many_rows(_SQL["record_attempt"], ROWS_PER_INSERT)
_candidate = row_maker(Candidate)
_feed_entry = row_maker(FeedEntry)
_place = itemgetter(0, 1)
"""Lane and number of a row."""
_triggers = msgspec.json.Decoder(list[int])
_withdrawn = msgspec.json.Decoder(dict[int, int])


def _lane_row(row: tuple[Any, ...]) -> LaneRow:
    lane, app, enabled, ordered, triggers, next_number, cursor, head, *rest = row
    withdrawn, created, moved = rest
    return LaneRow(
        lane,
        app,
        bool(enabled),
        bool(ordered),
        frozenset(_triggers.decode(triggers)),
        next_number,
        cursor,
        head,
        _withdrawn.decode(withdrawn),
        created,
        moved,
    )


def _listed(shares: Sequence[int] | None) -> str | None:
    return None if shares is None else msgspec.json.encode(list(shares)).decode()


def _runs(numbers: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(lane, number) pairs as (lane, first, last) of unbroken runs, most of which are long."""
    runs: list[tuple[int, int, int]] = []
    numbers.sort()
    for lane, number in numbers:
        if runs and runs[-1][0] == lane and runs[-1][2] == number - 1:
            runs[-1] = (lane, runs[-1][1], number)
        else:
            runs.append((lane, number, number))
    return runs


class DeliveryPart(TransactionPart):
    """See `chathooks.delivery.queue.DeliveryTransaction`."""

    def _insert(self, one: str, many: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, as many as go by statements that take ROWS_PER_INSERT at once."""
        whole = len(rows) - len(rows) % ROWS_PER_INSERT
        for first in range(0, whole, ROWS_PER_INSERT):
            self._run(many, list(chain.from_iterable(rows[first : first + ROWS_PER_INSERT])))
        if whole < len(rows):
            self._run_many(one, rows[whole:])

    async def fanout_position(self) -> int:
        return int(self._one(_SQL["fanout_position"])[0])

    async def read_feed(self, after: int, limit: int) -> list[FeedEntry]:
        return list(map(_feed_entry, self._all(_SQL["read_feed"], (after, limit))))

    async def save_fanout_position(self, position: int) -> None:
        self._run(_SQL["save_fanout_position"], (position,))

    async def load_lanes(self, shares: Sequence[int] | None) -> list[LaneRow]:
        return list(map(_lane_row, self._all(_SQL["load_lanes"], (_listed(shares),))))

    async def moved_lanes(
        self, after: int, until: int, shares: Sequence[int] | None
    ) -> list[LaneRow]:
        found = self._all(_SQL["moved_lanes"], (_listed(shares), after, until))
        return list(map(_lane_row, found))

    async def save_lane(self, row: LaneRow) -> None:
        self._run(
            _SQL["save_lane"],
            (
                row.lane,
                row.app,
                row.enabled,
                row.ordered,
                msgspec.json.encode(sorted(row.triggers)).decode(),
                row.next_number,
                msgspec.json.encode(row.withdrawn).decode(),
                share_of(row.lane),
                row.moved,
            ),
        )
        self._run(_SQL["make_progress"], (row.lane, row.cursor, row.head))

    async def save_numbers(self, rows: Sequence[tuple[int, int, int, int]]) -> None:
        self._run_many(_SQL["save_numbers"], rows)

    async def backlogs(self) -> list[tuple[int, int]]:
        return self._all(_SQL["backlogs"])

    async def backlog(self, lane: int) -> int:
        row = self._one(_SQL["backlog"], (lane,))
        return 0 if row is None else int(row[0])

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> None:
        self._insert(_SQL["insert_delivery"], _INSERT_DELIVERIES, rows)

    async def streams_busy(self, lane: int, streams: Sequence[int]) -> set[int]:
        return {s for s in streams if self._one(_SQL["stream_busy"], (lane, s)) is not None}

    async def waiting_at_cursor(self, lane: int, cursor: int, limit: int) -> list[Candidate]:
        rows = self._all(_SQL["waiting_at_cursor"], (lane, cursor, limit))
        return list(map(_candidate, rows))

    async def waiting_due(
        self, lane: int, now: int, limit: int, *, replays_only: bool
    ) -> list[Candidate]:
        rows = self._all(_SQL["waiting_due"], (lane, now, int(replays_only), limit))
        return list(map(_candidate, rows))

    async def claim(self, claimed: Sequence[Candidate]) -> None:
        due = [(item.lane, item.number) for item in claimed if item.due]
        first = [(item.lane, item.number) for item in claimed if not item.due]
        if due:
            self._run_many(_CLAIM_DUE, due)
        if first:
            lane, low = first[0]
            high = first[-1][1]
            if high - low + 1 == len(first):
                self._run(_SQL["claim_range"], (lane, low, high))
            else:
                self._run_many(_CLAIM_ONE, first)

    async def hand_back(self, claimed: Sequence[tuple[int, int]], due_at: int) -> None:
        self._run_many(_SQL["hand_back"], [(due_at, *place) for place in claimed])

    async def next_due(self, lane: int, *, replays_only: bool) -> int | None:
        row = self._one(_SQL["next_due"], (lane, int(replays_only)))
        return None if row is None else int(row[0])

    async def save_progress(self, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
        self._run_many(_SQL["save_progress"], rows)

    async def record_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        # In the table's order, each row is written where the one before it was.
        self._insert(_SQL["record_attempt"], _RECORD_ATTEMPTS, sorted(rows, key=_place))

    async def settle(self, rows: Sequence[Settled]) -> None:
        plain: list[tuple[int, int]] = []
        other: list[Settled] = []
        for row in rows:
            if row[:4] == _PLAINLY_DELIVERED:
                plain.append((row.lane, row.number))
            else:
                other.append(row)
        self._run_many(_SQL["settle_delivered"], _runs(plain))
        if other:
            self._run_many(_SQL["settle"], other)

    async def settle_delivered(self, lane: int, numbers: Sequence[int]) -> None:
        runs = _runs([(lane, number) for number in numbers])
        self._run_many(_SQL["settle_plainly_delivered"], runs)

    async def held_at_head(self, lane: int, stream: int) -> int | None:
        row = self._one(_SQL["held_at_head"], (lane, stream))
        return row[0] if row is not None and row[1] == State.HELD else None

    async def release(self, lane: int, number: int, due_at: int | None) -> None:
        self._run(_SQL["release"], (due_at, lane, number))

    async def add_sweep(self, lane: int, below: int) -> Sweep:
        return Sweep._make(self._all(_SQL["add_sweep"], (lane, below))[0])

    async def load_sweeps(self, shares: Sequence[int] | None) -> list[Sweep]:
        return list(map(Sweep._make, self._all(_SQL["load_sweeps"], (_listed(shares),))))

    async def sweep(
        self, sweep: Sweep, below: int, withdrawn: Mapping[int, int]
    ) -> list[tuple[int, int | None, int]]:
        by_trigger = msgspec.json.encode(withdrawn).decode()
        bounds = (sweep.lane, sweep.from_number, below, withdrawn.get(0, 0), by_trigger)
        return self._all(_SQL["sweep"], bounds)

    async def swept(self, sweep: Sweep, below: int) -> None:
        if below >= sweep.below_number:
            self._run(_SQL["drop_sweep"], (sweep.lane,))
        else:
            self._run(_SQL["swept"], (below, sweep.lane))

    async def interrupted(self, shares: Sequence[int] | None) -> list[Candidate]:
        named = (_listed(shares),)
        found = list(map(_candidate, self._all(_SQL["interrupted_first"], named)))
        for lane, earliest, _ in self._all(_SQL["lanes_due"], named):
            if earliest == 0:
                found += map(_candidate, self._all(_SQL["interrupted_due"], (lane,)))
        return found

    async def bring_forward(self, lane: int, latest: int) -> None:
        self._run(_SQL["bring_forward"], (latest, lane, latest))

    async def lanes_due(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        return self._all(_SQL["lanes_due"], (_listed(shares),))

    async def due_lanes(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        found = self._all(_SQL["due_lanes"], (_listed(shares),))
        return [(lane, due_at) for lane, due_at in found if due_at is not None]

    async def lanes_held(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        return self._all(_SQL["lanes_held"], (_listed(shares),))

    async def held_heads(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        return self._all(_SQL["held_heads"], (_listed(shares),))

    async def held_streams(self, lane: int, first: int, below: int) -> list[int]:
        found = self._all(_SQL["held_streams"], (lane, first, below))
        return [stream for (stream,) in found]

    async def lanes_pending(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        return self._all(_SQL["lanes_pending"], (_listed(shares),))

    async def webhook_config(self, lane: int) -> WebhookRow | None:
        row = self._one(_SQL["webhook_config"], (lane,))
        return None if row is None else WebhookRow._make(row)

    async def oldest_waiting(self, lane: int, cursor: int) -> int | None:
        row = self._one(_SQL["oldest_waiting"], (lane, cursor))
        return None if row is None else int(row[0])

    async def outbox_waiting(self, position: int) -> tuple[int, int | None]:
        waiting, oldest = self._one(_SQL["outbox_waiting"], (position,))
        return max(0, waiting or 0), oldest

    async def prune_deliveries(self, lane: int, before_ms: int, limit: int) -> int:
        # Rows are in number order, which is the order of age: only the oldest are looked at.
        keys = [
            (lane, number)
            for number, state, created_at in self._all(_SQL["oldest_of_lane"], (lane, limit))
            if created_at < before_ms and state not in LIVE_STATES
        ]
        self._run_many(_SQL["prune_attempts"], keys)
        self._run_many(_SQL["prune_delivery"], keys)
        return len(keys)

    async def prune_feed(self, before_ms: int, below: int, limit: int) -> int:
        return self._run(_SQL["prune_feed"], (before_ms, below, limit)).rowcount

    async def oldest_kept_position(self) -> int | None:
        found = [
            row[0]
            for (lane,) in self._all(_SQL["lane_keys"])
            if (row := self._one(_SQL["oldest_in_lane"], (lane,))) is not None
        ]
        return min(found, default=None)
