"""duplicates: an event that comes again is acknowledged again."""

from chathooks_receiver.tools.checks.contract import (
    RETRIES,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

ATTEMPTS = 3


async def run(probe: Probe) -> Finding:
    """Send one event three times, as retries."""
    first = probe.request()
    event_id = first.event_id
    for attempt in range(1, ATTEMPTS + 1):
        result = await probe.deliver(probe.request(event_id=event_id, attempt=attempt))
        if not result.acknowledged:
            return failed(f"Attempt {attempt} of one event was answered {result.outcome}.")
    return passed(f"{ATTEMPTS} attempts of one event were all acknowledged.")


CHECK = Check(
    id="duplicates",
    title="acknowledges an event that it had before",
    section=RETRIES,
    severity="major",
    advice="Recognise the event by its id, leave it out, and answer 200: any other answer brings it again.",
    run=run,
)
