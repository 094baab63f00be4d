"""Retries on the real clock, over restarts of the real server: delivery contract §2.

"a second attempt 10 s after the first one failed, a third 30 s after the second one failed. Never early, and at
most 250 ms late while the endpoint's lane has capacity. The schedule survives a restart: a retry due while the
process was down is made at once after it starts."
"""

import asyncio
import time
from pathlib import Path

import pytest

from support.crash.process import (
    Client,
    Served,
    deliveries,
    make_users,
    make_webhook,
    say,
    served,
    until,
)
from support.crash.sink import Arrival, Sink

pytestmark = [pytest.mark.anyio, pytest.mark.realclock, pytest.mark.timeout(240)]

LATE_S_MAX = 0.250
SECOND_AFTER_S = 10.0
THIRD_AFTER_S = 30.0
DOWN_PAST_DUE_S = 1.0
RECORD_S_MAX = 5.0
MS_PER_S = 1000


async def prepare(server: Served, sink: Sink, webhook: str) -> Client:
    client = server.client()
    await make_users(client, "ann", "ben")
    await make_webhook(client, webhook, sink.url(webhook), retryOnFailure=True)
    return client


async def wait_for_state(client: Client, webhook: str, state: str, attempts: int) -> int:
    """Wait until the log says so; when the next attempt is due, unix ms."""

    async def reached() -> dict[str, object] | None:
        found = await deliveries(client, webhook)
        if found and found[0]["state"] == state and len(found[0]["attempts"]) == attempts:
            return dict(found[0])
        return None

    found = await until(reached, RECORD_S_MAX)
    return int(found.get("nextAttemptAt") or 0)


def gap_s(before: Arrival, after: Arrival) -> float:
    """From the failure, as its endpoint saw it, to the next attempt."""
    assert before.answered_at_s is not None
    return after.at_s - before.answered_at_s


def on_time(gap: float, wanted: float) -> None:
    assert wanted <= gap <= wanted + LATE_S_MAX, f"{gap:.3f} s instead of {wanted:g} s"


async def restarted_while_it_waits(tmp_path: Path) -> None:
    """Stopped gracefully in the first wait, killed in the second; both retries are on time."""
    async with Sink(answer=lambda _: 500) as sink, served(tmp_path) as server:
        client = await prepare(server, sink, "steady")
        assert (await say(client, "ann", "ben")).status == 200
        await wait_for_state(client, "steady", "retrying", 1)
        client.close()
        assert await server.stop() == 0
        await server.start()
        first, second = await sink.arrived(2)
        client = server.client()
        await wait_for_state(client, "steady", "retrying", 2)
        client.close()
        await server.kill()
        await server.start()
        third = (await sink.arrived(3))[2]
        client = server.client()
        await wait_for_state(client, "steady", "failed", 3)
        client.close()
        on_time(gap_s(first, second), SECOND_AFTER_S)
        on_time(gap_s(second, third), THIRD_AFTER_S)
        assert [arrival.attempt for arrival in sink.arrivals] == [1, 2, 3]


async def down_when_the_retry_falls_due(tmp_path: Path) -> None:
    """What fell due while nothing ran is made at once; the wait after it is on time again."""
    async with Sink(answer=lambda _: 500) as sink, served(tmp_path) as server:
        client = await prepare(server, sink, "down")
        assert (await say(client, "ann", "ben")).status == 200
        due_ms = await wait_for_state(client, "down", "retrying", 1)
        client.close()
        assert await server.stop() == 0
        # The promise is about this very stretch of time, so it has to pass.
        await asyncio.sleep(due_ms / MS_PER_S + DOWN_PAST_DUE_S - time.time())
        assert len(sink.arrivals) == 1
        await server.start()
        ready_at_s = time.monotonic()
        first, second = await sink.arrived(2)
        third = (await sink.arrived(3))[2]
        assert gap_s(first, second) >= SECOND_AFTER_S
        assert second.at_s <= ready_at_s + LATE_S_MAX, second.at_s - ready_at_s
        on_time(gap_s(second, third), THIRD_AFTER_S)


async def undisturbed(tmp_path: Path) -> None:
    """Many retries at once, and one that ends the delivery."""
    async with (
        Sink(answer=lambda arrival: 200 if arrival.attempt == 3 else 500) as sink,
        served(tmp_path) as server,
    ):
        client = await prepare(server, sink, "many")
        for place in range(40):
            assert (await say(client, "ann", "ben", f"{place}")).status == 200
        await sink.arrived(120)
        await wait_for_state(client, "many", "delivered", 3)
        client.close()
        for number in range(1, 41):
            tries = [arrival for arrival in sink.arrivals if arrival.number == number]
            assert [arrival.attempt for arrival in tries] == [1, 2, 3]
            on_time(gap_s(tries[0], tries[1]), SECOND_AFTER_S)
            on_time(gap_s(tries[1], tries[2]), THIRD_AFTER_S)


@pytest.mark.usefixtures("settled_heap")
async def test_retries_come_after_10_s_and_30_s_whatever_happens_to_the_process(
    tmp_path: Path,
) -> None:
    # Side by side, so that they take no longer than one of them.
    async with asyncio.TaskGroup() as scenarios:
        for scenario in (restarted_while_it_waits, down_when_the_retry_falls_due, undisturbed):
            scenarios.create_task(scenario(tmp_path / scenario.__name__))
