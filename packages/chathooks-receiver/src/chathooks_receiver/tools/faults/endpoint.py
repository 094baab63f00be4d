"""The faulty endpoint itself: listens, takes the modes in turn or at random, and tells what it got."""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable, Sequence

import msgspec

from chathooks_events.envelope import decode_body
from chathooks_events.errors import MalformedBody
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.faults.channel import HEAD_BYTES_MAX, Channel, Got
from chathooks_receiver.tools.faults.modes import Mode

CONNECTIONS_MAX = 1_000


class Arrived(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One request that came, and what was done with it. `at` is unix seconds; nothing of the body's data is kept."""

    at: float
    connection: int
    method: str
    path: str
    mode: str
    body_bytes: int
    trigger: str | None = None
    event_id: str | None = None
    attempt: str | None = None
    signed: bool = False
    basic_auth: bool = False


class FaultyEndpoint:
    """Make it, `await start`, and `await stop` at the end."""

    def __init__(
        self,
        modes: Sequence[Mode],
        *,
        at_random: bool = False,
        seed: int = 0,
        tell: Callable[[Arrived], None] | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Take `modes` in turn, or at random from `seed`; `tell` hears of each request."""
        self._modes = tuple(modes)
        self._random = random.Random(seed) if at_random else None  # noqa: S311 - reproducible on purpose
        self._tell = tell
        self._now_s = now_s
        self._taken = 0
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen; `port` 0 takes a free one. Raises ToolFailed: ERR_ADDRESS."""
        try:
            self._server = await asyncio.start_server(
                self._accept, host, port, ssl=tls, limit=HEAD_BYTES_MAX
            )
        except OSError as error:
            raise ToolFailed(
                "ERR_ADDRESS",
                f"Cannot listen on {host} port {port}: {error.strerror or error}.",
                advice="Choose another --host or --port, or stop what uses it.",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()
        # Transports tell their protocols of the end in later turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        channel = Channel(reader, writer, self._connections)
        task = asyncio.get_running_loop().create_task(self._serve(channel, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, channel: Channel, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(channel)
        except OSError:
            # The sender went away in the middle, as senders do.
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _converse(self, channel: Channel) -> None:
        while True:
            got = await channel.request()
            if got is None:
                return
            mode = self._next()
            if self._tell is not None:
                self._tell(self._arrived(channel, got, mode))
            then = await mode.behave(channel, got)
            if then == "reset":
                channel.reset()
            if then != "keep":
                return

    def _next(self) -> Mode:
        if self._random is not None:
            return self._random.choice(self._modes)
        self._taken += 1
        return self._modes[(self._taken - 1) % len(self._modes)]

    def _arrived(self, channel: Channel, got: Got, mode: Mode) -> Arrived:
        trigger: str | None = None
        event_id: str | None = None
        with contextlib.suppress(MalformedBody):
            event = decode_body(got.body)
            trigger, event_id = event.trigger, event.event_id
        return Arrived(
            at=round(self._now_s(), 3),
            connection=channel.number,
            method=got.method,
            path=got.path,
            mode=mode.name,
            body_bytes=len(got.body),
            trigger=trigger,
            event_id=event_id,
            attempt=got.headers.get("chathooks-attempt"),
            signed="webhook-signature" in got.headers,
            basic_auth=got.headers.get("authorization", "").lower().startswith("basic "),
        )
