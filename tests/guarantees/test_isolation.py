"""Bad endpoints delay no good one: delivery contract §3.3.

"If an endpoint is slower than its traffic they are late, the lag is visible, and no other endpoint notices: each
webhook has its own lane, concurrency limit and backlog."
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.delivery import engine
from chathooks.delivery.cycle import EngineLimits
from chathooks.egress.client import EgressClient
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import ManualClock
from support.crash.process import until
from support.crash.sink import Sink
from support.rig import POLICY, Rig, running
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

GOOD = 70
RUNS = 3
EVENTS = 25
EVENT_EVERY_S = 0.1
WORSE_FACTOR_MAX = 2.0
WORSE_S_MAX = 0.050
ARRIVAL_S_MAX = 20.0
TESTS = Path(__file__).parents[1]
KINDS_MIN = 10
"""The bad ones must fail in at least so many ways, or they are not what they seem."""


@contextmanager
def bad_endpoints() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "support.crash.bad_endpoints"]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


class NamedRig(Rig):
    """A rig that resolves names and trusts certificates as the bad endpoints have them."""

    nameserver = ""
    ca_file = ""

    async def start(self) -> None:
        self.resolver = Resolver([self.nameserver])
        self.client = EgressClient(
            POLICY,
            resolver=self.resolver,
            user_agent="Chathooks/test",
            ca_file=self.ca_file,
            connections_max=10_000,
        )
        await self.client.start()
        self.engine = self.make_engine()
        await self.engine.start()


async def measure(
    path: Path, bad: dict[str, Any] | None, known: dict[str, Any]
) -> tuple[float, set[str]]:
    """99th percentile of arrival − commit of the good endpoints (seconds), and how the bad ones failed."""
    rig = NamedRig(path, ManualClock(), EngineLimits())
    rig.nameserver, rig.ca_file = known["nameserver"], known["ca_file"]
    await rig.open()
    await rig.start()
    async with Sink() as sink:
        for place in range(GOOD):
            await rig.webhook(sink.url(f"good{place}"), webhook_id=f"good{place}")
        bad_lanes = []
        for place, url in enumerate(bad["urls"] if bad else ()):
            bad_lanes.append(await rig.webhook(url, webhook_id=f"bad{place}", retry=True))
        await rig.event()
        await sink.arrived(GOOD, timeout_s=ARRIVAL_S_MAX)
        committed: dict[str, float] = {}
        begin = time.monotonic()
        for place in range(EVENTS):
            # The load has a pace: this is not a wait for anything.
            await asyncio.sleep(max(0.0, begin + place * EVENT_EVERY_S - time.monotonic()))
            event_id = await rig.event(stream=f"group/{place}")
            committed[event_id] = time.monotonic()
        await sink.arrived(GOOD * (EVENTS + 1), timeout_s=ARRIVAL_S_MAX)
        lags = [
            arrival.at_s - committed[arrival.event_id]
            for arrival in sink.arrivals
            if arrival.event_id in committed
        ]
        assert len(lags) == GOOD * EVENTS
        failures = {
            str(failure) for lane in bad_lanes for _, _, _, failure in await rig.attempts(lane)
        }
        await rig.crash()
    return statistics.quantiles(lags, n=100)[98], failures


async def test_a_webhook_whose_secret_is_damaged_waits_and_stops_no_other(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        damaged = await rig.webhook(endpoint.url("/damaged"), webhook_id="damaged")
        sound = await rig.webhook(endpoint.url("/sound"), webhook_id="sound")

        async def damage(tx: SqliteTransaction) -> None:
            tx._run("UPDATE webhooks SET secret_sealed = x'00' WHERE lane = ?", (damaged,))

        await rig.stop()
        await rig.open()
        await rig.store.write(damage)
        await rig.start()
        await rig.events(3)
        await rig.quiet()
        assert set((await rig.states(sound)).values()) == {"delivered"}
        assert set((await rig.states(damaged)).values()) == {"pending"}
        await rig.webhook(endpoint.url("/damaged"), webhook_id="damaged")
        await rig.quiet()
        assert set((await rig.states(damaged)).values()) == {"delivered"}


async def test_a_retry_is_on_time_although_many_busy_webhooks_stand_in_line_before_it(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TURNS_PER_CYCLE_MAX", 4)
    async with (
        ScriptedEndpoint(default=500) as busy,
        ScriptedEndpoint(default=500) as free,
        running(tmp_path, clock) as rig,
    ):
        for place in range(6):
            await rig.webhook(busy.url(), webhook_id=f"busy{place}", retry=True, concurrency=1)
        lane = await rig.webhook(free.url(), webhook_id="free", retry=True, concurrency=1)
        await rig.event()
        await rig.quiet()
        busy.hold()
        await rig.event()
        await busy.arrived(12)

        async def both_wait() -> bool:
            return list((await rig.states(lane)).values()) == ["retrying", "retrying"]

        await until(both_wait, ARRIVAL_S_MAX)
        clock.advance(10_000)
        # All busy ones have a retry due and no room for it; their attempts go on until they time out.
        await free.arrived(3, timeout_s=1.0)
        busy.release()
        await rig.quiet()


@pytest.mark.only("sqlite", "postgres", "cluster")
@pytest.mark.usefixtures("settled_heap")
async def test_thirty_bad_endpoints_delay_no_good_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, beside = [], []
    failures: set[str] = set()
    with bad_endpoints() as bad:
        assert len(bad["urls"]) >= 30
        for run in range(RUNS):
            alone.append((await measure(tmp_path / f"alone{run}.sqlite3", None, bad))[0])
            lag, failed = await measure(tmp_path / f"beside{run}.sqlite3", bad, bad)
            beside.append(lag)
            failures |= failed
    with capsys.disabled():
        figures = (
            f"alone {statistics.median(alone):.4f} s, beside {statistics.median(beside):.4f} s"
        )
        print(f"\np99 of arrival - commit: {figures}")  # noqa: T201 -- the run's figures
    assert len(failures) >= KINDS_MIN, failures
    bound = WORSE_FACTOR_MAX * statistics.median(alone) + WORSE_S_MAX
    assert statistics.median(beside) <= bound, (alone, beside)
