"""What `chathooks doctor` looks at in NATS. Nothing is changed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors

from chathooks.adapters.nats import addresses, stream
from chathooks.adapters.nats.line import CLOSE_S_MAX, CONNECT_S_MAX, FAULTS, Connection, NoTls
from chathooks.kernel.errors import StartRefused


@dataclass(frozen=True, slots=True)
class LookedNats:
    """What was found."""

    where: str
    """Host and port of the server that answered; never a password."""
    server_version: str
    jetstream: bool


async def look(url: str, *, ca_file: Path | None = None) -> LookedNats:
    """Look once.

    Args:
        url: addresses of servers, comma-separated.
        ca_file: certificates (PEM) that the servers are verified with.

    Raises:
        StartRefused: ERR_NATS, no server can be used.
    """
    where = addresses.read(url, ca_file)
    client = Connection()
    client.wants_tls = where.tls is not None
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    options: dict[str, Any] = {"tls": where.tls} if where.tls is not None else {}
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            await client.connect(
                list(where.servers),
                user=where.user,
                password=where.password,
                token=where.token,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=note,
                **options,
            )
            return LookedNats(_where(client), _version(client), await _has_jetstream(client))
    except FAULTS as error:
        raise _refusal(errors[-1] if errors else error, str(where)) from None
    finally:
        async with asyncio.timeout(CLOSE_S_MAX):
            await client.close()


def _refusal(error: Exception, where: str) -> StartRefused:
    if isinstance(error, NoTls):
        return StartRefused("ERR_NATS", f"NATS at {where} has no TLS, which was asked for.")
    return stream.refusal(error, where)


def _where(client: Connection) -> str:
    url = client.connected_url
    return "NATS" if url is None else f"{url.hostname}:{url.port}"


def _version(client: Connection) -> str:
    version = client.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


async def _has_jetstream(client: Connection) -> bool:
    try:
        await stream.account(client)
    except (nats.errors.NoRespondersError, stream.JetStreamRefused):
        return False
    return True
