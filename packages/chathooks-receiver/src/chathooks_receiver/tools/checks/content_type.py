"""content-type: other types than JSON are refused."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    client_error,
    failed,
    passed,
)

TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


async def run(probe: Probe) -> Finding:
    """Send a delivery under each other type."""
    wrong = []
    for kind in TYPES:
        result = await probe.send(probe.request(headers={"Content-Type": kind}))
        if not client_error(result):
            wrong.append(f"{kind} ({result.outcome})")
    if wrong:
        return failed(f"Not refused: {', '.join(wrong)}.")
    return passed(f"{len(TYPES)} other types were refused.")


CHECK = Check(
    id="content-type",
    title="refuses other types than application/json",
    section=SETTING_UP,
    severity="minor",
    advice="Answer 415 unless the content type is application/json, with or without a charset.",
    run=run,
)
