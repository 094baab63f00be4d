"""Keep-alive clients that send one POST after the other over plain sockets: messages, or users to import.

`python -m benchmarks.load '<spec as JSON>'`, in a process of its own. It answers each line on its standard input
with the number of answers it got so far; it ends when its input does.
"""

import asyncio
import sys
from collections.abc import Iterator
from itertools import count, islice, repeat
from typing import cast

import msgspec
import uvloop

from benchmarks.calling import API_KEY, PEOPLE

TEXT = "The lake this morning was so still that one could see the mountains twice. "


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the load is told."""

    port: int
    path: str
    clients: int
    users: int = 0
    """So many users are created, each once; 0: messages are sent until the input ends."""


def message_body(muid: str | None = None) -> bytes:
    """The message that is sent; its `message_sent` is about 1.2 KB as a body."""
    body = {
        "receiver": PEOPLE[1],
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": TEXT * 4, "metadata": {"camera": "phone", "place": "lake"}},
        "tags": ["tour"],
    }
    return msgspec.json.encode(body if muid is None else {**body, "muid": muid})


def _user_body(number: int) -> bytes:
    return msgspec.json.encode(
        {
            "uid": f"user-{number:08d}",
            "name": f"Person {number}",
            "metadata": {"plan": "free", "imported": True},
        }
    )


def request_bytes(port: int, path: str, body: bytes, *, acting: bool) -> bytes:
    """A request, head and body; `acting` on behalf of the first of PEOPLE."""
    acts_for = f"onBehalfOf: {PEOPLE[0]}\r\n" if acting else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\napikey: {API_KEY}\r\n"
        f"{acts_for}Accept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _requests(spec: LoadSpec) -> Iterator[bytes]:
    if spec.users:
        numbers = islice(count(1), spec.users)
        return (
            request_bytes(spec.port, spec.path, _user_body(number), acting=False)
            for number in numbers
        )
    return repeat(request_bytes(spec.port, spec.path, message_body(), acting=True))


def whole_answer(got: bytes) -> bool:
    """Whether these bytes are an answer with its whole body."""
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = got.find(b"content-length: ", 0, end)
    length = int(got[at + 16 : got.index(b"\r", at)])
    return len(got) >= end + 4 + length


class _Tally:
    answered = 0
    wrong = b""


class _Client(asyncio.Protocol):
    """One connection; the next request follows the answer to the last."""

    def __init__(self, requests: Iterator[bytes], tally: _Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        if not whole_answer(got):
            return
        self._got = b""
        if not got.startswith(b"HTTP/1.1 200"):
            self._tally.wrong = got
            self._transport.close()
            return
        self._tally.answered += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.wrong = self._tally.wrong or b"a connection was closed"


async def run(spec: LoadSpec) -> None:
    """Send until the input ends. Raises RuntimeError where a request is not answered with 200."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tally = _Tally()
    requests = _requests(spec)
    for _ in range(spec.clients):
        await loop.create_connection(lambda: _Client(requests, tally), "127.0.0.1", spec.port)
    while await reader.readline():
        if tally.wrong:
            raise RuntimeError(f"a request was not answered with 200: {tally.wrong[:2000]!r}")
        print(tally.answered, flush=True)


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=LoadSpec)))
