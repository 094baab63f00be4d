"""Alerts on a real engine, from what the endpoint does to what people are told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chathooks.delivery import alerting
from chathooks.delivery.alerting import Alerting
from chathooks.delivery.alerts import CALM_MS, Thresholds
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.supervision import Supervision
from chathooks.kernel import telemetry
from chathooks.kernel.clock import ManualClock
from support.rig import Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

LAG_MS = 300_000
FAILURES = 3


class Inbox:
    """A notifier that keeps what it was told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def send(self, title: str, text: str) -> None:
        self.messages.append((title, text))

    def take(self) -> list[tuple[str, str]]:
        taken, self.messages = self.messages, []
        return taken


class Watched:
    """An engine under supervision."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.inbox = Inbox()
        thresholds = Thresholds(lag_ms=LAG_MS, failures=FAILURES)
        judge = Alerting(rig.store, rig.clock, rig.engine.health, thresholds, self.inbox)
        self.supervision = Supervision(rig.store, rig.clock, rig.engine, judge)

    async def look(self, after_ms: int = 5000) -> list[tuple[str, str]]:
        """Let time pass, look, answer what people were told."""
        self.rig.clock.advance(after_ms)
        await self.supervision.observe()
        return self.inbox.take()


@asynccontextmanager
async def watched(
    tmp_path: Path, clock: ManualClock, limits: EngineLimits | None = None
) -> AsyncIterator[Watched]:
    async with running(tmp_path, clock, limits) as rig:
        yield Watched(rig)


async def failures(watch: Watched, count: int) -> None:
    await watch.rig.events(count)
    await watch.rig.quiet()


def raised_total(condition: str) -> float:
    return telemetry.ALERTS.labels(condition)._value.get()


async def test_an_endpoint_that_keeps_failing_is_told_once_and_once_more_when_it_is_well(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, watched(tmp_path, clock) as watch:
        before = raised_total("failing")
        await watch.rig.webhook(endpoint.url(), webhook_id="orders")
        await failures(watch, FAILURES - 1)
        assert await watch.look() == []
        await failures(watch, 1)
        ((title, text),) = await watch.look()
        assert title == "Chathooks: Webhook orders of app shop keeps failing"
        assert text.startswith("Webhook orders of app shop keeps failing: its last 3 deliveries")
        await failures(watch, 5)
        assert await watch.look() == []
        assert raised_total("failing") == before + 1
        assert telemetry.ALERTS_RAISED.labels("failing")._value.get() == 1
        endpoint.default = 200
        await failures(watch, 1)
        assert await watch.look() == []
        ((_, text),) = await watch.look(CALM_MS)
        assert (
            text == "Webhook orders of app shop takes deliveries again; replay those that failed."
        )
        assert telemetry.ALERTS_RAISED.labels("failing")._value.get() == 0


async def test_a_delivery_in_between_starts_the_count_anew(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, watched(tmp_path, clock) as watch:
        await watch.rig.webhook(endpoint.url())
        for status in (500, 500, 204, 500, 500):
            endpoint.default = status
            await failures(watch, 1)
        assert await watch.look() == []


async def test_a_changed_webhook_is_not_blamed_for_what_failed_before(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, watched(tmp_path, clock) as watch:
        await watch.rig.webhook(endpoint.url("/old"))
        await failures(watch, FAILURES - 1)
        await watch.rig.webhook(endpoint.url("/new"))
        await failures(watch, FAILURES - 1)
        assert await watch.look() == []


async def test_replays_neither_raise_nor_clear_an_alert(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, watched(tmp_path, clock) as watch:
        lane = await watch.rig.webhook(endpoint.url())
        await failures(watch, FAILURES - 1)
        await watch.rig.replay.one(1, lane, 1)
        await watch.rig.quiet()
        assert await watch.look() == []
        await failures(watch, 1)
        assert len(await watch.look()) == 1
        endpoint.default = 200
        await watch.rig.replay.one(1, lane, 1)
        await watch.rig.quiet()
        assert await watch.look() == []
        assert await watch.look(2 * CALM_MS) == []


async def test_an_endpoint_that_answers_too_slowly_for_its_traffic_has_fallen_behind(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, watched(tmp_path, clock) as watch:
        endpoint.hold()
        lane = await watch.rig.webhook(endpoint.url(), webhook_id="slow", concurrency=1)
        await watch.rig.events(3)
        await endpoint.arrived(1)
        assert await watch.look() == []
        watch.rig.engine.health.acknowledged.add(lane)  # some were answered meanwhile
        ((title, text),) = await watch.look(LAG_MS)
        assert title == "Chathooks: Webhook slow of app shop has fallen behind"
        assert "has waited for 305 s" in text
        endpoint.release()
        await watch.rig.quiet()
        assert await watch.look() == []
        ((_, text),) = await watch.look(CALM_MS)
        assert text == "Webhook slow of app shop has caught up."


async def test_an_endpoint_that_never_answers_while_deliveries_wait_has_fallen_silent(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, watched(tmp_path, clock) as watch:
        endpoint.hold()
        await watch.rig.webhook(endpoint.url(), webhook_id="mute", concurrency=1)
        await watch.rig.events(2)
        await endpoint.arrived(1)
        assert await watch.look() == []
        ((title, _),) = await watch.look(LAG_MS)
        assert title == "Chathooks: Webhook mute of app shop has fallen silent"
        endpoint.release()
        await watch.rig.quiet()
        assert await watch.look() == []
        ((_, text),) = await watch.look(CALM_MS)
        assert "no longer silent" in text


async def test_expired_deliveries_are_told_whatever_expired_them(
    tmp_path: Path, clock: ManualClock
) -> None:
    limits = EngineLimits(backlog_max=4, expiry_ms=100_000)
    async with ScriptedEndpoint() as endpoint, watched(tmp_path, clock, limits) as watch:
        endpoint.hold()
        await watch.rig.webhook(endpoint.url(), concurrency=1)
        await watch.rig.events(1)
        await endpoint.arrived(1)
        async with asyncio.timeout(10):
            while not watch.rig.engine.health.expired:
                await watch.rig.event()
        ((title, text),) = await watch.look()
        assert title == "Chathooks: Webhook hook of app shop loses deliveries"
        assert "expired" in text
        # Those that waited for too long expire when their turn comes.
        await watch.look(CALM_MS)
        assert watch.rig.engine.health.expired == {}
        clock.advance(200_000)
        endpoint.release()
        await watch.rig.quiet()
        assert sum(watch.rig.engine.health.expired.values()) >= 4


async def test_many_alerts_of_one_look_are_one_bounded_message(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "CHANGES_NAMED_MAX", 2)
    async with ScriptedEndpoint(default=500) as endpoint, watched(tmp_path, clock) as watch:
        for place in range(5):
            await watch.rig.webhook(endpoint.url(), webhook_id=f"w{place}")
        await failures(watch, FAILURES)
        ((title, text),) = await watch.look()
        assert title == "Chathooks: 5 alerts"
        assert text.count("keeps failing") == 2
        assert text.endswith("And 3 more.")
