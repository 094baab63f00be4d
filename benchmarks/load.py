"""Keep-alive clients that send one POST after the other over plain sockets: the load of the third figure.

`python -m benchmarks.load '<spec as JSON>'`, in a process of its own. It answers each line on its standard input
with the number of answers it got so far; it ends when its input does.
"""

import asyncio
import sys
from typing import cast

import msgspec
import uvloop

API_KEY = "0123456789abcdef0123456789abcdef01234567"
PEOPLE = ("alice", "bob")
TEXT = "The lake this morning was so still that one could see the mountains twice. "


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the load is told."""

    port: int
    path: str
    clients: int


def _body() -> bytes:
    return msgspec.json.encode(
        {
            "receiver": PEOPLE[1],
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": TEXT * 4, "metadata": {"camera": "phone", "place": "lake"}},
            "tags": ["tour"],
        }
    )


def request_bytes(spec: LoadSpec) -> bytes:
    """The request, head and body."""
    body = _body()
    head = (
        f"POST {spec.path} HTTP/1.1\r\nHost: 127.0.0.1:{spec.port}\r\napikey: {API_KEY}\r\n"
        f"onBehalfOf: {PEOPLE[0]}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Tally:
    answered = 0
    wrong = b""


class _Client(asyncio.Protocol):
    """One connection; the next request follows the answer to the last."""

    def __init__(self, request: bytes, tally: _Tally) -> None:
        self._request = request
        self._tally = tally
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return
        at = got.find(b"content-length: ", 0, end)
        length = int(got[at + 16 : got.index(b"\r", at)])
        if len(got) < end + 4 + length:
            return
        self._got = b""
        if not got.startswith(b"HTTP/1.1 200"):
            self._tally.wrong = got
            self._transport.close()
            return
        self._tally.answered += 1
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.wrong = self._tally.wrong or b"a connection was closed"


async def run(spec: LoadSpec) -> None:
    """Send until the input ends. Raises RuntimeError where a request is not answered with 200."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tally = _Tally()
    request = request_bytes(spec)
    for _ in range(spec.clients):
        await loop.create_connection(lambda: _Client(request, tally), "127.0.0.1", spec.port)
    while await reader.readline():
        if tally.wrong:
            raise RuntimeError(f"a request was not answered with 200: {tally.wrong[:2000]!r}")
        print(tally.answered, flush=True)


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=LoadSpec)))
