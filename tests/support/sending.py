"""An egress client with its resolver, and a coroutine around its callback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chathooks.egress.client import ATTEMPT_TIMEOUT_S, EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.guard import TargetPolicy, parse_target
from chathooks.egress.resolver import Resolver

LOOPBACK = ("127.0.0.0/8", "::1/128")
WAIT_S = 10.0
JSON = ("Content-Type: application/json",)


@dataclass
class Sender:
    """The client under test."""

    client: EgressClient
    resolver: Resolver
    policy: TargetPolicy

    async def post(
        self,
        url: str,
        body: bytes = b"{}",
        headers: Sequence[str | bytes] = JSON,
        timeout_s: float = ATTEMPT_TIMEOUT_S,
    ) -> Exchange:
        """Send and wait for the exchange. Raises TargetRefused like `parse_target`."""
        answered: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        target = parse_target(url, self.policy)
        self.client.send(target, headers, body, timeout_s=timeout_s, done=answered.set_result)
        return await asyncio.wait_for(answered, WAIT_S)


@asynccontextmanager
async def open_sender(
    name_server: str,
    *,
    networks: tuple[str, ...] = LOOPBACK,
    allow_http: bool = True,
    ca_file: str | None = None,
    connections_max: int = 1024,
    ttl_s_min: float = 0.0,
    channel_s_max: float = 0.0,
) -> AsyncIterator[Sender]:
    """A started client that may reach `networks` and asks `name_server`; closed at the end."""
    policy = TargetPolicy.of(networks, allow_http=allow_http)
    resolver = Resolver([name_server], ttl_s_min=ttl_s_min, channel_s_max=channel_s_max)
    client = EgressClient(
        policy,
        resolver=resolver,
        user_agent="Chathooks/test",
        ca_file=ca_file,
        connections_max=connections_max,
    )
    await client.start()
    try:
        yield Sender(client, resolver, policy)
    finally:
        await client.close(0)
        resolver.close()
