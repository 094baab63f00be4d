"""Deliveries and attempts in the store, in any number at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.deliveries import ROWS_PER_INSERT
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.delivery.queue import EndedAttempt, NewDelivery
from chathooks.delivery.records import State

pytestmark = pytest.mark.anyio

LANE, OTHER_LANE = 1, 2
IN_FLIGHT, DELIVERED = int(State.IN_FLIGHT), int(State.DELIVERED)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "rows.sqlite3")
    yield opened
    await opened.close()


def delivery(number: int, lane: int = LANE) -> NewDelivery:
    return NewDelivery(lane, number, number + 100, 1, IN_FLIGHT, None, 1_000 + number)


def attempt(number: int) -> EndedAttempt:
    return EndedAttempt(LANE, number, 1, 5_000, 250, 200, None, b"{}", b"head", b"%d" % number)


async def append_events(tx: SqliteTransaction) -> None:
    for _ in range(110):
        await tx.append_to_feed(1, 1, "evt", None, None, 1_000, b"{}")


async def states(store: SqliteStore, lane: int) -> dict[int, int]:
    async def query(tx: SqliteTransaction) -> dict[int, int]:
        return {row.number: int(row.state) for row in await tx.deliveries_below(lane, 2**60, 1_000)}

    return await store.read(query)


@pytest.mark.parametrize(
    "count",
    [0, 1, ROWS_PER_INSERT - 1, ROWS_PER_INSERT, ROWS_PER_INSERT + 1, 3 * ROWS_PER_INSERT + 5],
)
async def test_any_number_of_rows_is_inserted_whole(store: SqliteStore, count: int) -> None:
    numbers = range(1, count + 1)
    await store.write(lambda tx: tx.insert_deliveries([delivery(n) for n in numbers]))
    await store.write(lambda tx: tx.record_attempts([attempt(n) for n in reversed(numbers)]))
    assert await states(store, LANE) == dict.fromkeys(numbers, IN_FLIGHT)
    for number in numbers:
        (logged,) = await store.read(lambda tx, n=number: tx.attempts_of(LANE, n, 10))
        assert (logged.attempt, logged.duration_us) == (1, 250)
        assert (logged.response_headers, logged.response_body) == (b"head", b"%d" % number)


async def test_what_is_handed_back_waits_in_the_due_index_as_if_never_claimed(
    store: SqliteStore,
) -> None:
    await store.write(
        lambda tx: tx.insert_deliveries(
            [delivery(n)._replace(state=int(State.PENDING)) for n in range(1, 5)]
        )
    )
    await store.write(append_events)
    claimed = await store.read(lambda tx: tx.waiting_at_cursor(LANE, 1, 10))
    await store.write(lambda tx: tx.claim(claimed))
    await store.write(lambda tx: tx.hand_back([(LANE, 2), (LANE, 4)], 7_000))
    assert await states(store, LANE) == {1: IN_FLIGHT, 2: 0, 3: IN_FLIGHT, 4: 0}
    waiting = await store.read(lambda tx: tx.waiting_due(LANE, 7_000, 10, replays_only=False))
    assert [(item.number, item.attempt, item.due) for item in waiting] == [(2, 0, 1), (4, 0, 1)]
    assert await store.read(lambda tx: tx.waiting_due(LANE, 6_999, 10, replays_only=False)) == []


async def test_exactly_the_acknowledged_numbers_are_settled(store: SqliteStore) -> None:
    numbers = range(1, 21)
    rows = [delivery(n, lane) for lane in (LANE, OTHER_LANE) for n in numbers]
    await store.write(lambda tx: tx.insert_deliveries(rows))
    acknowledged = [9, 2, 3, 4, 20, 7, 10]
    await store.write(lambda tx: tx.settle_delivered(LANE, acknowledged))
    assert await states(store, LANE) == {
        n: DELIVERED if n in acknowledged else IN_FLIGHT for n in numbers
    }
    assert await states(store, OTHER_LANE) == dict.fromkeys(numbers, IN_FLIGHT)
