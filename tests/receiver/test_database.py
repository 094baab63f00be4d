"""The group commit under the receiver's files."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Literal

import pytest

from chathooks_receiver.database import CHECKPOINT_EVERY, Database, DatabaseUnavailable

pytestmark = pytest.mark.anyio

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)"
Mode = tuple[Literal["FULL", "NORMAL"], bool]
MODES: list[Mode] = [("FULL", False), ("FULL", True), ("NORMAL", False), ("NORMAL", True)]


@pytest.mark.parametrize("mode", MODES)
async def test_callers_share_commits_and_are_answered_after_them(
    mode: Mode, tmp_path: Path
) -> None:
    database = Database(tmp_path / "d.sqlite3", SCHEMA, synchronous=mode[0], shared=mode[1])
    await database.open()
    done = await asyncio.gather(
        *(database.write("INSERT INTO t VALUES (?)", (n,)) for n in range(2_000))
    )
    assert done == [1] * 2_000
    other = sqlite3.connect(tmp_path / "d.sqlite3")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (2_000,)
    other.close()
    await database.close()


@pytest.mark.parametrize("mode", MODES)
async def test_a_statement_that_fails_fails_its_own_caller_alone(
    mode: Mode, tmp_path: Path
) -> None:
    database = Database(tmp_path / "d.sqlite3", SCHEMA, synchronous=mode[0], shared=mode[1])
    await database.open()
    results = await asyncio.gather(
        *(database.write("INSERT INTO t VALUES (?)", (n % 9,)) for n in range(10)),
        return_exceptions=True,
    )
    assert [r for r in results if isinstance(r, int)] == [1] * 9
    (error,) = [r for r in results if isinstance(r, Exception)]
    assert isinstance(error, DatabaseUnavailable)
    assert database.read("SELECT count(*) FROM t") == [(9,)]
    await database.close()


async def test_what_waits_is_committed_when_the_file_is_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "d.sqlite3", SCHEMA)
    await database.open()
    futures = [database.write("INSERT INTO t VALUES (?)", (n,)) for n in range(5)]
    await database.close()
    assert all(future.done() for future in futures)
    with pytest.raises(DatabaseUnavailable, match="not open"):
        await database.write("INSERT INTO t VALUES (9)")
    with pytest.raises(DatabaseUnavailable, match="not open"):
        database.read("SELECT 1")


async def test_the_log_beside_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    database = Database(tmp_path / "d.sqlite3", SCHEMA, synchronous="NORMAL")
    await database.open()
    for number in range(CHECKPOINT_EVERY * 8):
        await database.write("INSERT INTO t VALUES (?)", (number,))
    log_bytes = (tmp_path / "d.sqlite3-wal").stat().st_size
    await database.close()
    assert log_bytes < CHECKPOINT_EVERY * 6 * 4_200


async def test_a_file_that_another_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    database = Database(tmp_path / "d.sqlite3", SCHEMA, shared=True)
    await database.open()
    other = sqlite3.connect(tmp_path / "d.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await database.write("INSERT INTO t VALUES (1)")
    other.execute("ROLLBACK")
    assert await database.write("INSERT INTO t VALUES (1)") == 1
    other.close()
    await database.close()
