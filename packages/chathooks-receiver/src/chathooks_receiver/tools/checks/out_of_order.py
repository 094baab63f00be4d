"""out-of-order: events that arrive before their cause are acknowledged."""

from itertools import islice

from chathooks_receiver.tools.checks.contract import (
    RETRIES,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)
from chathooks_receiver.tools.simulation.scenarios import events

EVENTS = 20
SEED = 1


async def run(probe: Probe) -> Finding:
    """Send the beginning of a chat backwards: edits before messages, receipts before what they confirm."""
    begin = list(islice(events("chat", SEED, int(probe.wall_s())), EVENTS))
    for event in reversed(begin):
        request = probe.request(event.trigger, event.data, sequence=event.sequence)
        result = await probe.deliver(request)
        if not result.acknowledged:
            return failed(f"A {event.trigger} before its cause was answered {result.outcome}.")
    return passed(f"{EVENTS} events in reverse order were all acknowledged.")


CHECK = Check(
    id="out-of-order",
    title="acknowledges events in any order",
    section=RETRIES,
    severity="major",
    advice="Store the event and sort it out later, by chathooks-sequence or the times in the payload; a late retry is not an error.",
    run=run,
)
