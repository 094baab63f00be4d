"""A webhook whose secrets cannot be opened: its deliveries wait, expire in their time, and hold nobody (§3.3)."""

from pathlib import Path

import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.delivery.claims import EXPIRED_PER_TURN_MAX
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.retention import DAY_MS, Retention
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.transactions import Topic
from support.rig import Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


async def damage(rig: Rig, lane: int) -> None:
    """What a disk or a person may do to a row."""

    async def command(tx: SqliteTransaction) -> None:
        tx._run("UPDATE webhooks SET secret_sealed = x'00' WHERE lane = ?", (lane,))
        tx.notify(Topic.WEBHOOK, lane)

    await rig.store.write(command)


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_waits_for_an_unreadable_webhook_expires_after_72_hours(
    tmp_path: Path, clock: ManualClock, ordered: bool
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), ordered=ordered)
        await damage(rig, lane)
        old = EXPIRED_PER_TURN_MAX + 3
        await rig.events(old)
        await rig.quiet()
        clock.advance(71 * HOUR_MS)
        await rig.events(2)
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"pending"}
        clock.advance(2 * HOUR_MS)
        await rig.quiet()
        states = list((await rig.states(lane)).values())
        assert states == ["expired"] * old + ["pending"] * 2
        assert rig.fanout_backlog(lane) == 2
        assert endpoint.requests == []


async def test_once_it_can_be_read_again_the_rest_is_delivered(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url())
        await damage(rig, lane)
        await rig.event()
        await rig.quiet()
        clock.advance(73 * HOUR_MS)
        await rig.event()
        await rig.quiet()
        await rig.webhook(endpoint.url())
        await endpoint.arrived(1)
        await rig.quiet()
        assert await rig.states(lane) == {1: "expired", 2: "delivered"}


async def test_retries_and_replays_of_an_unreadable_webhook_expire_too_over_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.events(2)
        await endpoint.arrived(2)
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"retrying"}
        await damage(rig, lane)
        await rig.quiet()
        await rig.engine.stop()
        await rig.client.close(0)
        rig.resolver.close()
        await rig.store.close()
        clock.advance(73 * HOUR_MS)
        await rig.restart()
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"expired"}
        await rig.replay.one(1, lane, 1)
        await rig.quiet()
        assert (await rig.states(lane))[1] == "expired"
        assert len(endpoint.requests) == 2


async def test_an_unreadable_webhook_does_not_hold_the_retention_of_the_feed(
    tmp_path: Path, clock: ManualClock
) -> None:
    limits = EngineLimits(expiry_ms=HOUR_MS)
    async with running(tmp_path, clock, limits) as rig:
        lane = await rig.webhook("http://127.0.0.1:9/")
        await damage(rig, lane)
        await rig.events(3)
        await rig.quiet()
        clock.advance(2 * DAY_MS)
        await rig.quiet()
        assert await Retention(rig.store, clock, 1).prune() == (3, 4)


async def test_an_unreadable_webhook_that_is_disabled_is_swept_as_any_other(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running(tmp_path, clock) as rig:
        lane = await rig.webhook("http://127.0.0.1:9/")
        await rig.quiet()
        await damage(rig, lane)
        await rig.events(3)
        await rig.quiet()
        await rig.webhook("http://127.0.0.1:9/", enabled=False)
        await damage(rig, lane)
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"cancelled"}
