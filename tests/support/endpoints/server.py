"""Listeners on loopback whose every byte a test decides, in a thread of their own.

Each listener has one behaviour (see `behaviours`) and records the requests and connections it saw.
"""

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

_HEADER_BYTES_MAX = 256 * 1024
_STOP_TIMEOUT_S = 5.0
_LOOP_TURNS_TO_CLOSE = 5


@dataclass
class Request:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """Ordinal of its connection on this listener, from 1."""
    at_s: float
    """`time.perf_counter()` when it was complete."""


class Connection:
    """One accepted connection, as a behaviour sees it."""

    def __init__(
        self,
        endpoint: "Endpoint",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self.endpoint = endpoint
        self.number = number
        self._reader = reader
        self._writer = writer

    async def request(self) -> Request | None:
        """The next request, recorded; None when the other side has closed."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body, self.number, time.perf_counter())
        self.endpoint.requests.append(request)
        self.endpoint.arrived.set()
        return request

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(
        self, status: int = 200, body: bytes = b"ok", headers: tuple[str, ...] = ()
    ) -> None:
        """Send a well-formed answer."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
        await self.write("\r\n".join(lines).encode("latin-1") + body)

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def until_closed(self) -> None:
        """Wait for the other side to close."""
        while await self._reader.read(65_536):
            pass


Behaviour = Callable[[Connection], Awaitable[None]]


@dataclass
class Endpoint:
    """A listener and what it saw."""

    behaviour: Behaviour
    scheme: str
    host: str = ""
    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    connected: threading.Event = field(default_factory=threading.Event)
    """Set when a connection was accepted, which may be after the other side has opened and closed it."""
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set when a request has arrived."""

    def url(self, path: str = "/", host: str | None = None) -> str:
        """URL of this listener."""
        name = host or self.host
        return f"{self.scheme}://{f'[{name}]' if ':' in name else name}:{self.port}{path}"


class EndpointServer:
    """Runs listeners until the `with` block ends."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="endpoints", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.WriteTransport] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_TIMEOUT_S)
        self._loop.close()

    def listen(
        self,
        behaviour: Behaviour,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> Endpoint:
        """Start a listener; `port` 0 picks a free one."""
        endpoint = Endpoint(behaviour, "https" if tls is not None else "http")
        self._call(self._listen(endpoint, tls, host, port))
        return endpoint

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_TIMEOUT_S)

    async def _listen(
        self, endpoint: Endpoint, tls: ssl.SSLContext | None, host: str, port: int
    ) -> None:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            endpoint.connections += 1
            endpoint.connected.set()
            self._transports.append(writer.transport)
            connection = Connection(endpoint, reader, writer, endpoint.connections)
            task = self._loop.create_task(self._serve(connection, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(
            accept, host, port, ssl=tls, limit=_HEADER_BYTES_MAX, backlog=1024
        )
        self._servers.append(server)
        endpoint.host, endpoint.port = server.sockets[0].getsockname()[:2]

    async def _serve(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        try:
            await connection.endpoint.behaviour(connection)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            with suppress(OSError):
                writer.close()

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        for _ in range(_LOOP_TURNS_TO_CLOSE):
            await asyncio.sleep(0)


def free_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
