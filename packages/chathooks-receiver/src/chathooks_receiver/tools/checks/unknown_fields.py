"""unknown-fields: fields that do not exist yet are ignored."""

import msgspec

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
    """Send a message with new fields at the top level, in data and in the message."""
    body = msgspec.json.decode(probe.request().body)
    body["newField"] = {"of": ["the", "future"]}
    body["data"]["another"] = 1.5
    body["data"]["message"]["yetAnother"] = None
    result = await probe.deliver(probe.signed_body(msgspec.json.encode(body)))
    if result.acknowledged:
        return passed(f"Unknown fields: {said(result)}.")
    return failed(f"Unknown fields: {said(result)}; expected is 200.")


CHECK = Check(
    id="unknown-fields",
    title="ignores fields that it does not know",
    section=TESTING,
    severity="major",
    advice="Do not refuse additional properties when validating what you receive.",
    run=run,
)
