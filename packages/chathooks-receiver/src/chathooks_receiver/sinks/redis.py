"""Events into a Redis stream, through redis-py.

How safe an accepted event is depends on the server: with `appendonly yes` and `appendfsync always` it is on disk when
XADD answers; with `everysec` a crash of the machine takes up to a second. `replicas` also waits (WAIT) until that
many replicas have it. Nothing is trimmed unless `entries_max` is given: trimming can take what no consumer has read.
"""

from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable, metadata, told

SOCKET_TIMEOUT_S = 1.4
WAIT_MS = 1_000
CONNECTIONS_MAX = 64


class RedisSink:
    """The stream `stream` in the Redis at `url`. An entry has the field `body` and the metadata."""

    def __init__(
        self, url: str, stream: str, *, replicas: int = 0, entries_max: int | None = None
    ) -> None:
        """Name server and stream; see the module for `replicas` and `entries_max`."""
        self._url = url
        self._stream = stream
        self._replicas = replicas
        self._entries_max = entries_max
        self._client: redis.asyncio.Redis | None = None

    async def open(self) -> None:
        """Connect. Raises `SinkUnavailable`."""
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            self._url,
            max_connections=CONNECTIONS_MAX,
            timeout=SOCKET_TIMEOUT_S,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=SOCKET_TIMEOUT_S,
        )
        self._client = redis.asyncio.Redis.from_pool(pool)
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            await self.close()
            raise SinkUnavailable(f"Redis: {told(error)}") from None

    async def put(self, arrival: Arrival) -> bool:
        """Append, and wait for replicas where asked to. Raises `SinkUnavailable`."""
        if self._client is None:
            raise SinkUnavailable("Redis: not open.")
        fields: Any = {"body": arrival.body}  # redis-py's own type for it is invariant
        fields.update(metadata(arrival))
        try:
            if not self._replicas:
                await self._client.xadd(self._stream, fields, maxlen=self._entries_max)
                return True
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.xadd(self._stream, fields, maxlen=self._entries_max)
                pipeline.wait(self._replicas, WAIT_MS)
                _, copies = await pipeline.execute()
        except (RedisError, OSError) as error:
            raise SinkUnavailable(f"Redis: {told(error)}") from None
        if copies < self._replicas:
            raise SinkUnavailable(f"Redis: {copies} of {self._replicas} replicas have the event.")
        return True

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose(close_connection_pool=True)
