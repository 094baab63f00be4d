"""authentication: requests of strangers are refused."""

from chathooks_receiver.tools.checks.contract import (
    REFUSED_STATUSES,
    SECURING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)


async def run(probe: Probe) -> Finding:
    """Send a delivery without credentials and without signature."""
    result = await probe.deliver(probe.request(identity=probe.stranger()))
    if result.status in REFUSED_STATUSES:
        return passed(f"A request without any proof {said(result)}.")
    if result.acknowledged:
        return failed("Anybody may send: a request without credentials and signature was accepted.")
    return failed(f"A request without any proof must be answered 401; it {said(result)}.")


CHECK = Check(
    id="authentication",
    title="refuses requests that prove nothing",
    section=SECURING,
    severity="critical",
    advice="Configure Basic auth for the webhook and check it on every request; answer 401 to all others.",
    run=run,
)
