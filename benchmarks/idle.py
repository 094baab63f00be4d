"""Side "idle": the whole server started on a store in which nothing is to be done now, and left alone.

What counts is what it takes to start, what it holds in memory then, and what it does meanwhile.
"""

import asyncio
import time

from benchmarks.drain import delivered
from benchmarks.processes import resident_mib
from benchmarks.serving import settings_of
from benchmarks.side import Counted, Spec, Window
from chathooks.app.build import build

SETTLE_S = 1.0


async def run(spec: Spec) -> Counted:
    """Start, wait for the spec's seconds. Raises RuntimeError where something was delivered."""
    before_mib, began = resident_mib(), time.perf_counter()
    runtime = await build(settings_of(spec))
    await runtime.start()
    start_s = time.perf_counter() - began
    await asyncio.sleep(SETTLE_S)
    window = Window(spec, lambda: 1)
    window.begin()
    await asyncio.sleep(spec.seconds)
    rss_mib = resident_mib()
    counted = window.end(
        {
            "start_s": round(start_s, 3),
            "rss_mib": round(rss_mib, 1),
            "grown_mib": round(rss_mib - before_mib, 1),
            "waiting": sum(waiting for _, waiting, _ in runtime.engine.backlogs()),
        }
    )
    await runtime.stop()
    if delivered():
        raise RuntimeError(f"{delivered()} deliveries were made in a store that should be idle")
    return counted
