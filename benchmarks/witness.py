"""Sends messages at a steady rate and sees them arrive: both ends of the path in one process, on one clock.

`python -m benchmarks.witness '<spec as JSON>'`. It listens on free ports over TLS, each an endpoint, and names
them in a line; for the line `{"port": …}`, the server's, it sends messages at the rate however long answers take
(open loop), and answers with what it saw. A latency is from the arrival of the API's answer to the arrival of the
delivery's last byte at an endpoint. Endpoints that hang take requests and never answer; what reaches them counts
for nothing.
"""

import asyncio
import collections
import ssl
import sys
import time
from typing import cast

import msgspec
import uvloop

from benchmarks.figures import percentile
from benchmarks.load import message_body, request_bytes, whole_answer

ARRIVAL_S_MAX = 60.0
"""How long after the last message its deliveries are waited for; retries come within it."""
CLIENTS = 64
TICK_S = 0.001
MUID = b'"muid":"m-'

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class WitnessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the witness is told. Times in seconds."""

    endpoints: int
    hanging: int = 0
    """So many of them, the first ones, never answer."""
    spared: int = 0
    """So many of them, the first ones, do not count."""
    cert_file: str = ""
    key_file: str = ""
    rate: float
    """Messages per second."""
    warm_seconds: float
    seconds: float


class Listening(msgspec.Struct, frozen=True):
    """Where the witness listens."""

    ports: list[int]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the witness saw of the messages after the warm-up. Latencies in ms."""

    deliveries: int
    p50_ms: float
    p99_ms: float
    most_ms: float
    late_ms: float
    """The longest that a message was sent after its time: the load's own delay."""
    answer_p50_ms: float
    answer_p99_ms: float


class Ledger:
    """When each message was sent and answered, and when it arrived where."""

    def __init__(self, counted: int, expected: int) -> None:
        self.sent: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self.arrived: dict[tuple[int, int], float] = {}
        self.wrong = b""
        self.all_seen = asyncio.Event()
        self._missing = counted * expected

    def arrival(self, number: int, endpoint: int) -> None:
        """A delivery of message `number` is here; further attempts are not counted."""
        key = (number, endpoint)
        if key not in self.arrived:
            self.arrived[key] = time.perf_counter()
            self._missing -= 1
            if not self._missing:
                self.all_seen.set()

    def seen(self, first: int, late_s: float) -> Seen:
        """Figures of the messages from number `first` on."""
        latencies = sorted(
            (at - self.answered[number]) * 1000
            for (number, _), at in self.arrived.items()
            if number >= first
        )
        answers = sorted(
            (at - self.sent[number]) * 1000
            for number, at in self.answered.items()
            if number >= first
        )
        return Seen(
            deliveries=len(latencies),
            p50_ms=round(percentile(latencies, 0.5), 3),
            p99_ms=round(percentile(latencies, 0.99), 3),
            most_ms=round(latencies[-1], 3),
            late_ms=round(late_s * 1000, 3),
            answer_p50_ms=round(percentile(answers, 0.5), 3),
            answer_p99_ms=round(percentile(answers, 0.99), 3),
        )


class _Endpoint(asyncio.Protocol):
    def __init__(self, ledger: Ledger, endpoint: int, *, hangs: bool, counts: bool) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._hangs = hangs
        self._counts = counts
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return
        at = got.lower().find(b"content-length:", 0, end)
        length = int(got[at + 15 : got.index(b"\r", at)])
        if len(got) < end + 4 + length:
            return
        self._got = b""
        if self._hangs:
            return
        self._transport.write(_ANSWER)
        if self._counts:
            at = got.index(MUID, end) + len(MUID)
            self._ledger.arrival(int(got[at : got.index(b'"', at)]), self._endpoint)


class _Client(asyncio.Protocol):
    """A connection to the server; takes the next message that waits once the last was answered."""

    def __init__(self, ledger: Ledger, waiting: collections.deque[tuple[int, bytes]]) -> None:
        self._ledger = ledger
        self._waiting = waiting
        self._number: int | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def take(self) -> bool:
        """Send a message that waits; False where this connection is busy or none waits."""
        if self._number is not None or not self._waiting:
            return False
        self._number, request = self._waiting.popleft()
        self._transport.write(request)
        return True

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        if not whole_answer(got) or self._number is None:
            return
        self._got = b""
        self._ledger.answered[self._number] = time.perf_counter()
        self._number = None
        if not got.startswith(b"HTTP/1.1 200"):
            self._ledger.wrong = got
            self._ledger.all_seen.set()
        self.take()


async def _send(spec: WitnessSpec, ledger: Ledger, port: int, total: int) -> float:
    """Send all messages, each at its time; answers the longest delay of one, in seconds."""
    waiting: collections.deque[tuple[int, bytes]] = collections.deque()
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    for _ in range(CLIENTS):
        _, client = await loop.create_connection(
            lambda: _Client(ledger, waiting), "127.0.0.1", port
        )
        clients.append(client)
    requests = [
        request_bytes(port, "/v3/messages", message_body(f"m-{number}"), acting=True)
        for number in range(total)
    ]
    began = time.perf_counter()
    sent, late_s = 0, 0.0
    while sent < total and not ledger.wrong:
        now = time.perf_counter()
        while sent < total and began + sent / spec.rate <= now:
            late_s = max(late_s, now - (began + sent / spec.rate))
            ledger.sent[sent] = now
            waiting.append((sent, requests[sent]))
            sent += 1
            any(client.take() for client in clients)
        await asyncio.sleep(TICK_S)
    return late_s


async def run(spec: WitnessSpec) -> None:
    """Listen, send, tell. Raises RuntimeError where a message is refused or a delivery does not arrive."""
    loop = asyncio.get_running_loop()
    first = int(spec.rate * spec.warm_seconds)
    total = first + int(spec.rate * spec.seconds)
    counting = spec.endpoints - spec.spared
    ledger = Ledger(total, counting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(spec.cert_file, spec.key_file)
    ports = []
    for place in range(spec.endpoints):
        hangs, counts = place < spec.hanging, place >= spec.spared

        def made(place: int = place, hangs: bool = hangs, counts: bool = counts) -> _Endpoint:
            return _Endpoint(ledger, place, hangs=hangs, counts=counts)

        server = await loop.create_server(made, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
    print(msgspec.json.encode(Listening(ports)).decode(), flush=True)
    line = await loop.run_in_executor(None, sys.stdin.readline)
    server_port: int = msgspec.json.decode(line)["port"]
    late_s = await _send(spec, ledger, server_port, total)
    try:
        async with asyncio.timeout(ARRIVAL_S_MAX):
            await ledger.all_seen.wait()
    except TimeoutError:
        raise RuntimeError(
            f"{len(ledger.arrived)} of {total * counting} deliveries arrived"
        ) from None
    if ledger.wrong:
        raise RuntimeError(f"a message was not answered with 200: {ledger.wrong[:2000]!r}")
    print(msgspec.json.encode(ledger.seen(first, late_s)).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(run(msgspec.json.decode(sys.argv[1], type=WitnessSpec)))
