"""What every store promises of its transactions (kernel.transactions.Store)."""

import asyncio
import sqlite3
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.kernel.errors import ChathooksError, StartRefused, StoreUnavailable
from chathooks.kernel.transactions import Topic
from support import stores
from support.stores import Store, open_store

pytestmark = pytest.mark.anyio


async def _append(tx: Any, data: bytes) -> int:
    return await tx.append_to_feed(1, 1, "evt", None, None, 0, data)


async def _positions(store: Store) -> list[int]:
    entries = await store.read(lambda tx: tx.read_feed(0, 1000))
    return [entry.position for entry in entries]


async def test_a_write_is_readable_once_it_is_answered(store: Store) -> None:
    position = await store.write(lambda tx: _append(tx, b"{}"))
    assert await _positions(store) == [position]


async def test_commands_that_arrive_together_share_a_commit(store: Store) -> None:
    commits = []
    store.subscribe(Topic.FEED, lambda _key: commits.append(1))

    async def command(tx: Any) -> int:
        tx.notify(Topic.FEED)
        return await _append(tx, b"{}")

    positions = await asyncio.gather(*(store.write(command) for _ in range(50)))
    assert sorted(positions) == list(range(1, 51))
    # On PostgreSQL a batch also ends after a time, which a busy machine may reach sooner.
    assert len(commits) == 1 if stores.current.name == "sqlite" else len(commits) < 50


async def test_a_refused_command_leaves_nothing_and_spares_its_siblings(store: Store) -> None:
    heard: list[int] = []
    store.subscribe(Topic.WEBHOOK, heard.append)

    async def refused(tx: Any) -> int:
        await _append(tx, b'"refused"')
        tx.notify(Topic.WEBHOOK, 7)
        raise ChathooksError("ERR_BAD_REQUEST", "No.")

    async def accepted(tx: Any) -> int:
        tx.notify(Topic.WEBHOOK, 8)
        return await _append(tx, b'"accepted"')

    results = await asyncio.gather(
        store.write(accepted), store.write(refused), store.write(accepted), return_exceptions=True
    )
    assert isinstance(results[1], ChathooksError)
    assert len(await _positions(store)) == 2
    assert heard == [8]


async def test_a_refusal_that_read_a_siblings_row_is_answered_after_the_commit(
    store: Store,
) -> None:
    order: list[str] = []
    store.subscribe(Topic.FEED, lambda _key: order.append("committed"))

    async def first(tx: Any) -> None:
        tx.notify(Topic.FEED)
        await _append(tx, b"{}")

    async def second(tx: Any) -> None:
        assert await tx.read_feed(0, 1)
        raise ChathooksError("ERR_GUID_ALREADY_EXISTS", "Taken.")

    async def refuse() -> None:
        with pytest.raises(ChathooksError, match="Taken"):
            await store.write(second)
        order.append("refused")

    await asyncio.gather(store.write(first), refuse())
    assert order == ["committed", "refused"]


async def test_a_command_that_waits_for_anything_else_is_refused(store: Store) -> None:
    async def command(tx: Any) -> None:
        await _append(tx, b"{}")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="await nothing but its transaction"):
        await store.write(command)
    assert await _positions(store) == []


@pytest.mark.only("sqlite")
async def test_a_full_disk_refuses_with_nothing_half_done(store: SqliteStore) -> None:
    await store.write(lambda tx: _append(tx, b"{}"))
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    large = b'"' + b"x" * 200_000 + b'"'
    results = await asyncio.gather(
        *(store.write(lambda tx: _append(tx, large)) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert "disk is full" in str(results[0])
    assert await _positions(store) == [1]
    store._writer.execute("PRAGMA max_page_count = 1073741823")
    await store.write(lambda tx: _append(tx, large))
    assert len(await _positions(store)) == 2


@pytest.mark.only("sqlite")
async def test_a_database_locked_by_another_program_refuses_after_a_bounded_wait(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.adapters.sqlite.store.LOCKED_WAIT_S", 0.1)
    other = sqlite3.connect(tmp_path / "chathooks.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        await store.write(lambda tx: _append(tx, b"{}"))
    other.execute("ROLLBACK")
    other.close()
    await store.write(lambda tx: _append(tx, b"{}"))
    assert len(await _positions(store)) == 1


@pytest.mark.only("sqlite")
async def test_a_short_lock_is_waited_out(store: SqliteStore, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "chathooks.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.1, other.execute, "ROLLBACK")
    await store.write(lambda tx: _append(tx, b"{}"))
    other.close()
    assert len(await _positions(store)) == 1


@pytest.mark.only("sqlite")
async def test_a_second_process_on_the_same_store_is_refused_with_a_clear_message(
    store: SqliteStore, tmp_path: Path
) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from chathooks.adapters.sqlite.store import SqliteStore
        from chathooks.kernel.errors import StartRefused
        try:
            asyncio.run(SqliteStore.open(Path({str(tmp_path / "chathooks.sqlite3")!r})))
        except StartRefused as refused:
            print(refused.code, refused.message)
        """
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert b"ERR_STORE_IN_USE Another process is serving" in out


@pytest.mark.only("sqlite")
async def test_a_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    with pytest.raises(StartRefused, match="newer Chathooks"):
        await SqliteStore.open(path)


@pytest.mark.only("sqlite")
async def test_a_folder_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartRefused, match="Choose a folder"):
        await SqliteStore.open(tmp_path / "file" / "chathooks.sqlite3")


async def test_closing_answers_what_was_asked_for_and_refuses_the_rest(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "closing.sqlite3")
    asked = asyncio.gather(*(store.write(lambda tx: _append(tx, b"{}")) for _ in range(10)))
    await asyncio.sleep(0)
    await store.close()
    assert len(await asked) == 10
    with pytest.raises(StoreUnavailable):
        await store.write(lambda tx: _append(tx, b"{}"))


@pytest.mark.only("sqlite")
async def test_the_files_are_for_their_owner_alone(store: SqliteStore, tmp_path: Path) -> None:
    await store.write(lambda tx: _append(tx, b"{}"))
    for name in ("chathooks.sqlite3", "chathooks.sqlite3-wal", "chathooks.sqlite3.lock"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
