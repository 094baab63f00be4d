"""header-case: header names count in any case."""

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
    """Send a delivery with all header names in lower case, then in upper case."""
    for case, change in (("lower", str.lower), ("upper", str.upper)):
        result = await probe.send(probe.request(), name_case=change)
        if not result.acknowledged:
            return failed(f"With header names in {case} case: {said(result)}.")
    return passed("Header names count in lower and in upper case.")


CHECK = Check(
    id="header-case",
    title="takes header names in any case",
    section=SETTING_UP,
    severity="major",
    advice="Look headers up without regard to case: HTTP/2 and many proxies send them in lower case.",
    run=run,
)
