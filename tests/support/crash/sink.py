"""An endpoint on loopback for many webhooks: notes every request, answers as it is told, late if wanted."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec

ARRIVAL_S_MAX = 60.0


@dataclass(slots=True, eq=False)
class Arrival:
    """A request."""

    webhook: str
    headers: dict[str, str]
    body: bytes
    at_s: float
    """`time.monotonic()`."""
    status: int | None = None
    answered_at_s: float | None = None

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def number(self) -> int:
        return int(self.headers["chathooks-number"])

    @property
    def attempt(self) -> int:
        return int(self.headers["chathooks-attempt"])

    @property
    def data(self) -> Any:
        return msgspec.json.decode(self.body)["data"]


class _Connection(asyncio.Protocol):
    def __init__(self, sink: "Sink") -> None:
        self._sink = sink
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._sink.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._sink.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {}
            for line in lines[1:]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            stop = end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + 4 : stop], self._buffer[stop:]
            path = lines[0].split(" ")[1]
            self._sink.take(self, Arrival(path.strip("/"), headers, body, time.monotonic()))


class Sink:
    """Use it as an async context manager; webhook `x` posts to `url("x")`."""

    def __init__(
        self,
        *,
        answer: Callable[[Arrival], int] = lambda _: 200,
        delay_s: Callable[[Arrival], float] = lambda _: 0.0,
    ) -> None:
        self.arrivals: list[Arrival] = []
        self.connections: set[_Connection] = set()
        self.answer = answer
        self.delay_s = delay_s
        self.holding = False
        self._held: list[tuple[_Connection, Arrival]] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Sink":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await self._server.wait_closed()

    def url(self, webhook: str) -> str:
        return f"http://127.0.0.1:{self._port}/{webhook}"

    def of(self, webhook: str) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.webhook == webhook]

    def release(self) -> None:
        """Answer what was held back, and hold nothing more."""
        self.holding = False
        for connection, arrival in self._held:
            self._answer(connection, arrival)
        self._held.clear()

    def take(self, connection: _Connection, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self._changed.set()
        delay_s = self.delay_s(arrival)
        if self.holding:
            self._held.append((connection, arrival))
        elif delay_s > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(delay_s, self._answer, connection, arrival)
        else:
            self._answer(connection, arrival)

    def _answer(self, connection: _Connection, arrival: Arrival) -> None:
        if connection.transport.is_closing():
            return
        arrival.status = self.answer(arrival)
        arrival.answered_at_s = time.monotonic()
        connection.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % arrival.status)

    async def arrived(
        self, count: int, webhook: str | None = None, *, timeout_s: float = ARRIVAL_S_MAX
    ) -> list[Arrival]:
        """Wait until `count` requests have come, of one webhook or of all."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = self.arrivals if webhook is None else self.of(webhook)
                if len(found) >= count:
                    return found
                self._changed.clear()
                await self._changed.wait()
