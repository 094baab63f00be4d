"""in-time: answers come within two seconds."""

from chathooks_receiver.tools.checks.contract import (
    QUICKLY,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)
from chathooks_receiver.tools.figures import Tally

REQUESTS = 10


async def run(probe: Probe) -> Finding:
    """Send deliveries one after the other."""
    tally = Tally()
    for _ in range(REQUESTS):
        tally.add(await probe.deliver())
    latency = tally.latency
    slowest = latency.max if latency else 0.0
    late = tally.outcomes["timeout_response"]
    if late:
        return failed(f"{late} of {REQUESTS} had no answer within {probe.limits.timeout_s:g} s.")
    return passed(f"The slowest of {REQUESTS} took {slowest:.0f} ms.")


CHECK = Check(
    id="in-time",
    title="answers within 2 seconds",
    section=QUICKLY,
    severity="critical",
    advice="Store or enqueue the event, answer, and do the work afterwards.",
    run=run,
)
