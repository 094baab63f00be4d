"""An HTTP/2 endpoint over TLS, frame by frame, that ends connections in ways that servers do (RFC 9113)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
STATUS_200 = b"\x88"
"""`:status: 200` in HPACK's static table."""
NO_ERROR, REFUSED_STREAM, CANCEL = 0x0, 0x7, 0x8

LAST_STREAMS: Mapping[str, Callable[[int], int]] = {
    "goaway": lambda stream: max(0, stream - 2),
    "goaway-processed": lambda stream: stream,
    "goaway-open": lambda _: 0x7FFFFFFF,
}
"""What a GOAWAY calls the last stream that may have been processed, by the word for it."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def goaway(last_stream: int) -> bytes:
    """An orderly end: streams above `last_stream` were not processed."""
    return frame(GOAWAY, 0, 0, last_stream.to_bytes(4, "big") + NO_ERROR.to_bytes(4, "big"))


def reset(stream: int, code: int) -> bytes:
    """The end of one stream."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


@dataclass
class Http2Endpoint:
    """Answers 200; `script` has what to do with the next requests instead."""

    script: list[str] = field(default_factory=list)
    """`goaway…`: an orderly end without an answer; `close`, `abort`: one without a word; `refuse`, `cancel`: the stream's end."""
    requests: list[tuple[int, int]] = field(default_factory=list)
    """(connection, stream) of each request."""
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            assert await reader.readexactly(len(PREFACE)) == PREFACE
            writer.write(frame(SETTINGS, 0, 0))
            while await self._frame(number, reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            writer.close()

    async def _frame(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Take one frame; answers whether the connection goes on."""
        head = await reader.readexactly(FRAME_HEAD_BYTES)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = await reader.readexactly(size)
        if kind == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK:
            writer.write(frame(PING, ACK, 0, payload))
        if kind not in (HEADERS, DATA) or not flags & END_STREAM:
            return True
        self.requests.append((number, stream))
        what = self.script.pop(0) if self.script else "answer"
        if what == "answer":
            writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200))
        elif what in LAST_STREAMS:
            writer.write(goaway(LAST_STREAMS[what](stream)))
            await writer.drain()
            return False
        elif what == "close":
            return False
        elif what == "abort":
            writer.transport.abort()
            return False
        else:
            writer.write(reset(stream, REFUSED_STREAM if what == "refuse" else CANCEL))
        return True

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"


@asynccontextmanager
async def http2_endpoint(pem: Path) -> AsyncIterator[Http2Endpoint]:
    """A listening endpoint with the certificate and key of `pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2"])
    endpoint = Http2Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, ssl=context)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        await server.wait_closed()
