"""basic-auth-wrong: wrong credentials are refused, in whatever way they are wrong."""

import base64

from chathooks_receiver.tools.checks.contract import (
    REFUSED_STATUSES,
    SECURING,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    skipped,
)


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _wrong(username: str, password: str) -> dict[str, str]:
    return {
        "a wrong password": _basic(username, password + "x"),
        "the beginning of the password": _basic(username, password[:-1]),
        "an empty password": _basic(username, ""),
        "a wrong user name": _basic(username + "x", password),
        "user name and password swapped": _basic(password, f"{username}x"),
        "another scheme": "Bearer " + _basic(username, password).removeprefix("Basic "),
        "no base64": "Basic %%%",
        "no value": "Basic",
    }


async def run(probe: Probe) -> Finding:
    """Send a delivery with each of them."""
    if probe.identity.credentials is None:
        return skipped("No --username and --password were given.")
    wrong = _wrong(*probe.identity.credentials)
    let_through = []
    for what, header in wrong.items():
        result = await probe.deliver(probe.request(headers={"Authorization": header}))
        malformed = header in ("Basic %%%", "Basic")
        if result.status not in REFUSED_STATUSES and not (malformed and result.status == 400):
            let_through.append(f"{what} ({result.outcome})")
    if let_through:
        return failed(f"Not answered 401: {', '.join(let_through)}.")
    return passed(f"All of {len(wrong)} wrong ones were refused.")


CHECK = Check(
    id="basic-auth-wrong",
    title="refuses wrong Basic credentials",
    section=SECURING,
    severity="critical",
    advice="Compare user name and password whole, in constant time, and answer 401 to everything else, malformed headers too.",
    run=run,
)
