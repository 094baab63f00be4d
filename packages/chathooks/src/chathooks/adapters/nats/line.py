"""A line: one connection to NATS with a consumer of the stream, until it is lost. Nothing is ever taken up again on it.

So there is one way to start over, whatever happened: a new line. nats-py's own reconnecting gives up for ever on some
errors of the server and does not notice that a stream or a consumer went.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from chathooks.adapters.nats.addresses import Addresses
from chathooks.adapters.nats.stream import (
    HEARTBEAT_S,
    Found,
    JetStreamRefused,
    drop_consumer,
    ensure_stream,
    new_consumer,
    subject,
)

CONNECT_S_MAX = 4.0
CLOSE_S_MAX = 1.0
PING_S = 5
SILENCE_S_MAX = 3.5 * HEARTBEAT_S
"""Without any message or heartbeat the consumer or its stream is gone."""
ARRIVED_MAX = 10_000
"""Messages that wait to be looked at; what is dropped beyond shows as a gap."""

FAULTS = (nats.errors.Error, JetStreamRefused, OSError, TimeoutError)

log = structlog.get_logger("bell")


class NoTls(nats.errors.Error):
    """TLS was asked for and the server has none."""


class Connection(Client):  # type: ignore[misc, unused-ignore]  # nats-py's types depend on its release
    """nats-py's, which says nothing about itself to a server that should have TLS and has none."""

    wants_tls = False

    def _connect_command(self) -> bytes:
        # nats-py would send user and password in the clear to a server that does not ask for TLS.
        if self.wants_tls and not self._server_info.get("tls_required"):
            raise NoTls("the server has no TLS")
        return super()._connect_command()


class Line:
    """See the module."""

    def __init__(self, stream: str, hear: Callable[[Msg], None]) -> None:
        self._stream = stream
        self._subject = subject(stream)
        self._hear = hear
        self._client = Connection()
        self._consumer: str | None = None
        self._last_error: Exception | None = None
        self.lost = asyncio.Event()
        self._heard_at = 0.0
        self.found: Found

    @classmethod
    async def open(
        cls,
        addresses: Addresses,
        stream: str,
        name: str,
        start: Callable[[Found], int],
        hear: Callable[[Msg], None],
    ) -> Self:
        """Connect, make the stream, and have its messages from the sequence that `start` chooses given to `hear`.

        Raises:
            FAULTS: NATS is not there, or does not let it.
        """
        line = cls(stream, hear)
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await line._connect(addresses, name)
                line.found = await ensure_stream(line._client, stream)
                inbox = line._client.new_inbox()
                first = start(line.found)
                await line._client.subscribe(
                    inbox, cb=line._on_message, pending_msgs_limit=ARRIVED_MAX
                )
                line._consumer = await new_consumer(line._client, stream, inbox, first)
        except BaseException as error:
            known = line._last_error
            await line.close()
            if isinstance(error, (nats.errors.NoServersError, TimeoutError)) and known is not None:
                raise known from None
            raise
        line._heard_at = asyncio.get_running_loop().time()
        return line

    async def _connect(self, addresses: Addresses, name: str) -> None:
        self._client.wants_tls = addresses.tls is not None
        options: dict[str, Any] = {"tls": addresses.tls} if addresses.tls is not None else {}
        await self._client.connect(
            list(addresses.servers),
            name=name,
            user=addresses.user,
            password=addresses.password,
            token=addresses.token,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=2,
            ping_interval=PING_S,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_loss,
            closed_cb=self._on_loss,
            **options,
        )

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error

    async def _on_loss(self) -> None:
        self.lost.set()

    async def _on_message(self, message: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._hear(message)

    async def until_lost(self) -> str:
        """Wait until it is; answers why, for the log."""
        loop = asyncio.get_running_loop()
        while not self.lost.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self.lost.wait()
            except TimeoutError:
                if loop.time() - self._heard_at > SILENCE_S_MAX:
                    return "silence"
        return "closed" if self._last_error is None else type(self._last_error).__name__

    async def publish(self, data: bytes, message_id: str) -> None:
        """Send a message; nobody waits for the stream's answer. Raises FAULTS."""
        await self._client.publish(self._subject, data, headers={"Nats-Msg-Id": message_id})

    async def close(self) -> None:
        """End the consumer, as far as the server can be told, and the connection."""
        if self._consumer is not None and self._client.is_connected:
            try:
                async with asyncio.timeout(CLOSE_S_MAX):
                    await drop_consumer(self._client, self._stream, self._consumer)
            except FAULTS as error:
                # The server drops it by itself when nobody listens.
                log.debug("the consumer was left to the server", error=type(error).__name__)
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._client.close()
        except FAULTS as error:
            log.debug("the connection did not close in order", error=type(error).__name__)
