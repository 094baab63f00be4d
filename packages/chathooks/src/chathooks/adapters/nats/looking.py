"""What `chathooks doctor` looks at in NATS. Nothing is changed."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from chathooks.kernel.errors import StartRefused

LOOK_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class LookedNats:
    """What was found."""

    where: str
    """Host and port of the server that answered; never a password."""
    server_version: str
    jetstream: bool
    encrypted: bool


def tls_of(urls: str, ca_file: Path | None) -> ssl.SSLContext | None:
    """How NATS is verified; None: not at all, as neither its address nor a file of certificates asks for it.

    Raises StartRefused.
    """
    if ca_file is None and "tls://" not in urls:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise StartRefused(
            "ERR_NATS",
            f"{ca_file} cannot be read as certificates. CHATHOOKS_NATS_CA_FILE takes a file of certificates in PEM.",
            {"CHATHOOKS_NATS_CA_FILE": "cannot be read"},
        ) from None


async def look(urls: str, *, ca_file: Path | None, credentials_file: Path | None) -> LookedNats:
    """Look once.

    Args:
        urls: addresses of servers, comma-separated.
        ca_file: certificates (PEM) that the servers are verified with.
        credentials_file: to log in with.

    Raises:
        StartRefused: ERR_NATS, no server can be used.
    """
    tls = tls_of(urls, ca_file)
    client = Client()
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            await client.connect(
                urls.split(","),
                allow_reconnect=False,
                connect_timeout=2,
                max_reconnect_attempts=1,
                error_cb=_leave,
                tls=tls,
                user_credentials=None if credentials_file is None else str(credentials_file),
            )
            return LookedNats(
                where=_where(client),
                server_version=_version(client),
                jetstream=await _has_jetstream(client),
                # nats-py sets TLS up where the server asks for it, and only then.
                encrypted=bool(client._server_info.get("tls_required")),
            )
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise StartRefused(
            "ERR_NATS",
            f"NATS cannot be used: {str(error) or type(error).__name__}. Check CHATHOOKS_NATS_URL, and that NATS runs "
            "and lets this user in.",
        ) from None
    finally:
        await client.close()


async def _leave(error: Exception) -> None:
    """What went wrong is raised by what was asked."""


def _where(client: Client) -> str:
    url = client.connected_url
    return "NATS" if url is None else f"{url.hostname}:{url.port}"


def _version(client: Client) -> str:
    version = client.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


async def _has_jetstream(client: Client) -> bool:
    try:
        await client.jetstream(timeout=LOOK_TIMEOUT_S).account_info()
    except (nats.js.errors.Error, nats.errors.NoRespondersError):
        return False
    return True
