"""reachable: a connection opens in time."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
)
from chathooks_receiver.tools.connection import ConnectionFailed


async def run(probe: Probe) -> Finding:
    """Connect. What TLS says is another check's."""
    try:
        connection = await probe.open()
    except ConnectionFailed as error:
        if error.kind == "tls":
            return passed("A connection opens.")
        return failed(f"No connection: {error}.")
    peer = connection.peer
    await connection.close()
    return passed(f"A connection to {peer} opens.")


CHECK = Check(
    id="reachable",
    title="can be connected to within 2 seconds",
    section=SETTING_UP,
    severity="critical",
    advice="Check that the application runs, that the host name and the port are right, and that no firewall drops packets.",
    run=run,
    requires=(),
)
