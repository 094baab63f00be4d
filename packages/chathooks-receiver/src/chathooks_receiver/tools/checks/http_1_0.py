"""http-1-0: older HTTP is understood."""

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
    """Send a delivery as HTTP/1.0, as some proxies do."""
    result = await probe.send(probe.request(), version="1.0")
    if result.acknowledged:
        return passed(f"HTTP/1.0: {said(result)}.")
    return failed(f"HTTP/1.0: {said(result)}.")


CHECK = Check(
    id="http-1-0",
    title="understands HTTP/1.0",
    section=SETTING_UP,
    severity="minor",
    advice="Accept HTTP/1.0 requests, which proxies such as nginx send by default.",
    run=run,
)
