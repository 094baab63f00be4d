"""large-message: the largest message that is allowed is acknowledged."""

from chathooks_events.samples import sample
from chathooks_receiver.tools.checks.contract import (
    TESTING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)

TEXT_CHARS = 60_000
"""Message JSON may have 65,536 characters (delivery contract §7)."""


async def run(probe: Probe) -> Finding:
    """Send a message with a long text of characters of three bytes each."""
    data = sample("message_sent")
    data["message"]["data"]["text"] = "長" * TEXT_CHARS
    request = probe.request("message_sent", data)
    result = await probe.send(request)
    kilobytes = len(request.body) // 1024
    if result.acknowledged:
        return passed(f"A message of {kilobytes} KiB {said(result)}.")
    return failed(f"A message of {kilobytes} KiB {said(result)}; messages may be that large.")


CHECK = Check(
    id="large-message",
    title="acknowledges the largest message",
    section=TESTING,
    severity="major",
    advice="Let the framework and every proxy before it accept bodies of 1 MiB.",
    run=run,
)
