"""Attempts, retries, states: delivery contract §2, on a manual clock with real requests."""

import base64
from pathlib import Path

import pytest

from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import State
from chathooks.delivery.replay import ReplayWindow
from chathooks.kernel.clock import ManualClock
from support.rig import running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_an_event_is_delivered_once_with_the_documented_request(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), basic=("user", "pass word"))
        event_id = await rig.event()
        await rig.quiet()
        (request,) = endpoint.requests
        assert request.event.event_id == event_id
        assert request.event.trigger == "message_sent"
        assert (request.event.app_id, request.event.region, request.event.webhook_id) == (
            "shop",
            "us",
            "hook",
        )
        expected = base64.b64encode(b"user:pass word").decode()
        assert request.headers["authorization"] == f"Basic {expected}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["webhook-id"] == event_id
        assert request.headers["webhook-timestamp"] == str(clock.wall_ms() // 1000)
        assert request.headers["webhook-signature"].startswith("v1,")
        assert request.headers["chathooks-delivery"] == f"dlv_{lane}_1"
        assert request.headers["chathooks-attempt"] == "1"
        assert request.headers["chathooks-number"] == "1"
        assert request.headers["chathooks-sequence"] == "1"
        assert request.headers["user-agent"].startswith("Chathooks/")
        assert "chathooks-replay" not in request.headers
        assert await rig.states(lane) == {1: "delivered"}


async def test_without_basic_auth_there_is_no_authorization_header(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url())
        await rig.event()
        await rig.quiet()
        assert "authorization" not in endpoint.requests[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_acknowledges(tmp_path: Path, clock: ManualClock, status: int) -> None:
    async with ScriptedEndpoint(default=status) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        assert await rig.states(lane) == {1: "delivered"}


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 401, 404, 410, 429, 500, 503])
async def test_every_other_status_is_a_failed_attempt(
    tmp_path: Path, clock: ManualClock, status: int
) -> None:
    async with ScriptedEndpoint(default=status) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await rig.event()
        await rig.quiet()
        assert await rig.states(lane) == {1: "failed"}
        assert len(endpoint.requests) == 1
        assert await rig.attempts(lane) == [(1, 1, status, "http_status")]


async def test_without_retry_on_failure_there_is_one_attempt(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=False)
        await rig.event()
        await rig.quiet()
        clock.advance(3_600_000)
        await rig.quiet()
        assert len(endpoint.requests) == 1
        assert await rig.states(lane) == {1: "failed"}


async def test_retries_come_10_s_and_30_s_after_the_failure_before_and_never_early(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        assert await rig.states(lane) == {1: "retrying"}
        clock.advance(9_999)
        await rig.quiet()
        assert len(endpoint.requests) == 1
        clock.advance(1)
        await endpoint.arrived(2)
        await rig.quiet()
        clock.advance(29_999)
        await rig.quiet()
        assert len(endpoint.requests) == 2
        clock.advance(1)
        await endpoint.arrived(3)
        await rig.quiet()
        assert await rig.states(lane) == {1: "failed"}
        assert [request.attempt for request in endpoint.requests] == [1, 2, 3]
        assert len({request.body for request in endpoint.requests}) == 1
        clock.advance(3_600_000)
        await rig.quiet()
        assert len(endpoint.requests) == 3


async def test_a_retry_that_succeeds_ends_the_delivery(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        endpoint.script.extend([503, 200])
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        clock.advance(10_000)
        await endpoint.arrived(2)
        await rig.quiet()
        assert await rig.states(lane) == {1: "delivered"}
        clock.advance(100_000)
        await rig.quiet()
        assert len(endpoint.requests) == 2


async def test_the_schedule_survives_a_restart_and_a_retry_due_meanwhile_is_made_at_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        clock.advance(4_000)
        await rig.stop()
        await rig.restart()
        await rig.quiet()
        assert len(endpoint.requests) == 1
        clock.advance(6_000)
        await endpoint.arrived(2)
        await rig.quiet()
        await rig.stop()
        clock.advance(50_000)
        await rig.restart()
        await endpoint.arrived(3)
        await rig.quiet()
        assert await rig.states(lane) == {1: "failed"}


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000])
async def test_a_clock_stepped_by_an_hour_makes_no_retry_early_lost_or_repeated(
    tmp_path: Path, clock: ManualClock, step_ms: int
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        clock.step_wall(step_ms)
        clock.advance(9_999)
        await rig.quiet()
        assert len(endpoint.requests) == 1
        clock.advance(1)
        await endpoint.arrived(2)
        await rig.quiet()
        assert len(endpoint.requests) == 2


async def test_an_attempt_in_flight_at_a_crash_is_made_again_as_an_extra_attempt(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        assert await rig.states(lane) == {1: "in_flight"}
        await rig.crash()
        endpoint.release()
        await rig.restart()
        await endpoint.arrived(2)
        await rig.quiet()
        for delay_ms, count in ((10_000, 3), (30_000, 4)):
            clock.advance(delay_ms)
            await endpoint.arrived(count)
            await rig.quiet()
        assert [request.attempt for request in endpoint.requests] == [1, 2, 3, 4]
        assert [row[3] for row in await rig.attempts(lane)] == [
            "interrupted",
            "http_status",
            "http_status",
            "http_status",
        ]
        assert await rig.states(lane) == {1: "failed"}


async def test_a_retry_in_flight_at_a_crash_is_made_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        endpoint.hold()
        clock.advance(10_000)
        await endpoint.arrived(2)
        await rig.crash()
        endpoint.release()
        endpoint.default = 200
        await rig.restart()
        await endpoint.arrived(3)
        await rig.quiet()
        assert await rig.states(lane) == {1: "delivered"}


async def test_nothing_is_sent_after_a_recorded_acknowledgement(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), retry=True)
        await rig.events(20)
        await rig.quiet()
        await rig.crash()
        await rig.restart()
        clock.advance(100_000)
        await rig.quiet()
        assert sorted(request.number for request in endpoint.requests) == list(range(1, 21))


async def test_a_replay_keeps_event_and_number_and_goes_on_counting(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with (
        ScriptedEndpoint(default=500) as endpoint,
        ScriptedEndpoint(default=500) as moved,
        running(tmp_path, clock) as rig,
    ):
        lane = await rig.webhook(endpoint.url())
        event_id = await rig.event()
        await rig.quiet()
        await rig.webhook(moved.url(), enabled=False, retry=True, basic=("new", "secret"))
        await rig.quiet()
        await rig.replay.one(1, lane, 1)
        await moved.arrived(1)
        await rig.quiet()
        moved.default = 200
        clock.advance(10_000)
        await moved.arrived(2)
        await rig.quiet()
        first, second = moved.requests
        assert first.headers["chathooks-replay"] == second.headers["chathooks-replay"] == "1"
        assert first.headers["webhook-id"] == event_id
        assert (first.number, first.attempt, second.attempt) == (1, 2, 3)
        assert "authorization" in first.headers
        assert len(endpoint.requests) == 1
        assert await rig.states(lane) == {1: "delivered"}


async def test_a_window_of_deliveries_is_replayed(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await rig.events(3)
        clock.advance(1_000)
        start_ms = clock.wall_ms()
        await rig.events(4)
        await rig.quiet()
        endpoint.default = 200
        wanted = ReplayFilter(start_ms, start_ms + 1, (State.FAILED,), None)
        webhook = await rig.stored_webhook()
        dry = await rig.replay.many(webhook, ReplayWindow(wanted), dry_run=True)
        assert (dry.matched, dry.replayed) == (4, 0)
        done = await rig.replay.many(webhook, ReplayWindow(wanted), dry_run=False)
        assert (done.matched, done.replayed) == (4, 4)
        await endpoint.arrived(11)
        await rig.quiet()
        states = await rig.states(lane)
        assert [states[n] for n in range(1, 8)] == ["failed"] * 3 + ["delivered"] * 4


async def test_a_delivery_still_waiting_after_72_hours_expires(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await rig.stop()
        await rig.open()
        await rig.events(2)
        clock.advance(72 * 3_600_000 + 1)
        await rig.event()
        await rig.start()
        await rig.quiet()
        assert await rig.states(lane) == {1: "expired", 2: "expired", 3: "delivered"}
        await rig.replay.one(1, lane, 2)
        await endpoint.arrived(2)
        await rig.quiet()
        assert (await rig.states(lane))[2] == "delivered"


async def test_deliveries_beyond_the_backlog_limit_expire_at_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with (
        ScriptedEndpoint() as endpoint,
        running(tmp_path, clock, EngineLimits(backlog_max=5)) as rig,
    ):
        lane = await rig.webhook(endpoint.url(), concurrency=1)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        await rig.events(8)
        while len(await rig.states(lane)) < 9:
            await rig.event(trigger="group_created")
        endpoint.release()
        await endpoint.arrived(6)
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states.count("expired") == 3
        assert states.count("delivered") == 6
