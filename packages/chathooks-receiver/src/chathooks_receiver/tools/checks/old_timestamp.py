"""old-timestamp: a recorded request cannot be sent again much later."""

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

AGE_S = 3_600.0


async def run(probe: Probe) -> Finding:
    """Send deliveries signed an hour ago and an hour ahead."""
    if probe.identity.secret is None:
        return skipped("No --secret was given.")
    for age_s, when in ((AGE_S, "an hour ago"), (-AGE_S, "an hour ahead")):
        result = await probe.deliver(probe.request(age_s=age_s))
        if not client_error(result):
            return failed(f"A request signed {when} {said(result)}; expected is 401.")
    return passed("Requests signed an hour ago or ahead are refused.")


CHECK = Check(
    id="old-timestamp",
    title="refuses replays: old signatures, where a secret is used",
    section=SECURING,
    severity="major",
    advice="Refuse a webhook-timestamp that is more than five minutes away from your clock.",
    run=run,
)
