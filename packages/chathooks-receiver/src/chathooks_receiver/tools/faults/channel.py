"""One connection of the faulty endpoint, as its modes see it: requests in, any bytes out."""

import asyncio
import socket
import struct
from dataclasses import dataclass

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 8 * 1024 * 1024
IDLE_TIMEOUT_S = 60.0
"""How long a connection may be silent before it is closed."""


@dataclass(frozen=True, slots=True)
class Got:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Channel:
    """Reads requests and writes what a mode wants."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.number = number
        """Ordinal of the connection, from 1."""
        self.requests = 0
        self._reader = reader
        self._writer = writer

    async def request(self) -> Got | None:
        """The next request; None where the other side has closed, is silent too long or sends no HTTP."""
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                head = await self._reader.readuntil(b"\r\n\r\n")
                got = _parse(head)
                if got is None:
                    return None
                length = int(got.headers.get("content-length", "0"))
                if not 0 <= length <= BODY_BYTES_MAX:
                    return None
                body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            return None
        self.requests += 1
        return Got(got.method, got.path, got.headers, body)

    async def write(self, data: bytes) -> None:
        """Send bytes as they are. Raises OSError where the other side has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, status: int, body: bytes = b"", headers: tuple[str, ...] = ()) -> None:
        """Send a well-formed answer. Raises OSError."""
        length = () if status in (204, 304) or status < 200 else (f"Content-Length: {len(body)}",)
        lines = [f"HTTP/1.1 {status} {_reason(status)}", *length, *headers, "", ""]
        await self.write("\r\n".join(lines).encode("latin-1") + body)

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        connected = self._writer.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def until_closed(self) -> None:
        """Say nothing until the other side closes, or is silent too long itself."""
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                while await self._reader.read(HEAD_BYTES_MAX):
                    pass
        except TimeoutError:
            return


def _parse(head: bytes) -> Got | None:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3:
        return None
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in lines)
        if colon
    }
    return Got(parts[0], parts[1], headers, b"")


def _reason(status: int) -> str:
    return {200: "OK", 404: "Not Found", 500: "Internal Server Error"}.get(status, "Answer")
