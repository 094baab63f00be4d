"""Requests that no well-behaved client sends: a clear 4xx, never a 5xx, nothing changed, nothing kept waiting."""

import asyncio
import contextlib
import json
import re
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response as PageResponse
from starlette.routing import Route as PageRoute

from chathooks.api import protocol
from chathooks.api.decoding import BODY_BYTES_MAX, JSON_DEPTH_MAX
from chathooks.api.problems import STATUS_BY_CODE
from chathooks.api.protocol import BODY_TIMEOUT_S, HEAD_BYTES_MAX, HEAD_TIMEOUT_S
from chathooks.api.routing import Answer, Call, Route
from chathooks.api.server import Listen
from support.server import ANSWER_TIMEOUT_S, Server, serving

pytestmark = pytest.mark.anyio

STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
KEY = b"a" * 40
HEAD = b"Host: localhost\r\napikey: " + KEY + b"\r\nConnection: close\r\n"
JSON_TYPE = b"Content-Type: application/json\r\n"


def post(body: bytes, path: bytes = b"/v3/webhooks", headers: bytes = JSON_TYPE) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\n" + HEAD + headers + length + b"\r\n" + body


def get(path: bytes, headers: bytes = b"") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HEAD + headers + b"\r\n"


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that must be one error in the envelope."""
    match = STATUS_LINE.match(answer)
    assert match is not None, answer[:200]
    status = int(match[1])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message", "details"}
    assert 400 <= status < 500
    assert STATUS_BY_CODE[error["code"]] == status
    return status, error["code"]


async def webhooks(server: Server) -> Any:
    return (await server.call("GET", "/webhooks")).data


def deep(levels: int) -> bytes:
    return b'{"name":' + b"[" * levels + b"]" * levels + b"}"


BAD_BODIES = {
    "no JSON": b"hello",
    "cut off": b'{"id":"a","name":',
    "followed by more": b'{"id":"a"} {}',
    "an array": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "not a number": b'{"id":NaN}',
    "a comment": b"{/* */}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"id":"a"}'.encode("utf-16"),
    "bad UTF-8": b'{"id":"\xff\xfe"}',
    "overlong UTF-8": b'{"id":"\xc0\x80"}',
    "a UTF-8 surrogate": b'{"id":"\xed\xa0\x80"}',
    "a lone high surrogate": b'{"id":"\\ud800"}',
    "a lone low surrogate": b'{"id":"\\udc00"}',
    "a NUL escape": b'{"id":"a","name":"a\\u0000b","webhookURL":"https://example.com/"}',
    "a NUL in a name": b'{"\\u0000":1}',
    "a NUL byte": b'{"id":"a\x00"}',
    "a control character": b'{"id":"a\x07"}',
    "deep": deep(JSON_DEPTH_MAX + 1),
    "very deep": deep(200_000),
    "deep objects": b'{"a":' * 100_000,
    "only brackets": b"[" * 1_000_000,
    "a huge integer": b'{"id":"a","name":"n","webhookURL":"https://example.com/","maxConcurrency":'
    + b"9" * 5000
    + b"}",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_body_that_is_not_what_the_call_takes_is_refused(
    server: Server, body: bytes
) -> None:
    before = await webhooks(server)
    assert refusal(await server.raw(post(body))) == (400, "ERR_BAD_REQUEST")
    assert await webhooks(server) == before


async def test_a_body_of_any_json_depth_up_to_the_limit_is_read(server: Server) -> None:
    answer = await server.raw(post(deep(JSON_DEPTH_MAX - 1)))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["details"].keys() != {"body"}


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"Content-Type: application/json; charset=utf-16\r\n",
        b"Content-Type: multipart/form-data; boundary=x\r\n",
        b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ],
)
async def test_a_body_that_does_not_say_json_is_an_unsupported_media_type(
    server: Server, headers: bytes
) -> None:
    body = b'{"id":"media","name":"n","webhookURL":"https://example.com/"}'
    answer = await server.raw(post(body, headers=headers))
    assert refusal(answer) == (415, "ERR_UNSUPPORTED_MEDIA_TYPE")
    assert (await server.call("GET", "/webhooks/media")).status == 404


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"APPLICATION/JSON; charset=UTF-8", b"application/vnd.api+json"],
)
async def test_json_may_be_called_by_any_of_its_names(server: Server, content_type: bytes) -> None:
    answer = await server.raw(
        post(b"{}", b"/v3/webhooks/none/secret/rotate", b"Content-Type: " + content_type + b"\r\n")
    )
    assert refusal(answer) == (404, "ERR_WEBHOOK_NOT_FOUND")


async def test_a_missing_body_is_named(server: Server) -> None:
    answer = await server.raw(post(b"", headers=b""))
    assert refusal(answer) == (400, "ERR_BAD_REQUEST")
    assert b'"body":"is required"' in answer


async def test_a_body_that_announces_too_much_is_refused_before_it_is_read(server: Server) -> None:
    request = (
        b"POST /v3/webhooks HTTP/1.1\r\n"
        + HEAD
        + JSON_TYPE
        + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1)
    )
    assert refusal(await server.raw(request)) == (413, "ERR_BODY_TOO_LARGE")


async def test_a_body_that_is_too_large_is_refused_whole_or_in_chunks(server: Server) -> None:
    large = b'{"id":"' + b"a" * BODY_BYTES_MAX + b'"}'
    assert refusal(await server.raw(post(large))) == (413, "ERR_BODY_TOO_LARGE")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    request = (
        b"POST /v3/webhooks HTTP/1.1\r\n"
        + HEAD
        + JSON_TYPE
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunk * (BODY_BYTES_MAX // 0x10000 + 1)
        + b"0\r\n\r\n"
    )
    assert refusal(await server.raw(request)) == (413, "ERR_BODY_TOO_LARGE")


async def test_a_body_of_exactly_the_limit_is_read(server: Server) -> None:
    body = b'{"id":"a"' + b" " * (BODY_BYTES_MAX - 10) + b"}"
    assert len(body) == BODY_BYTES_MAX
    assert refusal(await server.raw(post(body))) == (400, "ERR_BAD_REQUEST")


BAD_REQUESTS = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no method": b" / HTTP/1.1\r\n\r\n",
    "a made-up method": b"BREW /v3/webhooks HTTP/1.1\r\n" + HEAD + b"\r\n",
    "an HTTP version": b"GET /v3/webhooks HTTP/9.9\r\n" + HEAD + b"\r\n",
    "a NUL in the path": b"GET /v3/web\x00hooks HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a space in the path": b"GET /v3/web hooks HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a NUL in a header": b"GET /v3/webhooks HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    "a header without a colon": b"GET /v3/webhooks HTTP/1.1\r\nHost localhost\r\n\r\n",
    "a header that begins with a space": b"GET /v3/webhooks HTTP/1.1\r\n Host: a\r\n\r\n",
    "two lengths": post(b"{}", headers=JSON_TYPE + b"Content-Length: 3\r\n"),
    "a length and chunks": post(b"{}", headers=JSON_TYPE + b"Transfer-Encoding: chunked\r\n"),
    "a negative length": b"POST /v3/webhooks HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
    "a length that is no number": b"POST /v3/webhooks HTTP/1.1\r\n"
    + HEAD
    + b"Content-Length: ten\r\n\r\n",
    "a chunk size that is no number": b"POST /v3/webhooks HTTP/1.1\r\n"
    + HEAD
    + JSON_TYPE
    + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunks without line ends": b"POST /v3/webhooks HTTP/1.1\r\n"
    + HEAD
    + JSON_TYPE
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}{}{}{}{}",
    "a chunk size beyond 64 bits": b"POST /v3/webhooks HTTP/1.1\r\n"
    + HEAD
    + JSON_TYPE
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
}


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_what_is_not_a_valid_request_is_refused_in_the_envelope(
    server: Server, request_: bytes
) -> None:
    before = await webhooks(server)
    assert refusal(await server.raw(request_)) == (400, "ERR_BAD_REQUEST")
    assert await webhooks(server) == before


@pytest.mark.parametrize(
    "header",
    [b"apikey", b"appId", b"Content-Type", b"Host", b"X-Webhook-Version", b"onBehalfOf"],
)
async def test_a_header_that_is_sent_twice_is_refused(server: Server, header: bytes) -> None:
    repeated = b"".join(header + b": 2\r\n" for _ in range(2))
    assert refusal(await server.raw(get(b"/v3/webhooks", repeated))) == (400, "ERR_BAD_REQUEST")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/v3/webhooks/a%2Fb", 404),
        (b"/v3/webhooks/..%2F..%2Fetc", 404),
        (b"/v3/webhooks/../../etc/passwd", 404),
        (b"/v3/webhooks/%E2%98%83", 404),
        (b"/v3/webhooks/%zz", 404),
        (b"/v3/webhooks/%25%32%46", 404),
        (b"/v3/webhooks/%00", 400),
        (b"/v3/webhooks/a%00b", 400),
        (b"/v3/webhooks/%ff", 400),
        (b"/v3/webhooks/%ed%a0%80", 400),
        (b"/v3/webhooks/" + b"a" * 10_000, 404),
        (b"/v3/webhooks/", 404),
        (b"/v3//webhooks", 404),
        (b"/v3/webhooks//triggers", 404),
        (b"/v3/nothing", 404),
        (b"/v3", 404),
        (b"/v4/webhooks", 404),
        (b"//v3/webhooks", 404),
        (b"/v3/webhooks/x/y/z/" + b"a/" * 1000, 404),
        (b"/apps//webhooks", 404),
        (b"/V3/webhooks", 404),
        (b"/nowhere", 404),
        (b"/docs/../v3", 404),
        (b"/v3/webhooks?" + b"a" * 9000, 400),
        (b"/v3/webhooks?" + b"a=1&" * 1000, 400),
        (b"/v3/webhooks?searchKey=%ff", 400),
        (b"/v3/webhooks?searchKey=%00", 400),
        (b"/v3/webhooks?searchKey=%ed%a0%80", 400),
        (b"/v3/webhooks?%00=1", 400),
        (b"/v3/webhooks/none?x=1", 400),
        (b"/v3/deliveries/dlv_1_99999999999999999999999999", 404),
        (b"/v3/deliveries/dlv_-1_1", 404),
        (b"/v3/deliveries/dlv_%D9%A1_1", 404),
    ],
)
async def test_a_strange_path_or_query_is_refused(
    server: Server, path: bytes, expected: int
) -> None:
    status, _ = refusal(await server.raw(get(path)))
    assert status == expected


async def test_a_literal_part_of_a_path_may_be_percent_encoded(server: Server) -> None:
    assert (await server.raw(get(b"/v3/%77ebhooks"))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("method", ["PATCH", "HEAD", "OPTIONS", "TRACE", "LOCK"])
async def test_another_method_is_an_unknown_call(server: Server, method: str) -> None:
    answer = await server.raw(get(b"/v3/webhooks").replace(b"GET", method.encode(), 1))
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_larger_headers_than_the_limit_are_refused(server: Server) -> None:
    one = b"X-Large: " + b"a" * HEAD_BYTES_MAX + b"\r\n"
    many = b"".join(b"X-%d: a\r\n" % number for number in range(10_000))
    for headers in (one, many):
        answer = await server.raw(get(b"/v3/webhooks", headers))
        assert refusal(answer) == (431, "ERR_HEADERS_TOO_LARGE")
    long_path = await server.raw(get(b"/v3/" + b"a" * HEAD_BYTES_MAX))
    assert refusal(long_path) == (431, "ERR_HEADERS_TOO_LARGE")


async def test_a_header_that_never_ends_is_refused_while_it_arrives(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /v3/webhooks HTTP/1.1\r\nX-Endless: ")
    for _ in range(HEAD_BYTES_MAX // 1024 + 2):
        writer.write(b"a" * 1024)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    assert refusal(answer) == (431, "ERR_HEADERS_TOO_LARGE")
    writer.close()


async def test_an_upgrade_that_is_not_offered_is_answered_as_a_plain_call(server: Server) -> None:
    headers = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    request = get(b"/v3/nothing").replace(b"Connection: close\r\n", headers)
    answer = await server.raw(request, until_closed=False)
    assert answer.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("sent", "limit_s"),
    [
        (b"GET /v3/webhooks HTTP/1.1\r\nHost: a\r\n", HEAD_TIMEOUT_S),
        (post(b"{}")[:-1], BODY_TIMEOUT_S),
        (
            b"POST /v3/webhooks HTTP/1.1\r\n"
            + HEAD
            + JSON_TYPE
            + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            BODY_TIMEOUT_S,
        ),
    ],
    ids=["head", "body", "chunks"],
)
async def test_a_request_that_stops_half_way_times_out(
    tmp_path: Path, sent: bytes, limit_s: float
) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        # The server has read it once an answer to a later connection has come.
        await server.call("GET", "/webhooks")
        now = asyncio.get_running_loop().time()
        server.http.expire(now + limit_s - 5)
        assert server.http.connections >= 1
        server.http.expire(now + limit_s + 1)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert refusal(answer) == (408, "ERR_REQUEST_TIMEOUT")
        assert (await webhooks(server)) == []
        writer.close()


async def test_a_connection_that_sends_nothing_is_closed_in_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await server.call("GET", "/webhooks")  # the server has accepted the earlier connection then
        now = asyncio.get_running_loop().time()
        server.http.expire(now + HEAD_TIMEOUT_S + 1)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_a_client_that_does_not_close_after_a_refusal_is_cut_off(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"nonsense\r\n\r\n")
        assert refusal(await asyncio.wait_for(reader.read(), 10))
        assert server.http.connections == 1
        now = asyncio.get_running_loop().time()
        server.http.expire(now + protocol.LINGER_S + 1)
        await server.raw(get(b"/v3/webhooks"))
        assert server.http.connections <= 1  # at most the one that asked just now
        writer.close()


async def test_a_connection_beyond_the_limit_is_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path, listen=Listen(port=0, connections_max=2)) as server:
        kept = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"ERR_TOO_MANY_CONNECTIONS" in answer
        for _, other in [*kept, (reader, writer)]:
            other.close()


async def test_a_client_that_does_not_read_its_answers_is_cut_off(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        page = b"GET /docs/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
        writer.write(page * 100)
        for _ in range(100):  # by then the server has filled every buffer on the way
            await server.raw(get(b"/v3/webhooks"))
        now = asyncio.get_running_loop().time()
        server.http.expire(now + protocol.WRITE_TIMEOUT_S + 1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(100 * 300_000), 10)
        writer.close()


async def test_a_refused_body_does_not_spoil_the_next_request_on_its_connection(
    server: Server,
) -> None:
    keep = post(b" " * (BODY_BYTES_MAX * 2)).replace(b"Connection: close\r\n", b"")
    answer = await server.raw(keep + get(b"/v3/webhooks/first"))
    assert re.findall(rb'"code":"(\w+)"', answer) == [
        b"ERR_BODY_TOO_LARGE",
        b"ERR_WEBHOOK_NOT_FOUND",
    ]


async def test_a_body_that_no_call_asked_for_is_read_past_up_to_a_limit(server: Server) -> None:
    def with_body(size: int) -> bytes:
        length = b"Content-Length: %d\r\n" % size
        keep = get(b"/v3/webhooks/first", length).replace(b"Connection: close\r\n", b"")
        return keep + b"x" * size

    answer = await server.raw(with_body(10_000) + get(b"/v3/nothing"))
    assert re.findall(rb'"code":"(\w+)"', answer) == [
        b"ERR_WEBHOOK_NOT_FOUND",
        b"ERR_API_NOT_FOUND",
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(with_body(protocol.DISCARDED_BYTES_MAX * 4)[: -protocol.DISCARDED_BYTES_MAX])
    with contextlib.suppress(ConnectionError):  # how the end looks depends on what was under way
        await asyncio.wait_for(reader.read(), 10)
    assert reader.at_eof() or reader.exception() is not None
    writer.close()


async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    keep = get(b"/v3/webhooks/first").replace(b"Connection: close\r\n", b"")
    answer = await server.raw(keep * 3 + get(b"/v3/nothing"))
    codes = re.findall(rb'"code":"(\w+)"', answer)
    assert codes == [b"ERR_WEBHOOK_NOT_FOUND"] * 3 + [b"ERR_API_NOT_FOUND"]


class Number(msgspec.Struct, forbid_unknown_fields=True):
    number: int


def broken_routes(*_: Any) -> list[Route]:
    async def fail(_: Call) -> Answer:
        raise RuntimeError("the secret reason")

    async def overflow(call: Call) -> Answer:
        return Answer(call.body.number.to_bytes(8, "big").hex())

    async def unencodable(_: Call) -> Answer:
        return Answer(object())

    return [
        Route(method="GET", path="/fail", handler=fail, summary="", tag="Test", answer=str),
        Route(method="GET", path="/strange", handler=unencodable, summary="", tag="T", answer=str),
        Route(
            method="POST",
            path="/overflow",
            handler=overflow,
            summary="",
            tag="Test",
            answer=str,
            body=Number,
        ),
    ]


async def test_thousands_of_requests_in_one_chunk_are_refused_and_keep_nothing(
    server: Server,
) -> None:
    chunk = b"GET /healthz HTTP/1.1\r\n\r\n" * 15_000
    answers = await server.raw(chunk)
    statuses = STATUS_LINE.findall(answers)
    assert len(statuses) <= protocol.PIPELINED_MAX + 2
    assert statuses[-1] == b"400"
    (connections,) = {
        len(one.pipeline) for one in server.http._server.server_state.connections
    } or {0}
    assert connections == 0
    assert (await server.request("GET", "/healthz")).status == 200


async def test_requests_in_one_chunk_beyond_what_may_wait_come_back_in_turn(server: Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    count = protocol.PIPELINED_MAX
    chunk = (one + b"\r\n") * (count - 1) + one + b"Connection: close\r\n\r\n"
    statuses = STATUS_LINE.findall(await server.raw(chunk))
    assert statuses == [b"200"] * count


async def test_a_failure_of_the_server_shows_no_internals(tmp_path: Path) -> None:
    async def fail(_: Request) -> PageResponse:
        raise RuntimeError("the secret reason")

    pages = [PageRoute("/broken-page", fail)]
    async with serving(tmp_path, routes=broken_routes, pages=pages) as server:
        for path in ("/fail", "/strange"):
            answer = await server.call("GET", path)
            assert (answer.status, answer.code) == (500, "ERR_EXCEPTION")
            assert b"secret reason" not in answer.body


async def test_a_number_that_no_column_can_hold_is_the_client_s_mistake(tmp_path: Path) -> None:
    async with serving(tmp_path, routes=broken_routes) as server:
        answer = await server.call("POST", "/overflow", {"number": 10**30})
        assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST")


async def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_TIMEOUT_S)
            (connection,) = server.http._server.server_state.connections
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        finally:
            writer.close()
