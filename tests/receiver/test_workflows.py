"""Handlers run from the queue: again after a failure, in order, each through once, set aside in the end."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chathooks_events.envelope import ReceivedEvent
from chathooks_events.errors import UnknownTrigger
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Context, GiveUp, RetryPolicy, Worker, Workflows
from support.arrivals import arrival
from support.waiting import eventually

pytestmark = pytest.mark.anyio

POLICY = RetryPolicy(attempts=3, first_s=1.0, jitter=0.0)


class HandClock:
    now_s = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time_s() -> HandClock:
    return HandClock()


@pytest.fixture
async def inbox(tmp_path: Path, time_s: HandClock) -> AsyncIterator[SqliteInbox]:
    opened = SqliteInbox(tmp_path / "inbox.sqlite3", now_s=time_s)
    await opened.open()
    yield opened
    await opened.close()


def worker(inbox: SqliteInbox, workflows: Workflows, time_s: HandClock, **options: Any) -> Worker:
    return Worker(inbox, workflows, policy=POLICY, now_s=time_s, **options)


async def test_handlers_get_their_triggers_sync_or_async(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()
    got: list[tuple[str, str]] = []

    @workflows.on("message_sent", "user_blocked")
    async def waits(event: ReceivedEvent, context: Context) -> None:
        got.append(("waits", event.trigger))

    @workflows.on("message_sent")
    def blocks(event: ReceivedEvent, context: Context) -> None:
        assert threading.current_thread() is not threading.main_thread()
        got.append(("blocks", event.trigger))

    @workflows.on("*")
    async def everything(event: ReceivedEvent, context: Context) -> None:
        got.append(("everything", event.trigger))

    await inbox.put(arrival(1))
    await inbox.put(arrival(2, trigger="user_blocked"))
    await inbox.put(arrival(3, trigger="group_created"))
    assert await worker(inbox, workflows, time_s).run_due() == 3
    assert sorted(got) == [
        ("blocks", "message_sent"),
        ("everything", "group_created"),
        ("everything", "message_sent"),
        ("everything", "user_blocked"),
        ("waits", "message_sent"),
        ("waits", "user_blocked"),
    ]


async def test_a_failing_handler_is_tried_again_and_the_others_are_not(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()
    calls: list[str] = []

    @workflows.on("message_sent")
    async def good(event: ReceivedEvent, context: Context) -> None:
        calls.append("good")

    @workflows.on("message_sent")
    async def flaky(event: ReceivedEvent, context: Context) -> None:
        calls.append(f"flaky {context.attempt}")
        if context.attempt < 3:
            raise OSError("not yet")

    await inbox.put(arrival(1))
    runner = worker(inbox, workflows, time_s)
    assert await runner.run_due() == 1
    assert await runner.run_due() == 0
    for delay_s in (1.0, 2.0):
        time_s.now_s += delay_s
        assert await runner.run_due() == 1
    assert calls == ["good", "flaky 1", "flaky 2", "flaky 3"]
    assert (runner.handled, runner.failed, runner.buried) == (1, 2, 0)
    assert await inbox.dead(10) == []


async def test_after_the_last_attempt_the_job_is_set_aside_and_its_stream_goes_on(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()
    got: list[str] = []

    @workflows.on("message_sent")
    async def picky(event: ReceivedEvent, context: Context) -> None:
        if context.key == "evt_1":
            raise OSError("never //user:secret@host")
        got.append(context.key)

    await inbox.put(arrival(1, conversation="c"))
    await inbox.put(arrival(2, conversation="c"))
    runner = worker(inbox, workflows, time_s)
    for _ in range(4):
        await runner.run_due()
        time_s.now_s += 10
    assert got == ["evt_2"]
    (dead,) = await inbox.dead(10)
    assert (dead.key, dead.attempts) == ("evt_1", 3)
    assert "picky: OSError: never" in dead.error
    assert "secret" not in dead.error


async def test_giving_up_sets_the_job_aside_at_once(inbox: SqliteInbox, time_s: HandClock) -> None:
    workflows = Workflows()

    @workflows.on("message_sent")
    async def hopeless(event: ReceivedEvent, context: Context) -> None:
        raise GiveUp("the contact is gone")

    await inbox.put(arrival(1))
    await worker(inbox, workflows, time_s).run_due()
    (dead,) = await inbox.dead(10)
    assert dead.attempts == 1


async def test_a_handler_that_takes_too_long_has_failed(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()

    @workflows.on("message_sent")
    async def hangs(event: ReceivedEvent, context: Context) -> None:
        await asyncio.Event().wait()

    await inbox.put(arrival(1))
    runner = worker(inbox, workflows, time_s, handler_timeout_s=0.05)
    await runner.run_due()
    assert runner.failed == 1


async def test_a_running_worker_takes_what_comes_and_stops_in_order(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()
    order: dict[str, list[str]] = {}
    running = 0
    most = 0

    @workflows.on("message_sent")
    async def note(event: ReceivedEvent, context: Context) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        order.setdefault(event.data.message.conversation_id, []).append(context.key)  # type: ignore[union-attr]  # of message_sent
        running -= 1

    runner = worker(inbox, workflows, time_s, concurrency=4, poll_s=30)
    inbox.on_work = runner.wake
    async with runner:
        for number in range(60):
            await inbox.put(arrival(number, conversation=f"c{number % 6}"))
        await eventually(lambda: runner.handled == 60)
    assert 1 < most <= 4
    for number, keys in sorted(order.items()):
        assert keys == [f"evt_{n}" for n in range(int(number[1:]), 60, 6)]


async def test_timers_fire_once_due_and_not_when_cancelled(
    inbox: SqliteInbox, time_s: HandClock
) -> None:
    workflows = Workflows()
    fired: list[Any] = []

    @workflows.on("message_sent")
    async def plan(event: ReceivedEvent, context: Context) -> None:
        await context.schedule("one", "ring", {"n": 1}, delay_s=600)
        await context.schedule("two", "ring", {"n": 2}, delay_s=600)
        assert await context.cancel("two")

    @workflows.timer("ring")
    async def ring(payload: Any, context: Context) -> None:
        fired.append((payload, context.key))

    await inbox.put(arrival(1))
    runner = worker(inbox, workflows, time_s)
    await runner.run_due()
    time_s.now_s += 599
    assert await runner.run_due() == 0
    time_s.now_s += 1
    assert await runner.run_due() == 1
    assert fired == [({"n": 1}, "one")]


def test_registering_nonsense_is_refused() -> None:
    workflows = Workflows()

    async def handler(event: ReceivedEvent, context: Context) -> None: ...

    with pytest.raises(UnknownTrigger, match="message_teleported"):
        workflows.on("message_teleported")
    with pytest.raises(ValueError, match="at least one"):
        workflows.on()
    workflows.on("message_sent")(handler)
    with pytest.raises(ValueError, match="already"):
        workflows.on("message_sent")(handler)
    other = Workflows()
    other.on("user_blocked")(handler)
    workflows.include(other)
    assert list(workflows.handlers_of("user_blocked")) == ["handler"]
    assert list(workflows.handlers_of("group_created")) == []


def test_the_back_off_doubles_to_a_bound_and_ends() -> None:
    policy = RetryPolicy(attempts=6, first_s=1.0, most_s=5.0, jitter=0.0)
    rng = random.Random(1)
    assert [policy.delay_s(n, rng) for n in range(1, 7)] == [1.0, 2.0, 4.0, 5.0, 5.0, None]
    spread = RetryPolicy(jitter=0.5)
    delays = [spread.delay_s(1, rng) for _ in range(50)]
    assert all(delay is not None and 0.5 <= delay <= 1.0 for delay in delays)
    assert len(set(delays)) > 1
