"""public-address: the host name leads to addresses of the internet."""

import asyncio
import ipaddress
import socket

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    skipped,
)


async def run(probe: Probe) -> Finding:
    """Resolve the host as this machine does, and look at every address."""
    if probe.limits.local:
        return skipped("The endpoint is being developed on this machine (--local).")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(probe.limits.timeout_s):
            found = await loop.getaddrinfo(
                probe.target.host, probe.target.port, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError):
        return failed("The host name could not be resolved in time.")
    addresses = sorted({str(item[4][0]) for item in found})
    private = [text for text in addresses if not _is_public(text)]
    if private:
        return failed(f"{', '.join(private)} is not an address of the internet.")
    return passed(f"The host leads to {', '.join(addresses)}.")


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global


CHECK = Check(
    id="public-address",
    title="is publicly accessible",
    section=SETTING_UP,
    severity="major",
    advice="Give the endpoint a host name with a public address; on a developer's machine use `chathooks-receiver listen` and --local.",
    run=run,
    requires=("reachable",),
)
