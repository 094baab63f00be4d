"""The inboxes as queues: order per stream, leases, retries, dead letters, timers; the same for both databases."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from chathooks_receiver.queue import QueueUnavailable
from chathooks_receiver.sinks import SinkUnavailable
from chathooks_receiver.sinks.postgres import PostgresInbox
from chathooks_receiver.sinks.sqlite import PRUNE_EVERY, SqliteInbox
from support.arrivals import arrival
from support.services import Service

pytestmark = pytest.mark.anyio

LEASE_S = 30.0
Inbox = SqliteInbox | PostgresInbox


class HandClock:
    def __init__(self) -> None:
        self.now_s = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time_s() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "sqlite shared", "postgres"])
async def inbox(
    request: pytest.FixtureRequest, tmp_path: Path, fresh_name: str, time_s: HandClock
) -> AsyncIterator[Inbox]:
    opened: Inbox
    if request.param == "postgres":
        server: Service = request.getfixturevalue("postgres_server")
        base = f"postgresql://tests@127.0.0.1:{server.port}/"
        connection = await asyncpg.connect(base + "postgres")
        await connection.execute(f"CREATE DATABASE {fresh_name}")
        await connection.close()
        opened = PostgresInbox(base + fresh_name, now_s=time_s)
    else:
        shared = request.param.endswith("shared")
        opened = SqliteInbox(tmp_path / "inbox.sqlite3", shared=shared, now_s=time_s)
    await opened.open()
    yield opened
    await opened.close()


async def test_an_event_is_stored_once_and_known_for_good(inbox: Inbox) -> None:
    stored = await asyncio.gather(*(inbox.put(arrival(1)) for _ in range(10)))
    assert stored.count(True) == 1
    (job,) = await inbox.lease(10, LEASE_S)
    await inbox.done(job)
    assert await inbox.put(arrival(1)) is False
    assert await inbox.waiting() == 0


async def test_a_stream_is_handled_in_order_and_others_beside_it(inbox: Inbox) -> None:
    for number in range(6):
        await inbox.put(arrival(number, conversation=f"c{number % 2}"))
    first = await inbox.lease(10, LEASE_S)
    assert [job.key for job in first] == ["evt_0", "evt_1"]
    assert await inbox.lease(10, LEASE_S) == []
    await inbox.done(first[0])
    assert [job.key for job in await inbox.lease(10, LEASE_S)] == ["evt_2"]


async def test_a_job_carries_the_event_whole(inbox: Inbox) -> None:
    item = arrival(7, conversation="alice_user_bob")
    await inbox.put(item)
    (job,) = await inbox.lease(1, LEASE_S)
    assert (job.kind, job.stream, job.body) == ("message_sent", "alice_user_bob", item.body)
    assert job.headers == {"chathooks-number": "7"}
    assert (job.attempt, list(job.finished)) == (1, [])


async def test_a_failed_job_holds_its_stream_back_until_it_is_due_again(
    inbox: Inbox, time_s: HandClock
) -> None:
    await inbox.put(arrival(1, conversation="c"))
    await inbox.put(arrival(2, conversation="c"))
    (job,) = await inbox.lease(10, LEASE_S)
    await inbox.retry(job, 5.0, "no luck", ["first"])
    assert await inbox.lease(10, LEASE_S) == []
    time_s.now_s += 5.0
    (again,) = await inbox.lease(10, LEASE_S)
    assert (again.key, again.attempt, list(again.finished)) == ("evt_1", 2, ["first"])


async def test_a_buried_job_lets_its_stream_go_on_and_can_be_revived(inbox: Inbox) -> None:
    await inbox.put(arrival(1, conversation="c"))
    await inbox.put(arrival(2, conversation="c"))
    (job,) = await inbox.lease(10, LEASE_S)
    await inbox.bury(job, "hopeless \0")
    (other,) = await inbox.lease(10, LEASE_S)
    assert other.key == "evt_2"
    await inbox.done(other)
    (dead,) = await inbox.dead(10)
    assert (dead.key, dead.attempts) == ("evt_1", 1)
    assert dead.error.startswith("hopeless")
    assert await inbox.revive(dead.id) is True
    assert await inbox.revive(dead.id) is False
    assert [job.key for job in await inbox.lease(10, LEASE_S)] == ["evt_1"]


async def test_a_lease_that_lapses_gives_the_job_to_another_and_the_first_has_no_say(
    inbox: Inbox, time_s: HandClock
) -> None:
    await inbox.put(arrival(1))
    (lost,) = await inbox.lease(1, LEASE_S)
    time_s.now_s += LEASE_S
    (taken,) = await inbox.lease(1, LEASE_S)
    await inbox.done(lost)
    await inbox.bury(lost, "late")
    await inbox.extend([lost], LEASE_S)
    assert await inbox.waiting() == 1
    await inbox.extend([taken], LEASE_S * 2)
    time_s.now_s += LEASE_S * 1.5
    assert await inbox.lease(1, LEASE_S) == []
    await inbox.done(taken)
    assert await inbox.waiting() == 0


async def test_a_timer_fires_when_due_can_be_set_anew_and_taken_back(
    inbox: Inbox, time_s: HandClock
) -> None:
    await inbox.schedule("k", "remind", b'{"n":1}', time_s.now_s + 10)
    await inbox.schedule("k", "remind", b'{"n":2}', time_s.now_s + 20)
    await inbox.schedule("other", "remind", b"{}", time_s.now_s + 10)
    assert await inbox.cancel("other") is True
    assert await inbox.cancel("other") is False
    time_s.now_s += 10
    assert await inbox.lease(10, LEASE_S) == []
    time_s.now_s += 10
    (job,) = await inbox.lease(10, LEASE_S)
    assert (job.kind, job.key, job.body) == ("timer:remind", "k", b'{"n":2}')
    assert await inbox.cancel("k") is False
    await inbox.done(job)
    assert await inbox.cancel("k") is False
    await inbox.schedule("k", "remind", b'{"n":3}', time_s.now_s)
    assert [job.body for job in await inbox.lease(10, LEASE_S)] == [b'{"n":3}']


async def test_a_timer_set_anew_while_it_runs_runs_again(inbox: Inbox, time_s: HandClock) -> None:
    await inbox.schedule("k", "tick", b"1", time_s.now_s)
    (job,) = await inbox.lease(1, LEASE_S)
    await inbox.schedule("k", "tick", b"2", time_s.now_s + 1)
    await inbox.done(job)
    time_s.now_s += 1
    assert [job.body for job in await inbox.lease(1, LEASE_S)] == [b"2"]


async def test_random_work_loses_nothing_and_keeps_every_stream_in_order(
    inbox: Inbox, time_s: HandClock
) -> None:
    rng = random.Random(5)
    handled: dict[str, list[int]] = {}
    put = 0
    held: list[tuple[float, object]] = []
    while put < 60 or await inbox.waiting():
        if put < 60 and rng.random() < 0.5:
            await asyncio.gather(
                *(inbox.put(arrival(n, conversation=f"c{n % 7}")) for n in range(put, put + 3))
            )
            put += 3
        for job in await inbox.lease(rng.randint(1, 4), LEASE_S):
            choice = rng.random()
            if choice < 0.2:
                await inbox.retry(job, rng.random() * 3, "again", [])
            elif choice < 0.3:
                held.append((time_s.now_s, job))  # its worker dies
            else:
                handled.setdefault(job.stream, []).append(int(job.key.removeprefix("evt_")))
                await inbox.done(job)
        time_s.now_s += rng.random() * 8
    numbers = [number for stream in handled.values() for number in stream]
    assert sorted(numbers) == list(range(60))
    assert len(numbers) == len(set(numbers))


async def test_two_inboxes_on_one_place_never_lease_the_same_job(
    postgres_server: Service, time_s: HandClock, fresh_name: str
) -> None:
    base = f"postgresql://tests@127.0.0.1:{postgres_server.port}/"
    connection = await asyncpg.connect(base + "postgres")
    await connection.execute(f"CREATE DATABASE {fresh_name}")
    await connection.close()
    both = [PostgresInbox(base + fresh_name, now_s=time_s) for _ in range(2)]
    for item in both:
        await item.open()
    for number in range(40):
        await both[number % 2].put(arrival(number, conversation=f"c{number}"))
    leased = await asyncio.gather(*(both[n % 2].lease(8, LEASE_S) for n in range(10)))
    keys = [job.key for jobs in leased for job in jobs]
    assert len(keys) == len(set(keys)) == 40
    for item in both:
        await item.close()


async def test_done_jobs_are_forgotten_beyond_the_window(tmp_path: Path, time_s: HandClock) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.sqlite3", done_kept_max=10, now_s=time_s)
    await inbox.open()
    for number in range(PRUNE_EVERY):
        await inbox.put(arrival(number, conversation="c"))
        (job,) = await inbox.lease(1, LEASE_S)
        await inbox.done(job)
    await inbox.put(arrival(PRUNE_EVERY))
    assert len(inbox.stored(100)) <= 12
    await inbox.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_an_inbox_that_cannot_be_reached_says_so(kind: str, tmp_path: Path) -> None:
    inbox: Inbox = SqliteInbox(tmp_path / "missing" / "inbox.sqlite3")
    if kind == "postgres":
        inbox = PostgresInbox("postgresql://u@127.0.0.1:1/d")
    with pytest.raises(SinkUnavailable):
        await inbox.open()
    with pytest.raises(SinkUnavailable):
        await inbox.put(arrival(1))
    with pytest.raises(QueueUnavailable):
        await inbox.lease(1, LEASE_S)
    await inbox.close()
