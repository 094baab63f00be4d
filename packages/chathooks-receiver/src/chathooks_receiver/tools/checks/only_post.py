"""only-post: other methods are refused."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    client_error,
    failed,
    passed,
)

METHODS = ("GET", "PUT", "DELETE")


async def run(probe: Probe) -> Finding:
    """Send a delivery with each other method."""
    wrong = []
    for method in METHODS:
        result = await probe.send(probe.request(), method=method)
        if not client_error(result):
            wrong.append(f"{method} ({result.outcome})")
    if wrong:
        return failed(f"Not refused: {', '.join(wrong)}.")
    return passed(f"{', '.join(METHODS)} are refused.")


CHECK = Check(
    id="only-post",
    title="refuses other methods than POST",
    section=SETTING_UP,
    severity="minor",
    advice="Answer 405 with `Allow: POST`.",
    run=run,
)
