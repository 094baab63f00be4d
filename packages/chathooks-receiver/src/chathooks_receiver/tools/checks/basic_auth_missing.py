"""basic-auth-missing: a request without credentials is refused."""

from dataclasses import replace

from chathooks_receiver.tools.checks.contract import (
    REFUSED_STATUSES,
    SECURING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
    skipped,
)


async def run(probe: Probe) -> Finding:
    """Send a delivery that is signed, if there is a secret, but has no Authorization."""
    if probe.identity.credentials is None:
        return skipped("No --username and --password were given.")
    result = await probe.deliver(probe.request(identity=replace(probe.identity, credentials=None)))
    if result.status in REFUSED_STATUSES:
        return passed(f"It {said(result)}.")
    return failed(f"Without credentials it {said(result)}; expected is 401.")


CHECK = Check(
    id="basic-auth-missing",
    title="refuses requests without the Basic credentials",
    section=SECURING,
    severity="critical",
    advice="Check the header Authorization before anything else, and answer 401 where it is missing.",
    run=run,
)
