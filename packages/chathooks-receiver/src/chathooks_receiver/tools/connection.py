"""One HTTP/1 connection to an endpoint, whose every byte the caller decides.

Checks send what no ordinary client would: half a request, a byte at a time, twice at once. The answer is parsed by
httptools. Times and sizes are bounded, and every failure is one `ConnectionFailed` with a class that is the same as
in the delivery log of the server.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import httptools

from chathooks_receiver.tools.target import Target

ANSWER_TIMEOUT_S = 2.0
"""From the start of an attempt to the end of the response headers (delivery contract §2)."""
HEADERS_BYTES_MAX = 32 * 1024
BODY_BYTES_MAX = 64 * 1024
"""Of an answer; what follows is not read (delivery contract §2)."""
READ_BYTES = 16 * 1024
CLOSE_TIMEOUT_S = 0.5

_FINAL_FROM = 200
"""Answers below it are interim."""

FailureKind: TypeAlias = Literal[
    "dns_not_found",
    "timeout_connect",
    "connection_refused",
    "connect_failed",
    "tls",
    "timeout_response",
    "connection_reset",
    "protocol",
    "headers_too_large",
]

_SENTENCES: Mapping[str, str] = {
    "dns_not_found": "the host name has no address",
    "timeout_connect": "no connection in time",
    "connection_refused": "nothing listens on that port",
    "connect_failed": "there is no route to the address",
    "tls": "TLS could not be set up",
    "timeout_response": "no complete response headers in time",
    "connection_reset": "the connection was closed before an answer",
    "protocol": "what came back is not HTTP",
    "headers_too_large": f"the response headers are larger than {HEADERS_BYTES_MAX // 1024} KiB",
}


class ConnectionFailed(Exception):
    """No acceptable answer came; `kind` is its class, `detail` the system's own words."""

    def __init__(self, kind: FailureKind, detail: str = "") -> None:
        """Keep both; the text of the exception is a plain sentence."""
        super().__init__(_SENTENCES[kind] + (f" ({detail})" if detail else ""))
        self.kind: FailureKind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back. Header names are in lower case; of a repeated one the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    version: str
    kept: bool
    """Whether the endpoint keeps the connection."""
    whole: bool
    """Whether the body came to its announced end."""
    first_byte_s: float
    """From `since_s` of the reading to complete headers, in seconds."""


class _Reading:
    """Callbacks of the parser for one answer; interim answers are left out, and so is what follows the answer."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.status = 0
        self.head_done = False
        self.done = False
        self.head_at_s = 0.0
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        if not self.done:
            self.headers, self.head_done = {}, False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self.done:
            self.status = self.parser.get_status_code()
            self.head_done = self.status >= _FINAL_FROM
            self.head_at_s = time.perf_counter()

    def on_body(self, body: bytes) -> None:
        if not self.done:
            self.body += body

    def on_message_complete(self) -> None:
        if not self.done and self.head_done:
            self.done = True
            self.kept = self.parser.should_keep_alive()

    kept = False

    def feed(self, chunk: bytes) -> None:
        """Parse. Raises ConnectionFailed."""
        try:
            self.parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            self.done = True
        except httptools.HttpParserError as error:
            # What follows an answer's end belongs to nobody; before it, this is no HTTP.
            if not self.head_done:
                raise ConnectionFailed("protocol", str(error)) from None
            self.done, self.kept = True, False


class Connection:
    """An open connection; make it with `await Connection.open(target)`."""

    def __init__(
        self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.target = target
        self._reader = reader
        self._writer = writer
        self.answers = 0

    @classmethod
    async def open(cls, target: Target, timeout_s: float = ANSWER_TIMEOUT_S) -> "Connection":
        """Resolve, connect, set up TLS. Raises ConnectionFailed."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    target.host,
                    target.port,
                    ssl=target.tls,
                    server_hostname=target.host if target.tls is not None else None,
                )
        except TimeoutError:
            raise ConnectionFailed("timeout_connect") from None
        except ssl.SSLError as error:
            said = getattr(error, "verify_message", "") or error.reason or "handshake failed"
            raise ConnectionFailed("tls", str(said)) from None
        except socket.gaierror as error:
            raise ConnectionFailed("dns_not_found", error.strerror or "") from None
        except ConnectionRefusedError:
            raise ConnectionFailed("connection_refused") from None
        except (ConnectionResetError, BrokenPipeError):
            raise ConnectionFailed("tls" if target.secure else "connection_reset") from None
        except OSError as error:
            refused = "refused" in str(error).lower()
            kind: FailureKind = "connection_refused" if refused else "connect_failed"
            raise ConnectionFailed(kind, "" if refused else error.strerror or "") from None
        return cls(target, reader, writer)

    @property
    def peer(self) -> str:
        """The address that was connected to."""
        return str(self._writer.get_extra_info("peername")[0])

    @property
    def tls_version(self) -> str | None:
        """As OpenSSL calls it, e.g. "TLSv1.3"; None over plain http."""
        tls: ssl.SSLObject | None = self._writer.get_extra_info("ssl_object")
        return tls.version() if tls is not None else None

    @property
    def certificate(self) -> Mapping[str, object]:
        """The endpoint's certificate as `ssl` shows it; empty over plain http."""
        return self._writer.get_extra_info("peercert") or {}

    async def send(self, data: bytes) -> None:
        """Write bytes as they are. Raises ConnectionFailed."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise ConnectionFailed("connection_reset") from None

    async def answer(
        self, *, since_s: float | None = None, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> HttpAnswer:
        """Read one answer, interim ones left out.

        `since_s` is the `time.perf_counter()` that the limit counts from, now by default. After the headers the body is read
        until the limit too, but a body that is late or short does not make the answer fail. Raises ConnectionFailed.
        """
        begun_s = time.perf_counter() if since_s is None else since_s
        until_s = begun_s + timeout_s
        reading = _Reading()
        taken = 0
        while not reading.done and len(reading.body) <= BODY_BYTES_MAX:
            chunk = await self._chunk(until_s, reading, begun=taken > 0)
            if not chunk:
                break
            taken += len(chunk)
            reading.feed(chunk)
            if not reading.head_done and taken > HEADERS_BYTES_MAX:
                raise ConnectionFailed("headers_too_large")
        self.answers += 1
        announced = "content-length" in reading.headers or (
            "chunked" in reading.headers.get("transfer-encoding", "")
        )
        return HttpAnswer(
            status=reading.status,
            headers=reading.headers,
            body=bytes(reading.body[:BODY_BYTES_MAX]),
            version=reading.parser.get_http_version(),
            kept=reading.done and reading.kept,
            whole=reading.done or not announced,
            first_byte_s=reading.head_at_s - begun_s,
        )

    async def _chunk(self, until_s: float, reading: _Reading, *, begun: bool) -> bytes:
        """The next bytes, empty where the answer ends without them; `begun` says that some came. Raises ConnectionFailed."""
        try:
            async with asyncio.timeout(max(0.0, until_s - time.perf_counter())):
                chunk = await self._reader.read(READ_BYTES)
        except TimeoutError:
            if reading.head_done:
                return b""
            raise ConnectionFailed("timeout_response") from None
        except OSError:
            chunk = b""
        if not chunk and not reading.head_done:
            raise ConnectionFailed("protocol" if begun else "connection_reset")
        return chunk

    async def ended(self, timeout_s: float) -> bool:
        """Whether the endpoint closes within the time; what it sends meanwhile is dropped."""
        try:
            async with asyncio.timeout(timeout_s):
                while await self._reader.read(READ_BYTES):
                    pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    @property
    def broken(self) -> bool:
        """Whether the endpoint has closed it meanwhile."""
        return self._reader.at_eof() or self._writer.transport.is_closing()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close, without waiting long for the other side."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()
