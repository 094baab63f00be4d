"""unknown-trigger: triggers that do not exist yet are acknowledged."""

from chathooks_receiver.tools.checks.contract import (
    TESTING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)


async def run(probe: Probe) -> Finding:
    """Send an event of a trigger that nobody has heard of."""
    result = await probe.deliver(probe.request("message_teleported", {"message": {"id": "1"}}))
    if result.acknowledged:
        return passed(f"An unknown trigger {said(result)}.")
    return failed(f"An unknown trigger {said(result)}; expected is 200.")


CHECK = Check(
    id="unknown-trigger",
    title="acknowledges triggers that it does not know",
    section=TESTING,
    severity="major",
    advice="Log and count what you do not know, and answer 200: new triggers must not break your endpoint.",
    run=run,
)
