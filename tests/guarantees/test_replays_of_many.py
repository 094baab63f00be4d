"""Replays of many: what they take, what they cost, how far they are, and how they are stopped (delivery contract §6)."""

import asyncio
from pathlib import Path

import pytest

from chathooks.delivery import replay as replay_module
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import State
from chathooks.delivery.replay import REQUEST_OVERHEAD_BYTES, ReplayWindow, ReplayWork
from chathooks.delivery.retention import DAY_MS, Retention
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.errors import ChathooksError
from chathooks_events.catalog import TRIGGERS
from support.rig import APP, Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

ALL = ReplayFilter(0, 2**53, (State.FAILED, State.EXPIRED), None)
SENT, EDITED = TRIGGERS["message_sent"].number, TRIGGERS["message_edited"].number


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five deliveries per transaction, two transactions per call, five replays waiting."""
    monkeypatch.setattr(replay_module, "DELIVERIES_PER_TRANSACTION", 5)
    monkeypatch.setattr(replay_module, "TRANSACTIONS_PER_CALL_MAX", 2)
    monkeypatch.setattr(replay_module, "REPLAYS_WAITING_MAX", 10)


async def failed(rig: Rig, endpoint: ScriptedEndpoint, count: int, **how: object) -> int:
    """A webhook with deliveries that failed."""
    lane = await rig.webhook(endpoint.url(), **how)  # type: ignore[arg-type] # -- passed on
    await rig.events(count)
    await endpoint.arrived(count)
    await rig.quiet()
    assert set((await rig.states(lane)).values()) == {"failed"}
    return lane


async def finish(rig: Rig, replay: int) -> None:
    """Go on as the server does every second."""
    async with asyncio.timeout(20):
        while (await rig.replay.get(APP, replay)).state == "running":
            await rig.quiet()
            await ReplayWork(rig.store, rig.clock).round()


async def test_a_big_replay_goes_on_as_stored_work_and_marks_each_delivery_once(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await failed(rig, endpoint, 23)
        endpoint.default = 200
        done = await rig.replay.many(await rig.stored_webhook(), ReplayWindow(ALL), dry_run=False)
        assert (done.matched, done.replayed) == (10, 10)
        assert done.work is not None
        assert (done.work.state, done.work.next_number, done.work.stop_number) == (
            "running",
            11,
            24,
        )
        await finish(rig, done.work.replay)
        await endpoint.arrived(46)
        await rig.quiet()
        ended = await rig.replay.get(APP, done.work.replay)
        assert (ended.state, ended.replayed, ended.next_number) == ("done", 23, 24)
        assert set((await rig.states(lane)).values()) == {"delivered"}
        again = sorted(one.number for one in endpoint.requests[23:])
        assert again == list(range(1, 24))


async def test_a_replay_goes_on_after_a_crash_where_it_was(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await failed(rig, endpoint, 17)
        endpoint.default = 200
        done = await rig.replay.many(await rig.stored_webhook(), ReplayWindow(ALL), dry_run=False)
        assert done.work is not None
        await endpoint.arrived(27)
        await rig.quiet()
        await rig.crash()
        await rig.restart()
        await finish(rig, done.work.replay)
        await endpoint.arrived(34)
        await rig.quiet()
        assert (await rig.replay.get(APP, done.work.replay)).state == "done"
        assert set((await rig.states(lane)).values()) == {"delivered"}


async def test_a_replay_waits_while_many_of_it_were_not_sent_and_can_be_stopped(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await failed(rig, endpoint, 30, concurrency=1)
        endpoint.hold()
        webhook = await rig.stored_webhook()
        done = await rig.replay.many(webhook, ReplayWindow(ALL), dry_run=False)
        assert done.work is not None
        await endpoint.arrived(31)
        assert await ReplayWork(rig.store, clock).step(done.work.replay) is False
        assert (await rig.replay.get(APP, done.work.replay)).replayed == 10
        stopped = await rig.replay.stop(APP, done.work.replay)
        assert (stopped.state, stopped.replayed) == ("stopped", 10)
        assert await rig.replay.stop(APP, done.work.replay) == stopped
        endpoint.default = 200
        endpoint.release()
        await endpoint.arrived(40)
        await rig.quiet()
        await ReplayWork(rig.store, clock).round()
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states == ["delivered"] * 10 + ["failed"] * 20


async def test_a_replay_ends_when_its_webhook_is_deleted(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await failed(rig, endpoint, 17)
        webhook = await rig.stored_webhook()
        done = await rig.replay.many(webhook, ReplayWindow(ALL), dry_run=False)
        assert done.work is not None
        await rig.webhook(endpoint.url(), deleted=True)
        await rig.quiet()
        await ReplayWork(rig.store, clock).round()
        assert (await rig.replay.get(APP, done.work.replay)).state == "stopped"


async def test_so_many_replays_of_a_webhook_go_on_and_no_more(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await failed(rig, endpoint, 17)
        webhook = await rig.stored_webhook()
        for _ in range(replay_module.RUNNING_PER_WEBHOOK_MAX):
            done = await rig.replay.many(webhook, ReplayWindow(ALL), dry_run=False)
            assert done.work is not None
            await rig.quiet()
        with pytest.raises(ChathooksError, match="stop one") as refused:
            await rig.replay.many(webhook, ReplayWindow(ALL), dry_run=False)
        assert refused.value.code == "ERR_TOO_MANY_REQUESTS"
        listed, below = await rig.replay.page(webhook.lane, None, 4)
        assert len(listed) == 4
        rest, end = await rig.replay.page(webhook.lane, below, 100)
        assert (len(rest), end) == (6, None)


async def test_a_dry_run_counts_and_estimates_and_changes_nothing(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await failed(rig, endpoint, 6, concurrency=2)
        webhook = await rig.stored_webhook()
        before = await rig.states(lane)
        dry = await rig.replay.many(webhook, ReplayWindow(ALL), dry_run=True)
        assert (dry.matched, dry.replayed, dry.dry_run, dry.complete) == (6, 0, True, True)
        assert dry.cost is not None
        data = len(rig.samples["message_sent"])
        assert (dry.cost.requests, dry.cost.requests_max) == (6, 6)
        assert dry.cost.bytes == 6 * (data + REQUEST_OVERHEAD_BYTES)
        mean_us = await rig.store.read(lambda tx: tx.recent_attempt_us(lane, 100))
        assert mean_us is not None
        assert dry.cost.seconds == round(6 * mean_us / 2 / 1_000_000, 3)
        assert await rig.states(lane) == before
        await rig.webhook(endpoint.url(), retry=True, concurrency=2)
        retried = await rig.replay.many(await rig.stored_webhook(), ReplayWindow(ALL), dry_run=True)
        assert retried.cost is not None
        assert retried.cost.requests_max == 18


async def test_a_dry_run_says_where_it_did_not_see_everything(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    monkeypatch.setattr(replay_module, "LOOKS_PER_DRY_RUN_MAX", 2)
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await failed(rig, endpoint, 17)
        dry = await rig.replay.many(await rig.stored_webhook(), ReplayWindow(ALL), dry_run=True)
        assert (dry.matched, dry.complete) == (10, False)


async def test_state_trigger_time_and_number_narrow_a_replay_together(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), triggers=["message_sent", "message_edited"])
        for name in ("message_sent", "message_edited", "message_sent", "message_edited"):
            await rig.event(name)
            clock.advance(1_000)
        start_ms = clock.wall_ms()
        for _ in range(9):
            await rig.event("message_sent")
            await rig.event("message_edited")
        await endpoint.arrived(22)
        await rig.quiet()
        webhook = await rig.stored_webhook()

        async def counted(window: ReplayWindow) -> int:
            return (await rig.replay.many(webhook, window, dry_run=True)).matched

        assert await counted(ReplayWindow(ALL)) == 22
        assert await counted(ReplayWindow(ALL, 3, 4)) == 2
        assert await counted(ReplayWindow(ALL, 30, 40)) == 0
        sent = ALL._replace(triggers=(SENT,))
        assert await counted(ReplayWindow(sent)) == 11
        late = sent._replace(from_ms=start_ms)
        assert await counted(ReplayWindow(late)) == 9
        assert await counted(ReplayWindow(late, 7, 9)) == 2
        assert await counted(ReplayWindow(ALL._replace(states=(State.DELIVERED,)))) == 0
        every = (State.DELIVERED, State.FAILED, State.CANCELLED)
        assert await counted(ReplayWindow(ALL._replace(states=every, triggers=(EDITED,)))) == 11
        assert set((await rig.states(lane)).values()) == {"failed"}


async def test_replays_that_ended_are_forgotten_with_the_log(
    tmp_path: Path, clock: ManualClock, small: None
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await failed(rig, endpoint, 17)
        done = await rig.replay.many(await rig.stored_webhook(), ReplayWindow(ALL), dry_run=False)
        assert done.work is not None
        await rig.replay.stop(APP, done.work.replay)
        await rig.quiet()
        clock.advance(2 * DAY_MS)
        await Retention(rig.store, clock, 1).prune()
        with pytest.raises(ChathooksError) as gone:
            await rig.replay.get(APP, done.work.replay)
        assert gone.value.code == "ERR_REPLAY_NOT_FOUND"
