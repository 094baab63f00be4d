"""Several sessions that write to one PostgreSQL store: nothing is lost, doubled or out of order among them."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chathooks.adapters.postgres import lease, schema, tenure
from chathooks.adapters.postgres import store as store_module
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.failures import OutcomeUnknown
from chathooks.adapters.postgres.migrating import PostgresSchema
from chathooks.adapters.postgres.statements import Migration, migrations
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.app.build import _first_app
from chathooks.app.secrets import CREDENTIALS_FILE
from chathooks.app.settings import Settings
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.errors import ChathooksError, SeatLost, StartRefused, StoreUnavailable
from chathooks.kernel.ids import system_random
from chathooks.kernel.news import EVERYTHING, News
from chathooks.kernel.transactions import Topic
from support.stores import Postgres, rows

pytestmark = [pytest.mark.anyio, pytest.mark.only("postgres")]

STORES = 3
WRITERS = 50
EVENTS_EACH = 20
WAIT_S = 20.0
LOOK_AGAIN_S = 0.02


class Cluster:
    """Opens sessions on one database and closes them."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self._stack = stack

    async def commands(self, name: str = "api") -> PostgresStore:
        store = await PostgresStore.join(Database(url=self.url), name=name, news=News())
        self._stack.push_async_callback(store.close)
        return store

    async def lanes(self, name: str = "delivery") -> PostgresStore:
        store = await PostgresStore.join_lanes(Database(url=self.url), name=name, news=News())
        self._stack.push_async_callback(store.close)
        return store

    def cut(self, store: PostgresStore) -> None:
        """End its session at the server."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (store._tenure.session,))

    def run(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
async def cluster(backend: Postgres, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        yield Cluster(backend.url(tmp_path / "chathooks.sqlite3"), stack)


async def _append(tx: Any) -> int:
    _, sequence = await tx.next_sequence(1, "group/g")
    return int(await tx.append_to_feed(1, 1, "evt", 1, sequence, 0, b"{}"))


async def until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 -- another session has no event for it
            await asyncio.sleep(LOOK_AGAIN_S)


async def deposed(by: PostgresStore, seat: int) -> None:
    """Ask until the seat's session has ended."""
    async with asyncio.timeout(WAIT_S):
        while not await by.write(lambda tx: tx.depose(seat)):  # noqa: ASYNC110 -- the server has no event for it
            await asyncio.sleep(LOOK_AGAIN_S)


async def test_fifty_writers_on_one_group_over_three_sessions_leave_no_gap(
    cluster: Cluster,
) -> None:
    """Positions, sequences and message ids are gap-free, and a reader never sees one before those below it."""
    stores = [await cluster.commands(f"api{place}") for place in range(STORES)]
    done = asyncio.Event()
    seen: list[int] = []
    ids: list[int] = []

    async def read_along() -> None:
        while not done.is_set():
            after = seen[-1] if seen else 0
            page = await stores[0].read(lambda tx, after=after: tx.read_feed(after, 10_000))
            seen.extend(entry.position for entry in page)
            await asyncio.sleep(0)

    async def refused(tx: Any) -> None:
        await tx.next_message_id()
        await _append(tx)
        raise ChathooksError("ERR_BAD_REQUEST", "No.")

    async def kept(tx: Any) -> int:
        await _append(tx)
        return int(await tx.next_message_id())

    async def writer(store: PostgresStore) -> None:
        for place in range(EVENTS_EACH):
            if place % 3 == 2:
                with pytest.raises(ChathooksError):
                    await store.write(refused)
            else:
                ids.append(await store.write(kept))

    reader = asyncio.create_task(read_along())
    await asyncio.gather(*(writer(stores[place % STORES]) for place in range(WRITERS)))
    done.set()
    await reader
    count = WRITERS * sum(place % 3 != 2 for place in range(EVENTS_EACH))
    stored = await rows(stores[0], "SELECT position, sequence FROM feed ORDER BY position")
    assert stored == [(number, number) for number in range(1, count + 1)]
    assert sorted(ids) == list(range(1, count + 1))
    assert seen == list(range(1, len(seen) + 1))


async def test_a_command_sees_what_another_session_was_just_answered(cluster: Cluster) -> None:
    """Each reads a number and writes the next: commands that ran side by side would lose some."""
    stores = [await cluster.commands(f"api{place}") for place in range(STORES)]

    async def count(tx: Any) -> None:
        seen = await tx.get_meta("count")
        await tx.set_meta("count", str(int(seen or 0) + 1))

    await asyncio.gather(*(stores[n % STORES].write(count) for n in range(90)))
    assert await stores[1].write(lambda tx: tx.get_meta("count")) == "90"


async def test_a_session_that_was_cut_goes_on_with_its_seat(cluster: Cluster) -> None:
    for store in (await cluster.commands(), await cluster.lanes()):
        seat = store._tenure.seat
        await store.write(lambda tx: tx.roster())
        cluster.cut(store)
        roster = await asyncio.wait_for(store.write(lambda tx: tx.roster()), WAIT_S)
        assert roster.me == seat


@pytest.mark.parametrize("kind", ["commands", "lanes"])
@pytest.mark.parametrize("made", [True, False])
async def test_a_commit_whose_connection_was_lost_is_told_as_it_was(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, kind: str, made: bool
) -> None:
    store: PostgresStore = await getattr(cluster, kind)()
    runs = []

    async def command(tx: Any) -> str:
        runs.append(1)
        await tx.set_meta("fact", "kept")
        return "answer"

    say = store._say

    async def cut_at_commit(name: str) -> None:
        if name != "commit" or len(runs) != 1:
            await say(name)
            return
        if made:
            await say(name)
        cluster.cut(store)
        await store._connection.close()
        raise store_module._BatchLost from psycopg.OperationalError("cut")

    monkeypatch.setattr(store, "_say", cut_at_commit)
    assert await asyncio.wait_for(store.write(command), WAIT_S) == "answer"
    assert len(runs) == (1 if made else 2)
    assert cluster.run("SELECT value FROM meta WHERE name = 'fact'") == [("kept",)]


async def test_shares_are_had_by_one_seat_each(cluster: Cluster) -> None:
    first, second = await cluster.lanes(), await cluster.lanes()
    everything = list(range(65))
    taken = await asyncio.gather(
        *(store.write(lambda tx: tx.take_shares(everything)) for store in (first, second))
    )
    assert sorted([*taken[0], *taken[1]]) == everything
    holder, other = (first, second) if taken[0] else (second, first)
    await holder.write(lambda tx: tx.give_shares([0, 5]))
    assert await other.write(lambda tx: tx.take_shares([0, 4, 5])) == [0, 5]
    roster = await other.write(lambda tx: tx.roster())
    mine = [one.share for one in roster.shares if one.seat == roster.me]
    assert mine == [0, 5]
    assert {one.epoch for one in roster.shares if one.share == 5} == {3}


async def test_who_leaves_in_order_gives_everything_back(cluster: Cluster) -> None:
    leaving, staying = await cluster.lanes(), await cluster.lanes()
    await leaving.write(lambda tx: tx.take_shares([0, 1]))
    await leaving.close()
    roster = await staying.write(lambda tx: tx.roster())
    assert [one.seat for one in roster.seats] == [roster.me]
    assert {one.seat for one in roster.shares} == {None}


async def test_a_dead_seat_is_deposed_and_its_shares_are_free(cluster: Cluster) -> None:
    dead, alive = await cluster.lanes("dead"), await cluster.lanes()
    await dead.write(lambda tx: tx.take_shares([3]))
    seat = dead._tenure.seat
    dead._writer.cancel()  # a killed process: its session ends and nobody reconnects
    await dead._connection.close()
    await until(lambda: not _lives(cluster, dead))
    assert seat is not None
    assert await alive.write(lambda tx: tx.depose(seat))
    assert await alive.write(lambda tx: tx.take_shares([3])) == [3]
    dead._idle.set()


def _lives(cluster: Cluster, store: PostgresStore) -> bool:
    found = cluster.run(f"SELECT 1 FROM pg_stat_activity WHERE pid = {store._tenure.session}")
    return bool(found)


async def test_a_seat_whose_session_lives_loses_its_session_first_and_cannot_commit(
    cluster: Cluster,
) -> None:
    """A node that stood still with a transaction open: what it had begun is undone, then its seat is taken."""
    stopped, alive = await cluster.lanes("stopped"), await cluster.lanes()
    await stopped.write(lambda tx: tx.take_shares([3]))
    seat = stopped._tenure.seat
    assert seat is not None
    holds, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Any) -> None:
        await tx.set_meta("late", "written")
        holds.set()

    real_commit = stopped._commit

    async def stand_still(batch: Any) -> None:
        await holds.wait()
        await go_on.wait()
        await real_commit(batch)

    stopped._commit = stand_still  # type: ignore[method-assign]  # the moment at which it is stopped
    writing = asyncio.ensure_future(stopped.write(slow, patient=True))
    await holds.wait()
    assert not await alive.write(lambda tx: tx.depose(seat))
    await deposed(alive, seat)
    go_on.set()
    with pytest.raises(SeatLost):
        await asyncio.wait_for(writing, WAIT_S)
    with pytest.raises(SeatLost):
        await stopped.write(lambda tx: tx.get_meta("late"))
    assert cluster.run("SELECT 1 FROM meta WHERE name = 'late'") == []
    assert await stopped.read(lambda tx: tx.get_meta("late")) is None


async def test_a_session_of_commands_that_was_deposed_takes_another_seat_and_looks_anew(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, alive = await cluster.commands("stopped"), await cluster.lanes()
    seat = store._tenure.seat
    assert seat is not None
    rung: list[int] = []
    store.subscribe(Topic.KEYS, rung.append)
    monkeypatch.setattr(store_module, "RECONNECT_EVERY_S", 0.3)
    reconnect = store._reconnect
    gone = asyncio.Event()

    async def late() -> None:
        await gone.wait()
        await reconnect()

    monkeypatch.setattr(store, "_reconnect", late)
    cluster.cut(store)
    writing = asyncio.ensure_future(store.write(lambda tx: tx.roster()))
    await deposed(alive, seat)
    gone.set()
    roster = await asyncio.wait_for(writing, WAIT_S)
    assert roster.me != seat
    assert rung == [EVERYTHING]
    names = {one.seat: one.name for one in roster.seats}
    assert names[roster.me] == "stopped"
    assert seat not in names


async def test_callers_of_an_unknown_commit_of_a_deposed_session_are_told_that_it_is_unknown(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, alive = await cluster.commands(), await cluster.lanes()
    seat = store._tenure.seat
    assert seat is not None
    say = store._say

    async def cut_at_commit(name: str) -> None:
        if name != "commit":
            await say(name)
            return
        monkeypatch.setattr(store, "_say", say)
        cluster.cut(store)
        await store._connection.close()
        await deposed(alive, seat)
        raise store_module._BatchLost from psycopg.OperationalError("cut")

    monkeypatch.setattr(store, "_say", cut_at_commit)
    with pytest.raises(OutcomeUnknown):
        await store.write(lambda tx: tx.set_meta("fact", "kept"))
    assert await store.write(lambda tx: tx.get_meta("fact")) is None


async def test_a_process_with_the_store_for_itself_and_a_cluster_keep_each_other_out(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOCK_WAITS", 1)
    node = await cluster.commands()
    with pytest.raises(StartRefused) as refused:
        await PostgresStore.open(Database(url=cluster.url))
    assert refused.value.code == "ERR_STORE_IN_USE"
    await node.close()
    alone = await PostgresStore.open(Database(url=cluster.url))
    try:
        with pytest.raises(StartRefused) as refused:
            await cluster.commands()
    finally:
        await alone.close()
    assert refused.value.code == "ERR_STORE_IN_USE"
    assert "cluster" in refused.value.message


async def test_a_session_of_lanes_allots_no_numbers(cluster: Cluster) -> None:
    """It has no baton: numbers that it gave would be given twice."""
    store = await cluster.lanes()
    with pytest.raises(RuntimeError):
        await store.write(_append)


async def test_who_waits_too_long_for_the_baton_is_refused_and_nothing_is_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tenure._BEGIN_WITH_BATON.replace("lock_timeout = 10000", "lock_timeout = 100")
    assert short != tenure._BEGIN_WITH_BATON
    monkeypatch.setattr(tenure, "_BEGIN_WITH_BATON", short)
    store = await cluster.commands()
    with psycopg.connect(cluster.url) as other:
        other.execute("SELECT * FROM counters FOR UPDATE")
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(store.write(_append), WAIT_S)
    assert await asyncio.wait_for(store.write(_append), WAIT_S) == 1


async def test_additive_migrations_are_applied_while_nodes_serve_and_others_are_not(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOCK_WAITS", 1)
    store = await cluster.commands()
    newest = migrations()[-1].number
    for place, words in enumerate(("-- additive", "-- changes what nodes know"), start=1):
        script = f"{words}\nCREATE TABLE more_{place} (one BIGINT)"
        step = Migration(newest + place, f"more_{place}", script, newest)
        known = (*schema.migrations(), step)
        monkeypatch.setattr(schema, "migrations", lambda known=known: known)
        applying = PostgresSchema(Database(url=cluster.url)).apply()
        if place == 1:
            assert await applying == [(step.number, step.name)]
        else:
            with pytest.raises(StartRefused) as refused:
                await applying
            assert refused.value.code == "ERR_STORE_IN_USE"
    assert await store.write(_append) == 1
    cluster.run("DROP TABLE more_1")
    cluster.run(f"DELETE FROM chathooks_schema WHERE number > {newest}")


async def test_two_first_starts_with_one_data_directory_make_one_app_and_keep_its_keys(
    cluster: Cluster, tmp_path: Path
) -> None:
    stores = [await cluster.commands(f"api{place}") for place in range(4)]
    settings = Settings(data_dir=tmp_path)

    made = await asyncio.gather(
        *(_first_app(settings, store, SystemClock(), system_random) for store in stores)
    )

    (credentials,) = [one for one in made if one is not None]
    kept = tomllib.loads((tmp_path / CREDENTIALS_FILE).read_text("utf-8"))
    assert kept["api_key"] == credentials.api_key
    assert cluster.run("SELECT id FROM apps") == [(credentials.app_id,)]


async def test_a_session_whose_seat_was_taken_while_it_lives_takes_another(
    cluster: Cluster,
) -> None:
    """It notices at its next commit, which is not made: as if its connection had been cut."""
    commands, lanes = await cluster.commands(), await cluster.lanes()
    seat = commands._tenure.seat
    cluster.run("DELETE FROM seats")
    roster = await asyncio.wait_for(commands.write(lambda tx: tx.roster()), WAIT_S)
    assert roster.me != seat
    with pytest.raises(SeatLost):
        await asyncio.wait_for(lanes.write(lambda tx: tx.set_meta("late", "written")), WAIT_S)
    assert cluster.run("SELECT 1 FROM meta WHERE name = 'late'") == []
