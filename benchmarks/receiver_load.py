"""Signed deliveries over kept connections: as fast as they are answered, or at a rate that waits for nobody.

`python -m benchmarks.receiver_load '<spec as JSON>'` prints one JSON object: answers by status, latencies in milliseconds
and the event ids that were answered 200. Every event is a new one. At a rate, latency counts from the moment when a
request was due, so that a stall is not hidden by the requests that it kept from being sent.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop

from chathooks_events.samples import sample_body
from chathooks_events.signing import SigningKey, basic_authorization
from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET

GRACE_S = 5.0
"""How long answers are waited for after the last request."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What the load is told. `rate` is requests per second, 0 for as many as are answered."""

    port: int
    path: str = "/"
    connections: int = 64
    seconds: float = 5.0
    rate: float = 0.0
    conversations: int = 200
    run: str = "run"


class Requests:
    """Makes one request after the other; each is a new event of one of so many conversations."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._numbers = itertools.count()
        self._key = SigningKey.parse(TEST_SECRET)
        template = sample_body("message_sent", event_id="@EVENT@")
        conversation = json.loads(template)["data"]["message"]["conversationId"]
        self._parts = template.replace(conversation.encode(), b"@CONVERSATION@")
        self._head = (
            f"POST {spec.path} HTTP/1.1\r\nHost: 127.0.0.1:{spec.port}\r\n"
            "Content-Type: application/json\r\nchathooks-attempt: 1\r\n"
            f"Authorization: {basic_authorization(*TEST_CREDENTIALS)}\r\n"
        ).encode()

    def next(self) -> tuple[str, bytes]:
        """The event id and the whole request."""
        number = next(self._numbers)
        event_id = f"evt_{self._spec.run}-{number}"
        conversation = f"c{number % self._spec.conversations}".encode()
        body = self._parts.replace(b"@EVENT@", event_id.encode()).replace(
            b"@CONVERSATION@", conversation
        )
        at_s = int(time.time())
        signature = self._key.sign(event_id, at_s, body)
        head = (
            f"webhook-id: {event_id}\r\nwebhook-timestamp: {at_s}\r\nwebhook-signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return event_id, self._head + head.encode() + body


class Tally:
    """What came back."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.latencies_s: list[float] = []
        self.accepted: list[str] = []
        self.lost_connections = 0


class Connection(asyncio.Protocol):
    """One connection; tells `free` when it can take the next request."""

    def __init__(self, tally: Tally, free: "deque[Connection]", idle: asyncio.Event) -> None:
        self._tally = tally
        self._free = free
        self._idle = idle
        self._got = b""
        self._due_s = 0.0
        self._event_id = ""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._free.append(self)

    def send(self, event_id: str, request: bytes, due_s: float) -> None:
        assert self.transport is not None
        self._event_id, self._due_s = event_id, due_s
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return
        at = got.find(b"content-length: ", 0, end)
        if len(got) < end + 4 + int(got[at + 16 : got.index(b"\r", at)]):
            return
        self._got = b""
        status = int(got[9:12])
        self._tally.statuses[status] += 1
        self._tally.latencies_s.append(time.perf_counter() - self._due_s)
        if status == 200:
            self._tally.accepted.append(self._event_id)
        self._free.append(self)
        self._idle.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost_connections += 1


async def run(spec: Spec) -> Tally:
    """Send for `spec.seconds`, then wait for the last answers."""
    loop = asyncio.get_running_loop()
    tally, free, idle = Tally(), deque[Connection](), asyncio.Event()
    connections = []
    for _ in range(spec.connections):
        _, made = await loop.create_connection(
            lambda: Connection(tally, free, idle), "127.0.0.1", spec.port
        )
        connections.append(made)
    requests = Requests(spec)
    begun_s = time.perf_counter()
    end_s = begun_s + spec.seconds
    sent = 0
    while (now_s := time.perf_counter()) < end_s:
        if not free:
            idle.clear()
            async with asyncio.timeout(GRACE_S):
                await idle.wait()
            continue
        due_s = now_s
        if spec.rate:
            due_s = begun_s + sent / spec.rate
            if due_s > now_s:
                await asyncio.sleep(due_s - now_s)
        free.popleft().send(*requests.next(), due_s)
        sent += 1
    deadline_s = time.perf_counter() + GRACE_S
    while sum(tally.statuses.values()) < sent and time.perf_counter() < deadline_s:  # noqa: ASYNC110 - a look now and then costs the measured nothing
        await asyncio.sleep(0.01)
    for connection in connections:
        assert connection.transport is not None
        connection.transport.close()
    return tally


def _share(ordered: Sequence[float], part: float) -> float:
    """The latency below which so large a part lies, in milliseconds."""
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2)


def summary(tally: Tally, seconds: float) -> dict[str, object]:
    """What is printed."""
    ordered = sorted(tally.latencies_s)
    return {
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "per_second": round(len(ordered) / seconds, 1),
        "p50_ms": _share(ordered, 0.5),
        "p99_ms": _share(ordered, 0.99),
        "max_ms": round(1000 * ordered[-1], 2),
        "accepted": tally.accepted,
    }


if __name__ == "__main__":
    told = msgspec.json.decode(sys.argv[1], type=Spec)
    json.dump(summary(uvloop.run(run(told)), told.seconds), sys.stdout)
