"""https: the URL is secured."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    skipped,
)


async def run(probe: Probe) -> Finding:
    """Look at the URL."""
    if probe.target.secure:
        return passed("The URL is https.")
    if probe.limits.local:
        return skipped("The endpoint is being developed on this machine (--local).")
    return failed("The URL is http: credentials and messages travel in the clear.")


CHECK = Check(
    id="https",
    title="uses https",
    section=SETTING_UP,
    severity="critical",
    advice="Serve the endpoint with a TLS certificate, or put a proxy with one before it, and use its https:// URL.",
    run=run,
    requires=(),
)
