"""all-triggers: the sample of every trigger is acknowledged."""

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.tools.checks.contract import (
    TESTING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

SHOWN_MAX = 5


async def run(probe: Probe) -> Finding:
    """Send each trigger once."""
    refused = []
    for name in TRIGGERS:
        result = await probe.deliver(probe.request(name))
        if not result.acknowledged:
            refused.append(f"{name} ({result.outcome})")
    if refused:
        shown = ", ".join(refused[:SHOWN_MAX])
        return failed(f"{len(refused)} of {len(TRIGGERS)} were not acknowledged: {shown} …")
    return passed(f"All {len(TRIGGERS)} were acknowledged.")


CHECK = Check(
    id="all-triggers",
    title="acknowledges every trigger",
    section=TESTING,
    severity="major",
    advice="Answer 200 to events that you do not use, too: they are retried otherwise, and nobody needs the retries.",
    run=run,
)
