"""An endpoint that notes how late deliveries are, or answers late itself: `python -m benchmarks.arrivals '<spec>'`.

A delivery's lag is from the instant in its `eventId`, a UUIDv7 made just before the commit, to its arrival. For each line
on its standard input it answers with what arrived since the line before.
"""

import asyncio
import ssl
import sys
import time
from typing import cast

import msgspec
import uvloop

from benchmarks.figures import percentile

EVENT_ID = b'"eventId":"evt_'
UUID_MS_HEX = 13
"""Characters of a UUID with the milliseconds in them, a dash among them."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class ArrivalsSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoint is told."""

    cert_file: str
    key_file: str
    answer_after_s: float = 0.0


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived since it was last asked."""

    count: int
    p50_ms: float
    p99_ms: float


class _Lags:
    def __init__(self) -> None:
        self.ms: list[float] = []

    def take(self) -> Arrived:
        """What arrived since the last call."""
        found, self.ms = sorted(self.ms), []
        if not found:
            return Arrived(count=0, p50_ms=0.0, p99_ms=0.0)
        return Arrived(
            count=len(found),
            p50_ms=round(percentile(found, 0.5), 1),
            p99_ms=round(percentile(found, 0.99), 1),
        )


class _Endpoint(asyncio.Protocol):
    def __init__(self, lags: _Lags, answer_after_s: float) -> None:
        self._lags = lags
        self._answer_after_s = answer_after_s
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return
        at = got.lower().find(b"content-length:", 0, end)
        length = int(got[at + 15 : got.index(b"\r", at)])
        if len(got) < end + 4 + length:
            return
        self._got = b""
        now_ms = time.time() * 1000
        at = got.index(EVENT_ID, end) + len(EVENT_ID)
        made_ms = int(got[at : at + UUID_MS_HEX].replace(b"-", b""), 16)
        self._lags.ms.append(now_ms - made_ms)
        if self._answer_after_s:
            asyncio.get_running_loop().call_later(self._answer_after_s, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


async def run(spec: ArrivalsSpec) -> None:
    """Listen, name the port, tell."""
    loop = asyncio.get_running_loop()
    lags = _Lags()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(spec.cert_file, spec.key_file)
    server = await loop.create_server(
        lambda: _Endpoint(lags, spec.answer_after_s), "127.0.0.1", 0, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    while (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        print(msgspec.json.encode(lags.take()).decode(), flush=True)
    server.close()


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=ArrivalsSpec)))
