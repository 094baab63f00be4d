"""Seen events in Redis, shared by any number of processes and machines.

One key per event, which lapses after the window. Redis may lose the last writes when it is killed, depending on its
`appendfsync`: that can make a second copy of an event, never lose one.
"""

import asyncio
import uuid

import redis.asyncio
from redis.exceptions import RedisError

from chathooks_receiver.dedupe import CLAIM_LEASE_S, Claim, DedupeUnavailable

WINDOW_S = 7 * 86_400
"""How long events are remembered: retries end after a minute, replays come within days."""
SOCKET_TIMEOUT_S = 2.0
KEY_PREFIX = "chathooks:seen:"

_SEEN = b"seen"
# Compare and delete in one step: between a look and a delete the claim may have lapsed and become another's.
_RELEASE = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)


class RedisDedupe:
    """The accepted events of the last `window_s` seconds, in the Redis at `url`."""

    def __init__(
        self,
        url: str,
        *,
        window_s: float = WINDOW_S,
        lease_s: float = CLAIM_LEASE_S,
        key_prefix: str = KEY_PREFIX,
    ) -> None:
        """Name the server. `lease_s` is how long a claim holds, in seconds."""
        self._url = url
        self._window_ms = int(window_s * 1000)
        self._lease_ms = int(lease_s * 1000)
        self._prefix = key_prefix.encode()
        self._owner = uuid.uuid4().hex.encode()
        self._client: redis.asyncio.Redis | None = None
        self._releasing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect. Raises `DedupeUnavailable`."""
        self._client = redis.asyncio.Redis.from_url(
            self._url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=SOCKET_TIMEOUT_S,
            decode_responses=False,
        )
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            await self.close()
            raise DedupeUnavailable(f"Redis: {error}") from None

    def look(self, digest: bytes) -> Claim | None:
        """None: ask with `claim`."""
        return None

    async def claim(self, digest: bytes) -> Claim:
        """Take a lease on it, or say who has it. Raises `DedupeUnavailable`."""
        client, key = self._connected(), self._prefix + digest.hex().encode()
        try:
            if await client.set(key, self._owner, nx=True, px=self._lease_ms):
                return Claim.FRESH
            value = await client.get(key)
        except (RedisError, OSError) as error:
            raise DedupeUnavailable(f"Redis: {error}") from None
        return Claim.SEEN if value == _SEEN else Claim.BUSY

    async def confirm(self, digest: bytes) -> None:
        """Record it. Raises `DedupeUnavailable`."""
        try:
            key = self._prefix + digest.hex().encode()
            await self._connected().set(key, _SEEN, px=self._window_ms)
        except (RedisError, OSError) as error:
            raise DedupeUnavailable(f"Redis: {error}") from None

    def release(self, digest: bytes) -> None:
        """Give the claim back in the background."""
        task = asyncio.get_running_loop().create_task(self._give_back(digest))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)

    async def _give_back(self, digest: bytes) -> None:
        try:
            key = self._prefix + digest.hex().encode()
            await self._connected().eval(_RELEASE, 1, key, self._owner)
        except (RedisError, OSError, DedupeUnavailable):
            return  # the lease lapses by itself

    async def close(self) -> None:
        """Disconnect."""
        if self._releasing:
            await asyncio.wait(self._releasing, timeout=SOCKET_TIMEOUT_S)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _connected(self) -> redis.asyncio.Redis:
        if self._client is None:
            raise DedupeUnavailable("Redis: not open.")
        return self._client
