"""What the PostgreSQL store promises besides what every store does: numbers, lost connections, one writer."""

import asyncio
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from chathooks.adapters.postgres import store as store_module
from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.failures import OutcomeUnknown
from chathooks.adapters.postgres.lease import take_lock
from chathooks.adapters.postgres.schema import apply
from chathooks.adapters.postgres.statements import migrations
from chathooks.adapters.postgres.store import PostgresStore
from chathooks.kernel.errors import ChathooksError, StartRefused, StoreUnavailable
from chathooks.kernel.transactions import Topic
from support.postgres import Databases
from support.stores import Postgres, execute, rows

pytestmark = [pytest.mark.anyio, pytest.mark.only("postgres")]

WAIT_S = 20.0
LOOK_AGAIN_S = 0.02
WRITERS = 50
EVENTS_EACH = 20


async def _append(tx: Any, data: bytes = b"{}") -> int:
    _, sequence = await tx.next_sequence(1, "group/g")
    return int(await tx.append_to_feed(1, 1, "evt", 1, sequence, 0, data))


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(WAIT_S):
        while not (answer := await condition()):  # noqa: ASYNC110 -- another program has no event for it
            await asyncio.sleep(LOOK_AGAIN_S)
    return answer


@pytest.fixture
def url(backend: Postgres, tmp_path: Path) -> str:
    return backend.url(tmp_path / "chathooks.sqlite3")


def cut(url: str, session: int) -> None:
    """End a session at the server, as an administrator or a failover does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (session,))


async def test_fifty_writers_on_one_group_leave_no_gap_and_no_position_behind_one_that_was_read(
    store: PostgresStore,
) -> None:
    """Delivery contract §7 "Feed order"; a third of the commands is refused after it has taken its numbers."""
    done = asyncio.Event()
    seen: list[int] = []

    async def read_along() -> None:
        while not done.is_set():
            after = seen[-1] if seen else 0
            page = await store.read(lambda tx, after=after: tx.read_feed(after, 10_000))
            seen.extend(entry.position for entry in page)
            await asyncio.sleep(0)

    async def refused(tx: Any) -> None:
        await _append(tx)
        raise ChathooksError("ERR_BAD_REQUEST", "No.")

    async def writer() -> None:
        for place in range(EVENTS_EACH):
            if place % 3 == 2:
                with pytest.raises(ChathooksError):
                    await store.write(refused)
            else:
                await store.write(_append)

    reader = asyncio.create_task(read_along())
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    done.set()
    await reader
    kept = await rows(store, "SELECT position, sequence FROM feed ORDER BY position")
    count = WRITERS * sum(place % 3 != 2 for place in range(EVENTS_EACH))
    assert kept == [(number, number) for number in range(1, count + 1)]
    assert seen == list(range(1, len(seen) + 1))


async def test_message_ids_have_no_gaps_and_grow_in_commit_order(store: PostgresStore) -> None:
    async def refused(tx: Any) -> None:
        await tx.next_message_id()
        raise ChathooksError("ERR_BAD_REQUEST", "No.")

    given = []
    for _ in range(3):
        given.append(await store.write(lambda tx: tx.next_message_id()))
        with pytest.raises(ChathooksError):
            await store.write(refused)
    assert given == [1, 2, 3]
    assert await rows(store, "SELECT value FROM counters WHERE name = 'messages'") == [(3,)]


async def test_commands_whose_connection_is_cut_are_run_again_and_answered_once(
    store: PostgresStore, url: str
) -> None:
    runs = []

    async def command(tx: Any) -> int:
        runs.append(1)
        position = await _append(tx)
        if len(runs) == 1:
            cut(url, store._tenure.session)
        return await _append(tx) - position

    assert await asyncio.wait_for(store.write(command), WAIT_S) == 1
    assert len(runs) == 2
    assert await rows(store, "SELECT position FROM feed ORDER BY 1") == [(1,), (2,)]


async def test_an_idle_connection_that_was_cut_costs_nobody_an_error(
    store: PostgresStore, url: str
) -> None:
    await store.write(_append)
    cut(url, store._tenure.session)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await asyncio.wait_for(store.write(_append), WAIT_S) == 2
    assert len(await asyncio.wait_for(store.read(lambda tx: tx.read_feed(0, 10)), WAIT_S)) == 2


@pytest.mark.parametrize("made", [True, False])
async def test_a_commit_whose_connection_was_lost_is_made_exactly_once(
    store: PostgresStore, url: str, made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease's row tells: made, and its callers are answered; not made, and its commands are run again."""
    say = store._say
    heard: list[int] = []
    store.subscribe(Topic.FEED, heard.append)
    runs: list[int] = []

    async def command(tx: Any) -> int:
        runs.append(1)
        tx.notify(Topic.FEED)
        return await _append(tx)

    async def lose(name: str) -> None:
        if name != "commit":
            await say(name)
            return
        monkeypatch.setattr(store, "_say", say)
        if made:
            await say("commit")
        cut(url, store._tenure.session)
        with pytest.raises(psycopg.OperationalError):
            await store._control.execute("SELECT 1")
        raise store_module._BatchLost from psycopg.OperationalError("the answer was lost")

    monkeypatch.setattr(store, "_say", lose)
    answers = await asyncio.wait_for(
        asyncio.gather(*(store.write(command) for _ in range(5))), WAIT_S
    )
    assert sorted(answers) == [1, 2, 3, 4, 5]
    assert len(runs) == (5 if made else 10)
    assert heard == [0]
    assert len(await rows(store, "SELECT 1 FROM feed")) == 5
    assert await store.write(_append) == 6


async def test_callers_of_a_commit_that_cannot_be_looked_up_are_told_so_and_patient_ones_wait(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "OUTCOME_WAIT_S", 0.2)
    monkeypatch.setattr(store_module, "RECONNECT_EVERY_S", 0.05)
    say, connect = store._say, Database.connect

    async def away(_database: Database) -> Any:
        raise psycopg.OperationalError("no route to host")

    async def lose(name: str) -> None:
        await say(name)
        if name == "commit":
            monkeypatch.setattr(store, "_say", say)
            monkeypatch.setattr(Database, "connect", away)
            await store._connection.close()
            raise store_module._BatchLost from psycopg.OperationalError("the answer was lost")

    monkeypatch.setattr(store, "_say", lose)
    patient = asyncio.create_task(store.write(_append, patient=True))
    with pytest.raises(OutcomeUnknown, match="not known") as told:
        await asyncio.wait_for(store.write(_append), WAIT_S)
    assert "Nothing was changed" not in told.value.message
    assert not patient.done()
    monkeypatch.setattr(Database, "connect", connect)
    assert await asyncio.wait_for(patient, WAIT_S) == 1
    assert len(await rows(store, "SELECT 1 FROM feed")) == 2


async def test_while_the_database_is_away_writes_and_reads_are_refused_after_a_bounded_wait(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LOST_WAIT_S", 0.2)
    monkeypatch.setattr(store_module, "RECONNECT_EVERY_S", 0.05)
    connect = Database.connect

    async def away(_database: Database) -> Any:
        raise psycopg.OperationalError("no route to host")

    monkeypatch.setattr(Database, "connect", away)
    cut(url, store._tenure.session)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await asyncio.wait_for(store.write(_append), WAIT_S)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await asyncio.wait_for(store.write(_append), WAIT_S)
    monkeypatch.setattr(Database, "connect", connect)

    async def written() -> bool:
        try:
            return bool(await store.write(_append))
        except StoreUnavailable:
            return False

    assert await until(written)


async def test_a_deadlock_with_another_program_is_run_again(store: PostgresStore, url: str) -> None:
    for name in ("a", "b"):
        await store.write(lambda tx, name=name: tx.set_meta(name, ""))
    other = await psycopg.AsyncConnection.connect(url)
    await other.execute("SET deadlock_timeout = '60s'")  # the store's session is the one that looks
    await other.execute("UPDATE meta SET value = 'other' WHERE name = 'b'")
    runs: list[int] = []

    async def command(tx: Any) -> None:
        runs.append(1)
        await tx.set_meta("a", "store")
        await tx.set_meta("b", "store")

    writing = asyncio.create_task(store.write(command))

    async def store_waits() -> Any:
        return await rows(
            store, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1"
        )

    await until(store_waits)
    await asyncio.wait_for(
        other.execute("UPDATE meta SET value = 'other' WHERE name = 'a'"), WAIT_S
    )
    await other.commit()
    await other.close()
    await asyncio.wait_for(writing, WAIT_S)
    assert len(runs) >= 2
    assert await rows(store, "SELECT value FROM meta ORDER BY name") == [("store",), ("store",)]


async def test_a_row_locked_by_another_program_refuses_after_a_bounded_wait(
    store: PostgresStore, url: str
) -> None:
    await store.write(lambda tx: tx.set_meta("a", ""))
    with psycopg.connect(url) as other:
        other.execute("UPDATE meta SET value = '' WHERE name = 'a'")
        with pytest.raises(StoreUnavailable, match="locked by another program"):
            await asyncio.wait_for(store.write(lambda tx: tx.set_meta("a", "b")), WAIT_S)
        await store.write(_append)
    await store.write(lambda tx: tx.set_meta("a", "c"))
    assert await rows(store, "SELECT value FROM meta WHERE name = 'a'") == [("c",)]


async def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    store = await PostgresStore.open(Database(url=url, statement_timeout_s=0.2))
    try:
        with pytest.raises(StoreUnavailable, match="STATEMENT_TIMEOUT"):
            await store.write(lambda tx: execute(tx, "SELECT pg_sleep(30)"))
        with pytest.raises(StoreUnavailable, match="STATEMENT_TIMEOUT"):
            await store.read(lambda tx: execute(tx, "SELECT pg_sleep(30)"))
        assert await store.write(_append) == 1
    finally:
        await store.close()


async def test_a_query_cannot_change_anything(store: PostgresStore) -> None:
    with pytest.raises(StoreUnavailable, match="read-only"):
        await store.read(lambda tx: tx.set_meta("a", "b"))
    with pytest.raises(RuntimeError, match="may not change"):
        await store.read(lambda tx: tx.next_message_id())


async def test_a_second_process_on_the_same_database_is_refused_with_a_clear_message(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.adapters.postgres.lease.LOCK_WAITS", 1)
    with pytest.raises(StartRefused, match="Another process is serving the database") as refused:
        await PostgresStore.open(Database(url=url))
    assert refused.value.code == "ERR_STORE_IN_USE"
    await store.write(_append)


async def test_a_process_whose_store_was_taken_over_ends_and_writes_nothing(url: str) -> None:
    """Its memory of lanes and positions is not true any more: only a new start is right."""
    program = textwrap.dedent(
        f"""
        import asyncio, sys
        from chathooks.adapters.postgres.connecting import Database
        from chathooks.adapters.postgres.store import PostgresStore
        async def main():
            store = await PostgresStore.open(Database(url={url!r}))
            print(store._tenure.session, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            await store.write(lambda tx: tx.set_meta("late", "write"))
            print("written", flush=True)
        asyncio.run(main())
        """
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    session = int(await asyncio.wait_for(process.stdout.readline(), WAIT_S))
    cut(url, session)  # the process sleeps, and another takes the store over
    successor = await PostgresStore.open(Database(url=url))
    await successor.write(_append)
    await successor.close()
    out, err = await asyncio.wait_for(process.communicate(b"go\n"), WAIT_S)
    assert process.returncode == store_module.EXIT_STORE_LOST, err
    assert b"written" not in out
    after = await PostgresStore.open(Database(url=url))
    assert await rows(after, "SELECT * FROM meta WHERE name = 'late'") == []
    await after.close()


# -- the schema --------------------------------------------------------------------------------------------


async def test_a_database_without_the_schema_is_refused_with_what_to_type(
    databases: Databases,
) -> None:
    with pytest.raises(StartRefused, match="chathooks migrate apply") as refused:
        await PostgresStore.open(Database(url=databases.make()))
    assert refused.value.code == "ERR_STORE_TOO_OLD"


async def test_a_store_of_a_newer_program_is_refused_unless_it_says_that_this_one_may_use_it(
    url: str,
) -> None:
    newest = migrations()[-1].number
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO chathooks_schema (number, name, compatible) VALUES (%s, 'later', %s)",
            (newest + 1, newest),
        )
        await (await PostgresStore.open(Database(url=url))).close()
        connection.execute("UPDATE chathooks_schema SET compatible = number")
        with pytest.raises(StartRefused, match="newer Chathooks"):
            await PostgresStore.open(Database(url=url))
        connection.execute("DELETE FROM chathooks_schema WHERE number = %s", (newest + 1,))


async def test_migrations_can_be_applied_in_steps_and_a_failed_one_leaves_what_was(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = databases.make()
    connection = await Database(url=address).connect_or_refuse()
    try:
        await take_lock(connection, address)
        half = len(migrations()) // 2
        assert [step.number for step in await apply(connection, up_to=half)] == list(
            range(1, half + 1)
        )
        broken = [*migrations()[:-1], migrations()[-1]._replace(script="SELECT no_such_thing")]
        with monkeypatch.context() as patch:
            patch.setattr("chathooks.adapters.postgres.schema.migrations", lambda: tuple(broken))
            with pytest.raises(errors.UndefinedColumn):
                await apply(connection)
        assert len(await apply(connection)) == len(migrations()) - half
        assert await apply(connection) == []
    finally:
        await connection.close()
    await (await PostgresStore.open(Database(url=address))).close()


async def test_a_database_that_cannot_be_reached_is_told_without_its_password() -> None:
    database = Database(url="postgresql://who:hidden-word@127.0.0.1:1/nowhere")
    with pytest.raises(StartRefused, match="nowhere on 127") as refused:
        await PostgresStore.open(database)
    assert refused.value.code == "ERR_DATABASE"
    assert "hidden-word" not in str(refused.value)
    assert "hidden-word" not in repr(database)


@pytest.mark.parametrize(
    ("address", "mode", "root"),
    [
        ("postgresql://u@db.example.com/d", "verify-full", "system"),
        ("postgresql://u@db.example.com/d?sslmode=require", "require", None),
        ("postgresql://u@127.0.0.1/d", None, None),
        ("postgresql://u@[::1]/d", None, None),
        ("postgresql:///d", None, None),
    ],
)
def test_another_machine_must_prove_itself_unless_the_address_says_otherwise(
    address: str, mode: str | None, root: str | None
) -> None:
    told = Database(url=address).parameters()
    assert told.get("sslmode") == mode
    assert told.get("sslrootcert") == root


def test_a_ca_file_is_what_the_database_is_verified_with(tmp_path: Path) -> None:
    told = Database(url="postgresql://u@localhost/d", ca_file=tmp_path / "ca.pem").parameters()
    assert (told["sslmode"], told["sslrootcert"]) == ("verify-full", str(tmp_path / "ca.pem"))


def test_an_address_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(StartRefused, match="CHATHOOKS_DATABASE_URL cannot be read"):
        Database(url="postgresql://u@h/d?no_such_parameter=1").parameters()


async def test_a_connection_that_is_cut_between_two_commands_loses_neither(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = store._say

    async def cut_before_the_second(name: str) -> None:
        if name == "next_savepoint":
            monkeypatch.setattr(store, "_say", say)
            cut(url, store._tenure.session)
        await say(name)

    monkeypatch.setattr(store, "_say", cut_before_the_second)
    answers = await asyncio.wait_for(
        asyncio.gather(*(store.write(_append) for _ in range(3))), WAIT_S
    )
    assert sorted(answers) == [1, 2, 3]
