"""An HTTP endpoint on loopback that records what it gets and answers as it is told."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chathooks_events.envelope import ReceivedEvent, decode_body


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes
    path: str
    answered: int | None = None

    @property
    def event(self) -> ReceivedEvent:
        return decode_body(self.body)

    @property
    def number(self) -> int:
        return int(self.headers["chathooks-number"])

    @property
    def attempt(self) -> int:
        return int(self.headers["chathooks-attempt"])


@dataclass
class ScriptedEndpoint:
    """Answers the statuses of `script` one after the other, then `default`; `hold` keeps requests waiting."""

    default: int = 200
    script: deque[int] = field(default_factory=deque)
    answer: Callable[[Received], int] | None = None
    requests: list[Received] = field(default_factory=list)
    concurrent: int = 0
    concurrent_max: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def __aenter__(self) -> "ScriptedEndpoint":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._open.set()
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def arrived(self, count: int, timeout_s: float = 10.0) -> list[Received]:
        """Wait until `count` requests came."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._connections.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Received(headers, body, head[0].split(" ")[1])
        self.requests.append(request)
        self.concurrent += 1
        self.concurrent_max = max(self.concurrent_max, self.concurrent)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            await self._open.wait()
        finally:
            self.concurrent -= 1
        if self.answer is not None:
            status = self.answer(request)
        else:
            status = self.script.popleft() if self.script else self.default
        request.answered = status
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode())
        await writer.drain()
        return True
