"""accepts-delivery: a valid delivery is acknowledged."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)

_HINTS = {
    401: " Are --username and --password (and --secret) right?",
    403: " Are --username and --password (and --secret) right?",
    404: " Is the path of the URL right?",
    405: " It must accept POST.",
}


async def run(probe: Probe) -> Finding:
    """Send one message_sent."""
    result = await probe.deliver()
    if result.acknowledged:
        return passed(f"A message_sent was {said(result)}.")
    if result.status is not None and 300 <= result.status < 400:
        return failed(f"It was {said(result)}: redirects are never followed.")
    return failed(f"{said(result)}.{_HINTS.get(result.status or 0, '')}".capitalize())


CHECK = Check(
    id="accepts-delivery",
    title="acknowledges a POST of application/json",
    section=SETTING_UP,
    severity="critical",
    advice="Answer 200 to a POST with a JSON body at exactly this URL; look into the application's error log for the reason.",
    run=run,
    requires=("reachable", "certificate"),
)
