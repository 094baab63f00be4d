"""Answers of the API leave in one write, and are the same to the byte however they are sent."""

import re
from typing import Any

import pytest

from chathooks.api import protocol
from chathooks.api.protocol import EdgeProtocol
from support.server import Server

pytestmark = pytest.mark.anyio

KEY = b"a" * 40


def call(
    method: bytes = b"GET",
    path: bytes = b"/v3/webhooks",
    version: bytes = b"1.1",
    connection: bytes = b"close",
) -> bytes:
    head = b"Host: localhost\r\napikey: " + KEY + b"\r\nConnection: " + connection + b"\r\n"
    return method + b" " + path + b" HTTP/" + version + b"\r\n" + head + b"\r\n"


def without_date(answers: bytes) -> bytes:
    return re.sub(rb"date: [^\r]*\r\n", b"", answers)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What requests' answers are written as, write by write."""
    found: list[bytes] = []

    class Noting(protocol._CycleTransport):
        __slots__ = ()

        def __init__(self, transport: Any, close: Any) -> None:
            super().__init__(transport, close)
            write = self.write

            def noted(data: bytes) -> None:
                found.append(data)
                write(data)

            self.write = noted

    monkeypatch.setattr(protocol, "_CycleTransport", Noting)
    return found


@pytest.mark.parametrize("path", [b"/v3/webhooks", b"/v3/webhooks/none", b"/v3/none"])
async def test_an_answer_is_one_write(server: Server, writes: list[bytes], path: bytes) -> None:
    answer = await server.raw(call(path=path))
    assert writes == [answer]


@pytest.mark.parametrize(
    "request_bytes",
    [
        call(),
        call(path=b"/v3/webhooks/none"),
        call(version=b"1.0"),
        call(connection=b"keep-alive") + call(path=b"/v3/none"),
        call(b"PUT", b"/v3/webhooks/none"),
    ],
    ids=["answer", "refusal", "HTTP/1.0", "two on one connection", "no body sent"],
)
async def test_a_whole_answer_is_what_its_two_parts_would_be(
    server: Server, monkeypatch: pytest.MonkeyPatch, request_bytes: bytes
) -> None:
    whole = await server.raw(request_bytes)
    monkeypatch.setattr(EdgeProtocol, "_answer", lambda *_: False)
    assert without_date(await server.raw(request_bytes)) == without_date(whole)
    assert whole.startswith(b"HTTP/1.1 ")


async def test_an_answer_to_head_has_no_body(server: Server) -> None:
    answer = await server.raw(call(b"HEAD"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"content-length: " in head
    assert body == b""


async def test_answers_to_requests_that_wait_behind_each_other_come_in_order(
    server: Server,
) -> None:
    asked = [b"/v3/webhooks/none", b"/v3/none", b"/v3/webhooks/none"]
    chunk = b"".join(call(path=path, connection=b"keep-alive") for path in asked)
    answers = await server.raw(chunk + call(path=b"/v3/none"))
    codes = re.findall(rb'"code":"(\w+)"', answers)
    assert codes == [b"ERR_WEBHOOK_NOT_FOUND", b"ERR_API_NOT_FOUND"] * 2
