"""Which programs may work on which stores: the schema's version and the oldest that is compatible with it."""

import sqlite3
from pathlib import Path

import pytest

from chathooks.adapters.sqlite import store as store_module
from chathooks.adapters.sqlite.statements import Migration, compatible_from, migrations
from chathooks.adapters.sqlite.store import COMPATIBLE_FROM, SqliteStore
from chathooks.kernel.errors import StartRefused

pytestmark = pytest.mark.anyio

NEWEST = migrations()[-1].number


def future(path: Path, version: int, compatible: int | None) -> None:
    """Make a store one of a newer program."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("CREATE TABLE of_the_future (x)")
    connection.execute("DELETE FROM meta WHERE name = ?", (COMPATIBLE_FROM,))
    if compatible is not None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (COMPATIBLE_FROM, str(compatible)))
    connection.close()


async def made(path: Path) -> None:
    await (await SqliteStore.open(path)).close()


def facts(path: Path) -> tuple[int, str | None]:
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (COMPATIBLE_FROM,)).fetchone()
    connection.close()
    return version, None if row is None else row[0]


async def test_a_store_says_its_version_and_which_programs_can_work_on_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await made(path)
    assert facts(path) == (NEWEST, str(compatible_from(migrations(), NEWEST)))


async def test_a_store_of_the_future_that_is_compatible_is_served_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    await made(path)
    future(path, NEWEST + 3, NEWEST)
    store = await SqliteStore.open(path)
    try:
        assert await store.read(lambda tx: tx.has_apps()) is False
    finally:
        await store.close()
    assert facts(path) == (NEWEST + 3, str(NEWEST))


@pytest.mark.parametrize("compatible", [NEWEST + 1, NEWEST + 3, None])
async def test_a_store_of_the_future_that_is_not_compatible_is_refused_and_left_as_it_is(
    tmp_path: Path, compatible: int | None
) -> None:
    path = tmp_path / "store.db"
    await made(path)
    future(path, NEWEST + 3, compatible)
    before = facts(path)
    with pytest.raises(StartRefused) as refused:
        await SqliteStore.open(path)
    assert refused.value.code == "ERR_STORE_TOO_NEW"
    for number in (NEWEST, NEWEST + 3, compatible or NEWEST + 3):
        assert str(number) in refused.value.message
    assert "back-up" in refused.value.message
    assert facts(path) == before


def test_only_breaking_steps_shut_out_older_programs() -> None:
    steps = [
        Migration(1, "a", "CREATE TABLE a (x)"),
        Migration(2, "b", "-- additive: a table.\nCREATE TABLE b (x)"),
        Migration(3, "c", "DROP TABLE a"),
        Migration(4, "d", "-- additive: an index.\nCREATE INDEX b_x ON b (x)"),
    ]
    assert [compatible_from(steps, version) for version in (1, 2, 3, 4)] == [1, 1, 3, 3]


async def test_the_facts_change_with_the_step_they_tell_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    await made(path)
    steps = migrations()
    broken = Migration(NEWEST + 1, "broken", "CREATE TABLE x (y); CREATE TABLE x (y);")
    monkeypatch.setattr(store_module, "migrations", lambda: [*steps, broken])
    before = facts(path)
    with pytest.raises(sqlite3.OperationalError):
        await SqliteStore.open(path)
    assert facts(path) == before
    whole = Migration(NEWEST + 1, "whole", "CREATE TABLE x (y);")
    monkeypatch.setattr(store_module, "migrations", lambda: [*steps, whole])
    await made(path)
    assert facts(path) == (NEWEST + 1, str(NEWEST + 1))
