"""status-200: the acknowledgement is exactly 200."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)


async def run(probe: Probe) -> Finding:
    """Send one delivery and look at the status."""
    result = await probe.deliver()
    if result.status == 200:
        return passed(f"It {said(result)}.")
    return failed(f"It {said(result)}; other 2xx are not acknowledged by every sender.")


CHECK = Check(
    id="status-200",
    title="answers exactly 200",
    section=SETTING_UP,
    severity="major",
    advice="Answer 200 instead of 201, 202 or 204.",
    run=run,
)
