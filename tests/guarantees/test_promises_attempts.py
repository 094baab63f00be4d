"""Answers, attempts and what is written down of them: the rest of delivery contract §2 and §3."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest
import structlog
from structlog.testing import LogCapture

from chathooks.api.deliveries_routes import StateName
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import STORE_RETRY_MS
from chathooks.delivery.log import DeliveryLog, LoggedDelivery
from chathooks.delivery.records import State
from chathooks.delivery.supervision import Supervision
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.errors import StoreUnavailable
from chathooks.kernel.telemetry import REGISTRY
from support.endpoints import behaviours
from support.endpoints.server import EndpointServer
from support.rig import APP, Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

HOURS_72_MS = 72 * 3_600_000


async def logged(rig: Rig, lane: int, number: int = 1) -> LoggedDelivery:
    return await DeliveryLog(rig.store, rig.clock).one(APP, f"dlv_{lane}_{number}")


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_api_shows_exactly_the_promised_states() -> None:
    promised = {
        "pending",
        "in_flight",
        "retrying",
        "delivered",
        "failed",
        "expired",
        "cancelled",
    }
    assert set(get_args(StateName)) == promised == {state.shown for state in State}


@pytest.mark.parametrize(("status", "flagged"), [(200, False), (202, True), (204, True)])
async def test_the_log_flags_a_2xx_that_is_not_200(
    tmp_path: Path, clock: ManualClock, status: int, flagged: bool
) -> None:
    async with ScriptedEndpoint(default=status) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await rig.event()
        await rig.quiet()
        found = await logged(rig, lane)
        assert (found.state, found.attempts[0].status) == ("delivered", status)
        assert ("exactly 200" in found.attempts[0].explanation) is flagged


async def test_the_log_keeps_the_first_4_kib_of_the_answer(
    tmp_path: Path, clock: ManualClock
) -> None:
    body = b"0123456789abcdef" * 1024
    with EndpointServer() as server:
        endpoint = server.listen(behaviours.answering(500, body))
        async with running(tmp_path, clock) as rig:
            lane = await rig.webhook(endpoint.url("/hook"))
            await rig.event()
            await rig.quiet()
            found = await logged(rig, lane)
    assert found.attempts[0].body.encode() == body[:4096]


async def test_a_resend_on_a_kept_connection_is_logged(tmp_path: Path, clock: ManualClock) -> None:
    with EndpointServer() as server:
        endpoint = server.listen(behaviours.kept_then(behaviours.close_unanswered))
        async with running(tmp_path, clock) as rig:
            lane = await rig.webhook(endpoint.url("/hook"))
            await rig.event()
            await rig.quiet()
            await rig.event()
            await rig.quiet()
            first, second = [await logged(rig, lane, number) for number in (1, 2)]
    assert (first.attempts[0].detail.resent, second.attempts[0].detail.resent) == (False, True)
    assert second.state == "delivered"
    assert len(second.attempts) == 1
    assert [r.headers["chathooks-number"] for r in endpoint.requests] == ["1", "2", "2"]


async def test_while_the_store_cannot_record_nothing_more_is_sent_and_then_it_is_recorded(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)

        refused = asyncio.Event()

        async def refuse(_store: object, _command: object, *, patient: bool = False) -> None:
            refused.set()
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(type(rig.store), "write", refuse)
            endpoint.release()
            await asyncio.wait_for(refused.wait(), 5)
            assert await rig.states(lane) == {1: "in_flight"}
        clock.advance(STORE_RETRY_MS)
        await rig.quiet()
        assert await rig.states(lane) == {1: "delivered"}
        assert len(endpoint.requests) == 1


async def test_an_acknowledgement_that_was_not_recorded_is_sent_again_after_a_crash(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        endpoint.hold()
        event_id = await rig.event()
        await endpoint.arrived(1)
        await rig.crash()
        endpoint.release()
        await rig.restart()
        await endpoint.arrived(2)
        await rig.quiet()
        assert [r.headers["webhook-id"] for r in endpoint.requests] == [event_id] * 2
        assert await rig.states(lane) == {1: "delivered"}


async def test_a_replay_leaves_the_health_figures_alone(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        before = sample("chathooks_attempts_total", outcome="http_status")
        await rig.event()
        await rig.quiet()
        after = sample("chathooks_attempts_total", outcome="http_status")
        assert after == before + 1
        await rig.replay.one(APP, lane, 1)
        await endpoint.arrived(2)
        await rig.quiet()
        assert sample("chathooks_attempts_total", outcome="http_status") == after


async def test_deleting_a_webhook_cancels_what_waits(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.events(2)
        await rig.quiet()
        await rig.webhook(endpoint.url(), retry=True, deleted=True)
        await rig.quiet()
        clock.advance(60_000)
        await rig.quiet()
        assert await rig.states(lane) == {1: "cancelled", 2: "cancelled"}
        assert len(endpoint.requests) == 2


async def test_the_lag_of_a_slow_endpoint_is_visible(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), concurrency=1)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        await rig.events(4)
        while sum(backlog for _, backlog, _ in rig.engine.backlogs()) < 4:
            await rig.event("group_created")
        clock.advance(90_000)
        await Supervision(rig.store, clock, rig.engine).observe()
        labels = {"app": "shop", "webhook": "hook"}
        assert sample("chathooks_webhook_backlog", **labels) == 4
        assert sample("chathooks_webhook_lag_seconds", **labels) == 90
        endpoint.release()
        await rig.quiet()
        await Supervision(rig.store, clock, rig.engine).observe()
        assert sample("chathooks_webhook_backlog", **labels) == 0


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the engine logs, whatever other tests made of the log's configuration."""
    capture = LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture])
    monkeypatch.setattr("chathooks.delivery.engine.log", logger)
    monkeypatch.setattr("chathooks.delivery.tally.log", logger)
    return capture


async def test_a_delivery_that_expired_by_age_is_counted_and_warned_of(
    tmp_path: Path, clock: ManualClock, warnings: LogCapture
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        before = sample("chathooks_deliveries_ended_total", state="expired")
        await rig.stop()
        await rig.open()
        await rig.events(3)
        clock.advance(HOURS_72_MS + 1)
        await rig.start()
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"expired"}
        assert sample("chathooks_deliveries_ended_total", state="expired") == before + 3
        assert endpoint.requests == []
    assert any("expired" in entry["event"] for entry in warnings.entries)
    assert {entry["log_level"] for entry in warnings.entries if "expired" in entry["event"]} == {
        "warning"
    }


async def test_deliveries_that_found_the_backlog_full_are_counted_and_warned_of(
    tmp_path: Path, clock: ManualClock, warnings: LogCapture
) -> None:
    limits = EngineLimits(backlog_max=2)
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, limits) as rig:
        lane = await rig.webhook(endpoint.url(), concurrency=1)
        before = sample("chathooks_deliveries_ended_total", state="expired")
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        await rig.events(5)
        while len(await rig.states(lane)) < 6:
            await rig.event("group_created")
        endpoint.release()
        await rig.quiet()
        assert sample("chathooks_deliveries_ended_total", state="expired") == before + 3
    assert sum(entry.get("count", 0) for entry in warnings.entries) == 3


async def test_an_ordered_webhook_has_one_attempt_per_stream_in_flight(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), ordered=True)
        endpoint.hold()
        for place in range(12):
            await rig.event(stream=f"group/{place % 3}")
        await endpoint.arrived(3)
        while len(await rig.states(lane)) < 12:
            await rig.event("group_created")
        states = list((await rig.states(lane)).values())
        assert states.count("in_flight") == 3
        assert states.count("pending") == 9
        assert [r.headers["chathooks-sequence"] for r in endpoint.requests] == ["1"] * 3
        endpoint.release()
        await rig.quiet()
        assert endpoint.concurrent_max == 3


async def test_different_streams_of_an_ordered_webhook_run_side_by_side(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), ordered=True)
        endpoint.hold()
        for place in range(20):
            await rig.event(stream=f"group/{place}")
        await endpoint.arrived(20)
        assert endpoint.concurrent_max == 20
        endpoint.release()
        await rig.quiet()
