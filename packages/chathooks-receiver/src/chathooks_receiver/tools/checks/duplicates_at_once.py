"""duplicates-at-once: two copies of an event at the same time do no harm."""

import asyncio

from chathooks_receiver.tools.checks.contract import (
    RETRIES,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

COPIES = 5
TRY_LATER = (409, 425, 429, 503)


async def run(probe: Probe) -> Finding:
    """Send copies of one event over several connections at once."""
    event_id = probe.request().event_id
    requests = [probe.request(event_id=event_id, attempt=n + 1) for n in range(COPIES)]
    results = await asyncio.gather(*(probe.deliver(request) for request in requests))
    wrong = [r.outcome for r in results if not r.acknowledged and r.status not in TRY_LATER]
    if wrong or not any(result.acknowledged for result in results):
        outcomes = ", ".join(result.outcome for result in results)
        return failed(f"{COPIES} copies at once were answered {outcomes}.")
    return passed(f"{COPIES} copies at once: none failed.")


CHECK = Check(
    id="duplicates-at-once",
    title="copes with copies of an event at the same time",
    section=RETRIES,
    severity="minor",
    advice="Record the id with a unique key in the transaction that stores the event; the loser of the race answers 200 or 503.",
    run=run,
)
