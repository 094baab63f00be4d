"""under-load: answers come within two seconds under load, too."""

import asyncio

from chathooks_receiver.tools.checks.contract import (
    QUICKLY,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)
from chathooks_receiver.tools.figures import Tally


async def run(probe: Probe) -> Finding:
    """Send many deliveries over several connections at once."""
    total, lanes = probe.limits.load_requests, probe.limits.load_connections
    left = iter(range(total))
    tally = Tally()

    async def lane() -> None:
        for _ in left:
            tally.add(await probe.deliver())

    await asyncio.gather(*(lane() for _ in range(lanes)))
    latency = tally.latency
    p99, slowest = (latency.p99, latency.max) if latency else (0.0, 0.0)
    if tally.acknowledged < total:
        answers = ", ".join(f"{count} × {what}" for what, count in sorted(tally.outcomes.items()))
        return failed(f"Of {total} over {lanes} connections: {answers}.")
    return passed(f"{total} over {lanes} connections: p99 {p99:.0f} ms, slowest {slowest:.0f} ms.")


CHECK = Check(
    id="under-load",
    title="answers within 2 seconds under load",
    section=QUICKLY,
    severity="major",
    advice="Take the work out of the request, raise the number of workers, and give the queue behind it a bounded time.",
    run=run,
)
