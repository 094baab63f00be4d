"""discreet-errors: refusals tell nothing of the code behind them."""

import re

from chathooks_receiver.tools.checks.contract import (
    ERRORS,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)

_LEAK = re.compile(
    rb"Traceback \(most recent call last\)|\bat [\w.$]+\([\w.]+:\d+\)|at .+\.js:\d+:\d+|"
    rb"Stack trace:|\.php on line \d+|django\.|Werkzeug Debugger|SQLSTATE"
)


async def run(probe: Probe) -> Finding:
    """Provoke refusals and look for stack traces in them."""
    for body in (b"{", b"[]", b'{"trigger": null}'):
        result = await probe.send(probe.signed_body(body))
        found = _LEAK.search(result.body)
        if found:
            return failed(
                f"An error answer shows code: {found[0][:60].decode('utf-8', 'replace')!r}."
            )
    return passed("No stack trace in error answers.")


CHECK = Check(
    id="discreet-errors",
    title="shows no stack traces",
    section=ERRORS,
    severity="minor",
    advice="Switch the framework's debug mode off; log the trace and answer a short error.",
    run=run,
)
