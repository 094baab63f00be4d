"""short-answer: the acknowledgement is short and whole."""

from chathooks_receiver.tools.checks.contract import (
    QUICKLY,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

ANSWER_BYTES_MAX = 4_096
"""What a server keeps of an answer (delivery contract §2)."""


async def run(probe: Probe) -> Finding:
    """Look at the body of an answer."""
    result = await probe.send(probe.request())
    if not result.whole:
        return failed("The body of the answer broke off before its announced end.")
    if len(result.body) > ANSWER_BYTES_MAX:
        return failed(f"The answer has more than {ANSWER_BYTES_MAX} bytes.")
    return passed(f"The answer has {len(result.body)} bytes.")


CHECK = Check(
    id="short-answer",
    title="answers with a short, whole body",
    section=QUICKLY,
    severity="minor",
    advice="Answer with an empty body or a short JSON object; nobody reads more.",
    run=run,
)
