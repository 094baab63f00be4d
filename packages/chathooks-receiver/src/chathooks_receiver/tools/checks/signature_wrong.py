"""signature-wrong: a signature that does not fit is refused."""

import base64
from dataclasses import replace

from chathooks_receiver.testing import SignedRequest
from chathooks_receiver.tools.checks.contract import (
    SECURING,
    Check,
    Finding,
    Probe,
    client_error,
    failed,
    passed,
    skipped,
)

OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode("ascii")


def _forged(probe: Probe) -> dict[str, SignedRequest]:
    valid = probe.request()
    at = int(valid.headers["webhook-timestamp"])
    return {
        "a changed body": probe.with_body(valid, valid.body.replace(b'"appId":"', b'"appId":"x')),
        "another secret": probe.request(identity=replace(probe.identity, secret=OTHER_SECRET)),
        "another id": probe.request(headers={"webhook-id": "evt_forged"}),
        "another timestamp": probe.request(headers={"webhook-timestamp": str(at - 10)}),
        "garbage": probe.request(headers={"webhook-signature": "v1,AAAA"}),
        "no version": probe.request(headers={"webhook-signature": "v1"}),
    }


async def run(probe: Probe) -> Finding:
    """Send each forgery."""
    if probe.identity.secret is None:
        return skipped("No --secret was given.")
    forged = _forged(probe)
    let_through = []
    for what, request in forged.items():
        result = await probe.deliver(request)
        if not client_error(result):
            let_through.append(f"{what} ({result.outcome})")
    if let_through:
        return failed(f"Not refused: {', '.join(let_through)}.")
    return passed(f"All of {len(forged)} forgeries were refused.")


CHECK = Check(
    id="signature-wrong",
    title="refuses signatures that do not fit, where a secret is used",
    section=SECURING,
    severity="critical",
    advice="Compute HMAC-SHA256 over `id.timestamp.body` with the raw bytes of the body, and compare in constant time.",
    run=run,
)
