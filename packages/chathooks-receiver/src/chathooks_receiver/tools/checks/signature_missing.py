"""signature-missing: an unsigned request is refused."""

from dataclasses import replace

from chathooks_receiver.tools.checks.contract import (
    SECURING,
    Check,
    Finding,
    Probe,
    client_error,
    failed,
    passed,
    said,
    skipped,
)


async def run(probe: Probe) -> Finding:
    """Send a delivery with credentials, if there are any, but without signature."""
    if probe.identity.secret is None:
        return skipped("No --secret was given.")
    result = await probe.deliver(probe.request(identity=replace(probe.identity, secret=None)))
    if client_error(result):
        return passed(f"It {said(result)}.")
    return failed(f"Without a signature it {said(result)}; expected is 401.")


CHECK = Check(
    id="signature-missing",
    title="refuses unsigned requests, where a secret is used",
    section=SECURING,
    severity="critical",
    advice="Verify webhook-id, webhook-timestamp and webhook-signature on every request; a missing header is a refusal.",
    run=run,
)
