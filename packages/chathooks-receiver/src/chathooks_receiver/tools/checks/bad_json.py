"""bad-json: bodies that are no events are refused as the sender's fault."""

from chathooks_receiver.tools.checks.contract import (
    ERRORS,
    Check,
    Finding,
    Probe,
    client_error,
    failed,
    passed,
)

DEEP = 100_000


def _bodies(valid: bytes) -> dict[str, bytes]:
    return {
        "a truncated body": valid[: len(valid) // 2],
        "an empty body": b"",
        "text": b"hello",
        "an array": b"[1,2,3]",
        "null": b"null",
        "bad UTF-8": b'{"trigger":"message_sent","data":{"text":"\xff\xfe"}}',
        "an object without fields": b"{}",
        "a trigger that is a number": b'{"trigger":7,"data":{},"appId":"a","region":"us","webhook":"w"}',
        "data that is text": b'{"trigger":"message_sent","data":"x","appId":"a","region":"us","webhook":"w"}',
        "deep nesting": b'{"trigger":"message_sent","data":' + b"[" * DEEP + b"]" * DEEP + b"}",
    }


async def run(probe: Probe) -> Finding:
    """Send each of them, properly signed and authorised."""
    bodies = _bodies(probe.request().body)
    wrong = []
    for what, body in bodies.items():
        result = await probe.send(probe.signed_body(body))
        if not client_error(result):
            wrong.append(f"{what} ({result.outcome})")
    if wrong:
        return failed(f"Not answered 4xx: {', '.join(wrong)}.")
    return passed(f"All of {len(bodies)} bad bodies were answered 4xx.")


CHECK = Check(
    id="bad-json",
    title="answers 4xx to bodies that are no events",
    section=ERRORS,
    severity="major",
    advice="Parse the body inside an error handler and answer 400; a 5xx makes the sender try the same bad body again.",
    run=run,
)
