"""The port of replays on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import State
from chathooks.delivery.replay_store import ReplayRow

_SQL = statements("replays.sql")
_TROUBLED = frozenset({State.RETRYING, State.FAILED, State.EXPIRED, State.CANCELLED})
"""States of the partial index `deliveries_troubled`."""

_integers = msgspec.json.Decoder(tuple[int, ...])


def _json(numbers: Sequence[int] | None) -> str | None:
    return None if numbers is None else msgspec.json.encode(numbers).decode()


def _row(row: tuple[Any, ...]) -> ReplayRow:
    states, triggers = row[8], row[9]
    return ReplayRow(
        replay=row[0],
        lane=row[1],
        app=row[2],
        webhook_id=row[3],
        webhook_deleted=bool(row[4]),
        created_at=row[5],
        wanted=ReplayFilter(
            row[6],
            row[7],
            _integers.decode(states),
            None if triggers is None else _integers.decode(triggers),
        ),
        first_number=row[10],
        next_number=row[11],
        stop_number=row[12],
        replayed=row[13],
        ended_at=row[14],
        stopped=bool(row[15]),
    )


class ReplaysPart(TransactionPart):
    """See `chathooks.delivery.replay_store.ReplayTransaction`."""

    async def replayable_one(self, lane: int, number: int) -> tuple[int, bool, int, bool] | None:
        row = await self._one(_SQL["replayable_one"], (lane, number))
        return None if row is None else (row[0], bool(row[1]), row[2], bool(row[3]))

    async def replayable(
        self, lane: int, start: int, stop: int, wanted: ReplayFilter, limit: int
    ) -> tuple[list[tuple[int, int]], int]:
        bounds = (lane, start, stop, wanted.from_ms, wanted.to_ms)
        triggers = None if wanted.triggers is None else list(wanted.triggers)
        if not _TROUBLED.issuperset(wanted.states):
            stop = min(stop, start + limit)
            where = (
                lane,
                start,
                stop,
                wanted.from_ms,
                wanted.to_ms,
                list(wanted.states),
                triggers,
            )
            return await self._all(_SQL["replayable_window"], where), stop
        looked: list[tuple[int, int | None, int]] = []
        for state in dict.fromkeys(wanted.states):
            looked += await self._all(
                _SQL["replayable_troubled"], (*bounds, state, triggers, limit)
            )
        looked.sort()
        # Each state was read up to its own limit: what all of them reach is whole.
        whole = looked[:limit]
        found = [(number, size) for number, size, fits in whole if fits and size is not None]
        return found, stop if len(looked) < limit else whole[-1][0] + 1

    async def make_replay(self, lane: int, numbers: Sequence[int], due_at: int) -> None:
        await self._run(_SQL["make_replay"], (due_at, lane, list(numbers)))

    async def numbers_of_lane(self, lane: int) -> tuple[int, int]:
        low, high = await self._one(_SQL["numbers_of_lane"], (lane,))
        return int(low), int(high)

    async def created_from(self, lane: int, number: int) -> int | None:
        row = await self._one(_SQL["created_from"], (lane, number))
        return None if row is None else int(row[0])

    async def recent_attempt_us(self, lane: int, attempts: int) -> int | None:
        mean = (await self._one(_SQL["recent_attempts"], (lane, attempts)))[0]
        return None if mean is None else int(mean)

    async def replays_waiting(self, lane: int, limit: int) -> int:
        return int((await self._one(_SQL["replays_waiting"], (lane, limit)))[0])

    async def insert_replay(self, new: ReplayRow) -> int:
        (key,) = await self._one(
            _SQL["insert_replay"],
            (
                new.lane,
                new.created_at,
                new.wanted.from_ms,
                new.wanted.to_ms,
                _json(new.wanted.states),
                _json(new.wanted.triggers),
                new.first_number,
                new.next_number,
                new.stop_number,
                new.replayed,
            ),
        )
        return int(key)

    async def find_replay(self, replay: int) -> ReplayRow | None:
        row = await self._one(_SQL["find_replay"], (replay,))
        return None if row is None else _row(row)

    async def replays_below(self, lane: int, below: int, limit: int) -> list[ReplayRow]:
        return [_row(row) for row in await self._all(_SQL["replays_below"], (lane, below, limit))]

    async def running_replays(self, limit: int) -> list[int]:
        return [replay for (replay,) in await self._all(_SQL["running_replays"], (limit,))]

    async def running_of_lane(self, lane: int) -> int:
        return int((await self._one(_SQL["running_of_lane"], (lane,)))[0])

    async def advance_replay(self, row: ReplayRow) -> None:
        await self._run(
            _SQL["advance_replay"],
            (row.next_number, row.replayed, row.ended_at, int(row.stopped), row.replay),
        )

    async def prune_replays(self, before_ms: int, limit: int) -> int:
        return await self._run(_SQL["prune_replays"], (limit, before_ms))
