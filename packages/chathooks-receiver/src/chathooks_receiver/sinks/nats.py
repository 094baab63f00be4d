"""Events into a NATS JetStream stream, through nats-py.

`Nats-Msg-Id` is the digest of the dedupe key, so the stream itself leaves out what comes again within its window; the
expected stream is named, so that a message cannot end up where nothing keeps it. The subject is
`<prefix>.<trigger>`.
"""

import asyncio
import logging
import re

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig
from nats.js.client import JetStreamContext

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable, metadata, told

CONNECT_TIMEOUT_S = 5.0
RECONNECT_WAIT_S = 0.5
PUBLISH_TIMEOUT_S = 1.4
DUPLICATE_WINDOW_S = 120
"""Of a stream that this sink makes: longer than all attempts of one delivery."""

_SUBJECT_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
SUBJECT_CHARS_MAX = 64

log = logging.getLogger(__name__)


class NatsSink:
    """The stream `stream` on the NATS servers `servers`; events get the subject `<prefix>.<trigger>`."""

    def __init__(
        self,
        servers: str | list[str],
        stream: str,
        *,
        prefix: str = "chathooks",
        replicas: int = 1,
        declare: bool = True,
        credentials_file: str | None = None,
    ) -> None:
        """Name servers and stream. `declare` makes the stream (on disk, `replicas` copies) where it is missing."""
        self._servers = servers
        self._stream = stream
        self._prefix = prefix
        self._replicas = replicas
        self._declare = declare
        self._credentials_file = credentials_file
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None

    async def open(self) -> None:
        """Connect, and make the stream. Raises `SinkUnavailable`."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._client = await nats.connect(
                    self._servers,
                    connect_timeout=2,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_WAIT_S,
                    error_cb=_on_error,
                    user_credentials=self._credentials_file,
                    # While the server is away nothing is kept here: what is not stored is answered 503.
                    pending_size=0,
                )
                self._jetstream = self._client.jetstream(timeout=PUBLISH_TIMEOUT_S)
                if self._declare:
                    await self._make_stream(self._jetstream)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await self.close()
            raise SinkUnavailable(f"NATS: {told(error)}") from None

    async def _make_stream(self, jetstream: JetStreamContext) -> None:
        try:
            await jetstream.stream_info(self._stream)
        except nats.js.errors.NotFoundError:
            await jetstream.add_stream(
                StreamConfig(
                    name=self._stream,
                    subjects=[f"{self._prefix}.>"],
                    storage=StorageType.FILE,
                    num_replicas=self._replicas,
                    duplicate_window=DUPLICATE_WINDOW_S,
                )
            )

    async def put(self, arrival: Arrival) -> bool:
        """Publish and wait for the stream's acknowledgement. Raises `SinkUnavailable`."""
        if self._client is None or self._jetstream is None:
            raise SinkUnavailable("NATS: not open.")
        if not self._client.is_connected:
            raise SinkUnavailable("NATS: not connected.")
        trigger = _SUBJECT_UNSAFE.sub("_", arrival.event.trigger[:SUBJECT_CHARS_MAX]) or "_"
        try:
            ack = await self._jetstream.publish(
                f"{self._prefix}.{trigger}",
                arrival.body,
                stream=self._stream,
                headers={"Nats-Msg-Id": arrival.digest.hex(), **metadata(arrival)},
            )
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise SinkUnavailable(f"NATS: {told(error)}") from None
        return not ack.duplicate

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        self._jetstream = None
        if client is not None and not client.is_closed:
            await client.close()


async def _on_error(error: Exception) -> None:
    log.warning("NATS: %s", told(error))
