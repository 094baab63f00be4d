"""certificate: the TLS certificate is valid for the host."""

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    skipped,
)
from chathooks_receiver.tools.connection import ConnectionFailed


async def run(probe: Probe) -> Finding:
    """Set up TLS as a sender does."""
    if not probe.target.secure:
        return skipped("The URL is http.")
    try:
        connection = await probe.open()
    except ConnectionFailed as error:
        return failed(f"TLS is not accepted: {error.detail or error}.")
    version = connection.tls_version
    await connection.close()
    return passed(f"The certificate is valid for {probe.target.host}; {version} was agreed on.")


CHECK = Check(
    id="certificate",
    title="has a valid certificate, and speaks TLS 1.2 or newer",
    section=SETTING_UP,
    severity="critical",
    advice="Use a certificate of a public authority that names the host, with its intermediate certificates, and renew it in time.",
    run=run,
    requires=("reachable",),
)
