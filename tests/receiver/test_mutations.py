"""Mutated requests: whatever arrives is answered as documented, nothing is raised, memory stays flat."""

import asyncio
import os
import random
import resource
import tracemalloc
from collections.abc import Callable

import pytest

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.intake import Response
from chathooks_receiver.receiver import AsyncReceiver, Receiver
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.testing import (
    TEST_CREDENTIALS,
    TEST_SECRET,
    FakeSender,
    SignedRequest,
    signed_request,
)

REQUESTS = 100_000
TORTURE_REQUESTS = 1_000_000
NOW_S = 1_767_225_600.0
LISTED = {200, 400, 401, 405, 413, 415}
BODY_BYTES_MAX = 20_000
GROWTH_KIB_MAX = 32 * 1024
"""What a hundred thousand requests may add to the process: caches and windows fill, nothing more."""
BASES = 400

ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "é",
    "\ud800",
    "\uffff",
    "💥" * 50,
    "a" * 5_000,
    "Basic",
    "Basic ====",
    "Bearer abc",
    "v1,",
    "v1, v1,x",
    "-1",
    "99999999999999999999",
    "NaN",
    "1e999",
    "application/json; charset=utf-16",
    "text/json",
    "\r\nx: y",
)
ODD_BYTES = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 10_000,
    b'{"a":' * 5_000,
    b'{"trigger":"message_sent"}',
    b'{"trigger":1,"data":{},"appId":"a","region":"r","webhook":"w"}',
    b'{"trigger":"x","data":NaN,"appId":"a","region":"r","webhook":"w"}',
    b'{"trigger":"x","data":{"a":1e999},"appId":"a","region":"r","webhook":"w"}',
    b'{"trigger":"x","trigger":"y","data":{},"data":{"b":1},"appId":"a","region":"r","webhook":"w"}',
    b'{"trigger":"\\ud800","data":{"\\udfff":"\\ud800"},"appId":"a","region":"r","webhook":"w"}',
    b'{"trigger":"x","data":{},"appId":"a","region":"r","webhook":"w","eventId":"\\u0000"}',
    b'{"trigger":"x","data":123456789012345678901234567890,"appId":"a","region":"r","webhook":"w"}',
)
METHODS = ("POST", "post", "GET", "PUT", "DELETE", "HEAD", "PATCH", "", "P\x00ST", "ПОСТ")


class Mutator:
    """Valid requests, each changed in one to four places; the same seed gives the same requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        sender = FakeSender(now_s=lambda: NOW_S, seed=seed)
        names = list(TRIGGERS)
        self._bases = [sender.request(names[n % len(names)]) for n in range(BASES)]

    def request(self) -> SignedRequest:
        base = self._random.choice(self._bases)
        method, headers, body = "POST", dict(base.headers), base.body
        for _ in range(self._random.randint(0, 4)):
            kind = self._random.randrange(8)
            if kind == 0:
                method = self._random.choice(METHODS)
            elif kind <= 3:
                self._change_header(headers)
            elif kind <= 6:
                body = self._changed(body)
            else:
                # Rightly signed and authorised nonsense: only the decoder can find it out.
                body = self._changed(body)
                signed = signed_request(
                    "x",
                    body,
                    event_id=base.event_id,
                    timestamp_s=NOW_S,
                    credentials=TEST_CREDENTIALS,
                )
                headers, body = dict(signed.headers), signed.body
                if self._random.random() < 0.7:
                    headers, body = self._signed_raw(self._changed(base.body))
        return SignedRequest(method=method, headers=headers, body=body, event_id=None)

    def _signed_raw(self, body: bytes) -> tuple[dict[str, str], bytes]:
        from chathooks_events.signing import SigningKey, basic_authorization

        signature = SigningKey.parse(TEST_SECRET).sign("evt_x", int(NOW_S), body)
        headers = {
            "Content-Type": "application/json",
            "Authorization": basic_authorization(*TEST_CREDENTIALS),
            "webhook-id": "evt_x",
            "webhook-timestamp": str(int(NOW_S)),
            "webhook-signature": signature,
        }
        return headers, body

    def _change_header(self, headers: dict[str, str]) -> None:
        name = self._random.choice(list(headers)) if headers else "x"
        action = self._random.randrange(5)
        if action == 0:
            headers.pop(name, None)
        elif action == 1:
            headers[name] = self._random.choice(ODD_TEXTS)
        elif action == 2:
            headers[name.upper()] = headers.pop(name, "")
        elif action == 3:
            text = headers.get(name, "")
            at = self._random.randint(0, len(text))
            headers[name] = text[:at] + chr(self._random.randrange(0x2FF)) + text[at + 1 :]
        else:
            headers[self._random.choice(ODD_TEXTS)] = self._random.choice(ODD_TEXTS)

    def _changed(self, body: bytes) -> bytes:
        action = self._random.randrange(6)
        if action == 0:
            return self._random.choice(ODD_BYTES)
        if action == 1:
            return body[: self._random.randint(0, len(body))]
        at = self._random.randint(0, max(0, len(body) - 1))
        if action == 2:
            return body[:at] + bytes([self._random.randrange(256)]) + body[at + 1 :]
        if action == 3:
            return body[:at] + self._random.choice(ODD_BYTES)[:200] + body[at:]
        if action == 4:
            return body.replace(b'"', b"", 1) if self._random.random() < 0.5 else body * 2
        return body + b" " * self._random.choice((1, BODY_BYTES_MAX))


def used_kib() -> int:
    with open("/proc/self/statm", "rb") as statm:
        pages = int(statm.read().split()[1])
    return pages * resource.getpagesize() // 1024


def check(answer: Response) -> int:
    assert answer.status in LISTED, answer
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status


def run(handle: Callable[[SignedRequest], Response], count: int, seed: int) -> dict[int, int]:
    mutator = Mutator(seed)
    statuses: dict[int, int] = {}
    for _ in range(count):
        status = check(handle(mutator.request()))
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def sync_handle() -> Callable[[SignedRequest], Response]:
    receiver = Receiver(
        handler=lambda event: None,
        now_s=lambda: NOW_S,
        secrets=[TEST_SECRET],
        credentials=[TEST_CREDENTIALS],
        body_bytes_max=BODY_BYTES_MAX,
    )
    return lambda item: receiver.handle(item.method, item.headers, item.body)


def hammer(count: int, seed: int) -> None:
    handle = sync_handle()
    run(handle, 2_000, seed + 1)  # caches and windows fill
    before_kib = used_kib()
    statuses = run(handle, count, seed)
    assert used_kib() - before_kib < GROWTH_KIB_MAX
    assert set(statuses) == LISTED, statuses


@pytest.mark.timeout(300)
def test_a_hundred_thousand_mutated_requests_get_listed_answers_only() -> None:
    hammer(REQUESTS, seed=20261127)


@pytest.mark.torture
@pytest.mark.timeout(3_600)
@pytest.mark.skipif("CHATHOOKS_TORTURE" not in os.environ, reason="started by make torture")
def test_torture_a_million_mutated_requests_get_listed_answers_only() -> None:
    hammer(TORTURE_REQUESTS, seed=4)


def test_the_awaiting_form_gives_the_same_answers_and_keeps_nothing() -> None:
    async def both() -> None:
        sink = MemorySink(events_max=10)
        receiver = AsyncReceiver(
            sink=sink,
            dedupe=MemoryDedupe(),
            now_s=lambda: NOW_S,
            secrets=[TEST_SECRET],
            credentials=[TEST_CREDENTIALS],
            body_bytes_max=BODY_BYTES_MAX,
        )
        handle = sync_handle()
        mutator = Mutator(seed=7)
        for _ in range(5_000):
            item = mutator.request()
            expected = check(handle(item))
            got = await receiver.handle(item.method, item.headers, item.body)
            assert got.status == expected
            if sink.arrivals:
                sink.arrivals.pop().undocumented()  # of whatever was accepted, names can be told
        assert receiver.in_flight == 0

    asyncio.run(both())


def test_python_memory_does_not_grow_with_refused_requests() -> None:
    handle = sync_handle()
    run(handle, 3_000, seed=1)
    tracemalloc.start()
    run(handle, 3_000, seed=2)
    first, _ = tracemalloc.get_traced_memory()
    run(handle, 3_000, seed=3)
    second, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert second - first < 500_000
