"""certificate-expiry: the certificate is valid for some time to come."""

import ssl

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

DAYS_LEFT_MIN = 3
_SECONDS_PER_DAY = 86_400


async def run(probe: Probe) -> Finding:
    """Look at the certificate's end."""
    if not probe.target.secure:
        return skipped("The URL is http.")
    try:
        connection = await probe.open()
    except ConnectionFailed as error:
        return failed(f"TLS could not be set up: {error}.")
    until = connection.certificate.get("notAfter")
    await connection.close()
    if not isinstance(until, str):
        return skipped("The certificate does not say how long it is valid.")
    days = (ssl.cert_time_to_seconds(until) - probe.wall_s()) / _SECONDS_PER_DAY
    if days < DAYS_LEFT_MIN:
        return failed(f"The certificate ends in {days:.1f} days, on {until}.")
    return passed(f"The certificate is valid for {days:.0f} more days.")


CHECK = Check(
    id="certificate-expiry",
    title=f"has a certificate that is valid for at least {DAYS_LEFT_MIN} more days",
    section=SETTING_UP,
    severity="minor",
    advice="Renew the certificate now, and have it renewed by a machine from now on.",
    run=run,
    requires=("certificate",),
)
