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
