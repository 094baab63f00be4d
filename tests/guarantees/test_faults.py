"""What holds while the store, the disk or an operator gets in the way: delivery contract §3 and §7.

§3.1: a call that was answered has its events stored "in the same transaction"; §3.2: duplicates come only from
attempts in flight at a crash "or while the store cannot record"; §7: "store not available 503 with
`Retry-After`", "Two processes on one SQLite file are never both writers", "nothing pending or retrying is ever
pruned".
"""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from chathooks.app.build import Runtime, build
from chathooks.app.settings import Settings
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.retention import DAY_MS, Retention
from chathooks.kernel.clock import ManualClock
from support.crash.campaign import all_messages
from support.crash.process import (
    API_KEY,
    Client,
    Served,
    deliveries,
    make_users,
    make_webhook,
    say,
    served,
    until,
)
from support.crash.sink import Sink
from support.rig import Rig
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Response

pytestmark = pytest.mark.anyio

NO_SPACE_BEYOND_BYTES = 4096
PATIENT = {"CHATHOOKS_REQUEST_TIMEOUT": "20"}
"""For attempts that a test keeps running over a fault."""
RECOVERY_S_MAX = 10.0
LOCK_NOTICED_S_MAX = 5.0
"""A locked store is waited for 2 s, then callers are told."""
ATTEMPT_S_MAX = 2.0
STOP_S_MAX = ATTEMPT_S_MAX + 2.0
"""A graceful stop: what runs ends within 2 s; the rest is the process's own way out."""


async def prepare(server: Served, sink: Sink, **fields: object) -> Client:
    client = server.client()
    await make_users(client, "ann", "ben")
    await make_webhook(client, "hook", sink.url("hook"), **fields)
    return client


def assert_unavailable(answer: Response) -> None:
    assert answer.status == 503
    assert answer.code == "ERR_STORE_UNAVAILABLE"
    assert int(answer.headers["retry-after"]) >= 1


async def states(client: Client) -> list[str]:
    return [one["state"] for one in reversed(await deliveries(client, "hook"))]


async def until_states(client: Client, *wanted: str) -> None:
    async def reached() -> bool:
        return await states(client) == list(wanted)

    await until(reached, RECOVERY_S_MAX)


async def test_without_disk_space_calls_get_503_and_what_ended_meanwhile_is_recorded_later(
    tmp_path: Path,
) -> None:
    async with Sink() as sink, served(tmp_path, PATIENT) as server:
        client = await prepare(server, sink)
        sink.holding = True
        assert (await say(client, "ann", "ben", "before")).status == 200
        await sink.arrived(1)
        kept = await all_messages(client)
        server.limit_files(NO_SPACE_BEYOND_BYTES)
        assert_unavailable(await say(client, "ann", "ben", "refused"))
        assert_unavailable(await client.call("POST", "/users", {"uid": "cem", "name": "cem"}))
        sink.release()

        async def engine_paused_twice() -> bool:
            assert_unavailable(await say(client, "ann", "ben", "refused"))
            return sum("deliveries pause" in line for line in server.lines) >= 2

        await until(engine_paused_twice, RECOVERY_S_MAX, every_s=0.1)
        assert await all_messages(client) == kept
        assert (await client.call("GET", "/users/cem")).status == 404
        assert await states(client) == ["in_flight"]
        server.unlimit_files()
        await until_states(client, "delivered")
        assert (await say(client, "ann", "ben", "after")).status == 200
        await until_states(client, "delivered", "delivered")
        texts = [arrival.data["message"]["data"]["text"] for arrival in sink.arrivals]
        assert texts == ["before", "after"]
        assert [arrival.number for arrival in sink.arrivals] == [1, 2]
        client.close()


@asynccontextmanager
async def in_this_process(tmp_path: Path) -> AsyncIterator[Runtime]:
    runtime = await build(
        Settings(
            port=0,
            data_dir=tmp_path,
            app_id="shop",
            api_key=API_KEY,
            allow_http_targets=True,
            allow_target_networks=(ip_network("127.0.0.0/8"),),
        )
    )
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


async def test_a_full_database_keeps_exactly_what_it_answered(tmp_path: Path) -> None:
    async with Sink() as sink, in_this_process(tmp_path) as runtime:
        client = Client(runtime.port)
        await make_users(client, "ann", "ben")
        await make_webhook(client, "hook", sink.url("hook"))
        writer = runtime.store._writer
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages + 12}")
        answered = []
        while (answer := await say(client, "ann", "ben", "x" * 2000)).status == 200:
            answered.append(answer.data["id"])
        assert_unavailable(answer)
        assert "disk is full" in answer.json["error"]["message"]
        assert answered
        assert await all_messages(client) == set(answered)
        writer.execute("PRAGMA max_page_count = 1073741823")
        answered.append((await say(client, "ann", "ben")).data["id"])
        await until_states(client, *["delivered"] * len(answered))
        assert [
            str(one.data["message"]["id"])
            for one in sorted(sink.arrivals, key=lambda one: one.number)
        ] == answered
        client.close()


async def test_a_database_locked_by_another_program_is_503_after_a_bounded_wait(
    tmp_path: Path,
) -> None:
    async with Sink() as sink, served(tmp_path, PATIENT) as server:
        client = await prepare(server, sink)
        sink.holding = True
        assert (await say(client, "ann", "ben", "before")).status == 200
        await sink.arrived(1)
        other = sqlite3.connect(server.database, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            clients = [server.client() for _ in range(3)]
            answers = await asyncio.gather(*(say(one, "ann", "ben") for one in clients))
            for one in clients:
                one.close()
            assert time.monotonic() - began < LOCK_NOTICED_S_MAX
            for answer in answers:
                assert_unavailable(answer)
            sink.release()
            assert await states(client) == ["in_flight"]
            other.execute("ROLLBACK")
        finally:
            other.close()
        await until_states(client, "delivered")
        assert (await say(client, "ann", "ben", "after")).status == 200
        await until_states(client, "delivered", "delivered")
        assert len(sink.arrivals) == 2
        client.close()


async def test_a_graceful_stop_begins_nothing_ends_what_runs_and_leaves_the_rest_stored(
    tmp_path: Path,
) -> None:
    settings = {"CHATHOOKS_RETRY_SCHEDULE": "0.5,0.5"}
    async with Sink() as sink, served(tmp_path, settings) as server:
        client = await prepare(server, sink, maxConcurrency=2, retryOnFailure=True)
        sink.holding = True
        for _ in range(6):
            assert (await say(client, "ann", "ben")).status == 200
        await sink.arrived(2)
        client.close()
        began = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - began < STOP_S_MAX
        assert [arrival.number for arrival in sink.arrivals] == [1, 2]
        sink.release()
        await server.start()
        client = server.client()
        await until_states(client, *["delivered"] * 6)
        log = await deliveries(client, "hook")
        failures = {
            one["number"]: [attempt.get("failure") for attempt in one["attempts"]] for one in log
        }
        for number in (1, 2):
            first, second = failures[number]
            assert first.startswith("timeout")
            assert second is None
        assert all(failures[number] == [None] for number in range(3, 7))
        client.close()


async def test_an_answer_that_comes_during_a_graceful_stop_is_recorded(tmp_path: Path) -> None:
    async with Sink() as sink, served(tmp_path) as server:
        client = await prepare(server, sink)
        sink.holding = True
        assert (await say(client, "ann", "ben")).status == 200
        await sink.arrived(1)
        client.close()
        server.send_signal(signal.SIGTERM)

        async def listens_no_more() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except OSError:
                return True
            writer.close()
            return False

        await until(listens_no_more, RECOVERY_S_MAX)
        sink.release()
        assert await server.exited() == 0
        await server.start()
        client = server.client()
        assert await states(client) == ["delivered"]
        assert len(sink.arrivals) == 1
        client.close()


async def test_a_second_process_on_the_data_directory_is_refused(tmp_path: Path) -> None:
    async with Sink() as sink, served(tmp_path) as server:
        client = await prepare(server, sink)
        second = Served(server.data_dir)
        try:
            await second.spawn()
            assert await second.exited() == 2
        finally:
            await second.close()
        assert any("ERR_STORE_IN_USE" in line for line in second.lines)
        assert (await say(client, "ann", "ben")).status == 200
        await sink.arrived(1)
        client.close()


async def test_retention_prunes_what_ended_and_nothing_that_waits(
    tmp_path: Path, clock: ManualClock
) -> None:
    rig = Rig(tmp_path / "rig.sqlite3", clock, EngineLimits(expiry_ms=365 * DAY_MS))
    async with ScriptedEndpoint() as endpoint:
        await rig.open()
        await rig.start()
        endpoint.answer = lambda request: 500 if request.path == "/bad" else 200
        done = await rig.webhook(endpoint.url("/done"), webhook_id="done")
        await rig.events(3)
        await rig.quiet()
        bad = await rig.webhook(endpoint.url("/bad"), webhook_id="bad", ordered=True, retry=True)
        await rig.events(3)
        await rig.quiet()
        slow = await rig.webhook(endpoint.url("/slow"), webhook_id="slow", concurrency=1)
        endpoint.hold()
        await rig.events(3)
        # 3 and 3 of `done`, 1 of `bad`, then one in flight of `slow` and three of `done`.
        await endpoint.arrived(11)
        await rig.crash()
        endpoint.release()
        await rig.open()
        waiting = {lane: await rig.states(lane) for lane in (bad, slow)}
        assert list(waiting[bad].values()) == ["retrying"] + ["pending"] * 5
        assert list(waiting[slow].values()) == ["in_flight", "pending", "pending"]
        clock.advance(31 * DAY_MS)
        await rig.event()
        # Of the feed: three events and two webhook changes before the first event that still waits.
        assert await Retention(rig.store, clock, 30).prune() == (6, 5)
        assert {lane: await rig.states(lane) for lane in (bad, slow)} == waiting
        assert list(await rig.states(done)) == [7, 8, 9]
        assert await rig.attempts(done) == []
        assert len(await rig.attempts(bad)) == 1
        endpoint.answer = None
        await rig.start()
        await rig.quiet()
        for lane, numbers in ((done, range(7, 11)), (bad, range(1, 8)), (slow, range(1, 5))):
            assert await rig.states(lane) == dict.fromkeys(numbers, "delivered")
        await rig.stop()
