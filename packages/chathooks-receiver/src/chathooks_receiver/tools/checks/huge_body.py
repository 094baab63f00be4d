"""huge-body: a body without bounds is refused, and does no harm."""

from chathooks_receiver.tools.checks.contract import (
    ERRORS,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)

TIMEOUT_S = 15.0


async def run(probe: Probe) -> Finding:
    """Send a body far larger than any event, then a valid delivery."""
    size = probe.limits.huge_body_bytes
    text = b"x" * size
    request = probe.signed_body(b'{"trigger":"message_sent","data":{"text":"' + text + b'"}}')
    huge = await probe.send(request, timeout_s=TIMEOUT_S)
    after = await probe.send(probe.request())
    megabytes = size // (1024 * 1024)
    if not after.acknowledged:
        return failed(f"After a body of {megabytes} MiB a valid delivery had {after.explanation}.")
    if huge.acknowledged or (huge.status or 0) >= 500 or huge.failure == "timeout_response":
        return failed(f"A body of {megabytes} MiB: {said(huge)}; expected is 413.")
    return passed(f"A body of {megabytes} MiB: {said(huge)}; deliveries go on.")


CHECK = Check(
    id="huge-body",
    title="refuses a huge body and goes on",
    section=ERRORS,
    severity="major",
    advice="Bound the size of requests at 1 MiB or so (in the proxy or the framework), and answer 413 without reading on.",
    run=run,
)
