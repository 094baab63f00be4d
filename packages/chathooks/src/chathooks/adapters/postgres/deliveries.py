"""The engine's port on PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chathooks.adapters.postgres.connection import TransactionPart, columns
from chathooks.adapters.postgres.statements import statements
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

_SQL = statements("deliveries.sql")
_PLAINLY_DELIVERED = (int(State.DELIVERED), 0, None, None)
_CLAIM_ONE = _SQL["claim_one"]
_CLAIM_DUE = _SQL["claim_due"]
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


def _listed(shares: Sequence[int] | None) -> list[int] | None:
    return None if shares is None else list(shares)


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

    async def fanout_position(self) -> int:
        return int((await self._one(_SQL["fanout_position"]))[0])

    async def read_feed(self, after: int, limit: int) -> list[FeedEntry]:
        return list(map(FeedEntry._make, await self._all(_SQL["read_feed"], (after, limit))))

    async def save_fanout_position(self, position: int) -> None:
        await self._run(_SQL["save_fanout_position"], (position,))

    async def load_lanes(self, shares: Sequence[int] | None) -> list[LaneRow]:
        return list(map(_lane_row, await self._all(_SQL["load_lanes"], (_listed(shares),))))

    async def moved_lanes(
        self, after: int, until: int, shares: Sequence[int] | None
    ) -> list[LaneRow]:
        found = await self._all(_SQL["moved_lanes"], (_listed(shares), after, until))
        return list(map(_lane_row, found))

    async def save_lane(self, row: LaneRow) -> None:
        await self._run(
            _SQL["save_lane"],
            (
                row.lane,
                row.app,
                int(row.enabled),
                int(row.ordered),
                msgspec.json.encode(sorted(row.triggers)).decode(),
                row.next_number,
                msgspec.json.encode(row.withdrawn).decode(),
                share_of(row.lane),
                row.moved,
            ),
        )
        await self._run(_SQL["make_progress"], (row.lane, row.cursor, row.head))

    async def save_numbers(self, rows: Sequence[tuple[int, int, int, int]]) -> None:
        if rows:
            await self._run(_SQL["save_numbers"], columns(rows))

    async def backlogs(self) -> list[tuple[int, int]]:
        return await self._all(_SQL["backlogs"])

    async def backlog(self, lane: int) -> int:
        row = await self._one(_SQL["backlog"], (lane,))
        return 0 if row is None else int(row[0])

    async def insert_deliveries(self, rows: Sequence[NewDelivery]) -> None:
        if rows:
            await self._run(_SQL["insert_delivery"], columns(rows))

    async def streams_busy(self, lane: int, streams: Sequence[int]) -> set[int]:
        return {row[0] for row in await self._all(_SQL["stream_busy"], (lane, list(streams)))}

    async def waiting_at_cursor(self, lane: int, cursor: int, limit: int) -> list[Candidate]:
        rows = await self._all(_SQL["waiting_at_cursor"], (lane, cursor, limit))
        return list(map(Candidate._make, rows))

    async def waiting_due(
        self, lane: int, now: int, limit: int, *, replays_only: bool
    ) -> list[Candidate]:
        rows = await self._all(_SQL["waiting_due"], (lane, now, int(replays_only), limit))
        return list(map(Candidate._make, rows))

    async def claim(self, claimed: Sequence[Candidate]) -> None:
        due = [(item.lane, item.number) for item in claimed if item.due]
        first = [(item.lane, item.number) for item in claimed if not item.due]
        if due:
            await self._run(_CLAIM_DUE, columns(due))
        if first:
            lane, low = first[0]
            high = first[-1][1]
            if high - low + 1 == len(first):
                await self._run(_SQL["claim_range"], (lane, low, high))
            else:
                await self._run(_CLAIM_ONE, columns(first))

    async def hand_back(self, claimed: Sequence[tuple[int, int]], due_at: int) -> None:
        await self._run(_SQL["hand_back"], (due_at, *columns(claimed)))

    async def next_due(self, lane: int, *, replays_only: bool) -> int | None:
        row = await self._one(_SQL["next_due"], (lane, int(replays_only)))
        return None if row is None else int(row[0])

    async def save_progress(self, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
        if rows:
            await self._run(_SQL["save_progress"], columns(rows))

    async def record_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        if rows:
            await self._run(_SQL["record_attempt"], columns(rows))

    async def settle(self, rows: Sequence[Settled]) -> None:
        plain: list[tuple[int, int]] = []
        other: list[Settled] = []
        for row in rows:
            if row[:4] == _PLAINLY_DELIVERED:
                plain.append((row.lane, row.number))
            else:
                other.append(row)
        if plain:
            await self._run(_SQL["settle_delivered"], columns(_runs(plain)))
        if other:
            await self._run(_SQL["settle"], columns(other))

    async def settle_delivered(self, lane: int, numbers: Sequence[int]) -> None:
        runs = _runs([(lane, number) for number in numbers])
        if runs:
            await self._run(_SQL["settle_plainly_delivered"], columns(runs))

    async def held_at_head(self, lane: int, stream: int) -> int | None:
        row = await self._one(_SQL["held_at_head"], (lane, stream))
        return row[0] if row is not None and row[1] == State.HELD else None

    async def release(self, lane: int, number: int, due_at: int | None) -> None:
        await self._run(_SQL["release"], (due_at, lane, number))

    async def add_sweep(self, lane: int, below: int) -> Sweep:
        return Sweep._make(await self._one(_SQL["add_sweep"], (lane, below)))

    async def load_sweeps(self, shares: Sequence[int] | None) -> list[Sweep]:
        return list(map(Sweep._make, await self._all(_SQL["load_sweeps"], (_listed(shares),))))

    async def sweep(
        self, sweep: Sweep, below: int, withdrawn: Mapping[int, int]
    ) -> list[tuple[int, int | None, int]]:
        bounds = (sweep.lane, sweep.from_number, below, withdrawn.get(0, 0))
        by_trigger = (list(withdrawn), list(withdrawn.values()))
        return await self._all(_SQL["sweep"], (*bounds, *by_trigger))

    async def swept(self, sweep: Sweep, below: int) -> None:
        if below >= sweep.below_number:
            await self._run(_SQL["drop_sweep"], (sweep.lane,))
        else:
            await self._run(_SQL["swept"], (below, sweep.lane))

    async def interrupted(self, shares: Sequence[int] | None) -> list[Candidate]:
        named = (_listed(shares),)
        found = list(map(Candidate._make, await self._all(_SQL["interrupted_first"], named)))
        for lane, earliest, _ in await self._all(_SQL["lanes_due"], named):
            if earliest == 0:
                found += map(Candidate._make, await self._all(_SQL["interrupted_due"], (lane,)))
        return found

    async def bring_forward(self, lane: int, latest: int) -> None:
        await self._run(_SQL["bring_forward"], (latest, lane, latest))

    async def lanes_due(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        return await self._all(_SQL["lanes_due"], (_listed(shares),))

    async def due_lanes(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        found = await self._all(_SQL["due_lanes"], (_listed(shares),))
        return [(lane, due_at) for lane, due_at in found if due_at is not None]

    async def lanes_held(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        return await self._all(_SQL["lanes_held"], (_listed(shares),))

    async def held_heads(self, shares: Sequence[int] | None) -> list[tuple[int, int]]:
        return await self._all(_SQL["held_heads"], (_listed(shares),))

    async def held_streams(self, lane: int, first: int, below: int) -> list[int]:
        found = await self._all(_SQL["held_streams"], (lane, first, below))
        return [stream for (stream,) in found]

    async def lanes_pending(self, shares: Sequence[int] | None) -> list[tuple[int, int, int]]:
        return await self._all(_SQL["lanes_pending"], (_listed(shares),))

    async def webhook_config(self, lane: int) -> WebhookRow | None:
        row = await self._one(_SQL["webhook_config"], (lane,))
        return None if row is None else WebhookRow._make(row)

    async def oldest_waiting(self, lane: int, cursor: int) -> int | None:
        row = await self._one(_SQL["oldest_waiting"], (lane, cursor))
        return None if row is None else int(row[0])

    async def outbox_waiting(self, position: int) -> tuple[int, int | None]:
        waiting, oldest = await self._one(_SQL["outbox_waiting"], (position,))
        return max(0, waiting or 0), oldest

    async def prune_deliveries(self, lane: int, before_ms: int, limit: int) -> int:
        # Rows are in number order, which is the order of age: only the oldest are looked at.
        numbers = [
            number
            for number, state, created_at in await self._all(_SQL["oldest_of_lane"], (lane, limit))
            if created_at < before_ms and state not in LIVE_STATES
        ]
        await self._run(_SQL["prune_attempts"], (lane, numbers))
        await self._run(_SQL["prune_delivery"], (lane, numbers))
        return len(numbers)

    async def prune_feed(self, before_ms: int, below: int, limit: int) -> int:
        return await self._run(_SQL["prune_feed"], (before_ms, below, limit))

    async def oldest_kept_position(self) -> int | None:
        (lowest,) = await self._one(_SQL["oldest_in_lane"])
        return None if lowest is None else int(lowest)
