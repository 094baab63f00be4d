"""What an endpoint does with a connection, from well-behaved to hostile.

`by_path` serves most of them from one listener: the first segment of the path names the behaviour
(`/status/404`, `/hang`, `/drip-body`).
"""

import asyncio
from collections.abc import Awaitable, Callable

from support.endpoints.server import Behaviour, Connection, Request

RequestHandler = Callable[[Connection, Request], Awaitable[None]]

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNK = b"x" * 16_384
BODY_BYTES_ENDLESS = 64 * 1024 * 1024
HEADER_BYTES_ENDLESS = 16 * 1024 * 1024


def each_request(handler: RequestHandler) -> Behaviour:
    """Handle every request of a kept connection."""

    async def behave(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            await handler(connection, request)

    return behave


def answering(status: int = 200, body: bytes = b"ok", *headers: str) -> Behaviour:
    """Answer every request alike and keep the connection."""

    async def handle(connection: Connection, _: Request) -> None:
        await connection.answer(status, body, headers)

    return each_request(handle)


def sending(data: bytes) -> Behaviour:
    """Answer every request with these very bytes, then close."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.write(data)

    return behave


async def reset_on_accept(connection: Connection) -> None:
    connection.reset()


async def close_on_accept(connection: Connection) -> None:
    return


async def mute(connection: Connection) -> None:
    """Accept and never say a word: a TLS client waits for the handshake."""
    await connection.until_closed()


async def hang(connection: Connection, _: Request) -> None:
    await connection.until_closed()


async def reset_after_request(connection: Connection, _: Request) -> None:
    connection.reset()


def kept_then(handler: RequestHandler, *, kept_requests: int = 1) -> Behaviour:
    """Answer the first `kept_requests` requests of each connection, then misbehave."""

    async def behave(connection: Connection) -> None:
        for _ in range(kept_requests):
            if await connection.request() is None:
                return
            await connection.answer()
        request = await connection.request()
        if request is not None:
            await handler(connection, request)

    return behave


async def close_unanswered(connection: Connection, _: Request) -> None:
    return


def warm_until(limit: int, handler: RequestHandler) -> Behaviour:
    """Answer while the listener has seen at most `limit` requests, then misbehave on each."""

    async def handle(connection: Connection, request: Request) -> None:
        if len(connection.endpoint.requests) <= limit:
            await connection.answer()
        else:
            await handler(connection, request)
            raise ConnectionResetError

    return each_request(handle)


async def drip_headers(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD)
    for number in range(1000):
        await connection.write(b"X-%d: drip\r\n" % number)
        await asyncio.sleep(0.05)


async def drip_body(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        await connection.write(b"d")
        await asyncio.sleep(0.05)


async def late_headers_then_drip(connection: Connection, request: Request) -> None:
    await asyncio.sleep(1.8)
    await drip_body(connection, request)


async def endless_body(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _step in range(BODY_BYTES_ENDLESS // len(CHUNK)):
        await connection.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))


async def body_too_short(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD + b"Content-Length: 100\r\n\r\nshort")
    raise ConnectionResetError


async def body_too_long(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD + b"Content-Length: 2\r\n\r\nok, and then some more")


async def endless_headers(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD)
    for number in range(HEADER_BYTES_ENDLESS // 1024):
        await connection.write(b"X-%d: %b\r\n" % (number, b"h" * 1000))


async def many_headers(connection: Connection, _: Request) -> None:
    """33 KiB of headers, then a proper answer."""
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"h" * 1000) for number in range(34))
    await connection.write(OK_HEAD + lines + b"Content-Length: 2\r\n\r\nok")


async def huge_header(connection: Connection, _: Request) -> None:
    await connection.write(OK_HEAD + b"X-Huge: ")
    for _step in range(HEADER_BYTES_ENDLESS // len(CHUNK)):
        await connection.write(CHUNK)


async def garbage(connection: Connection, _: Request) -> None:
    await connection.write(b"\x00\x15\xffSSH-2.0-OpenSSH_9.2\r\n")
    raise ConnectionResetError


async def interim_then_ok(connection: Connection, _: Request) -> None:
    await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await connection.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
    await connection.answer(200, b"ok", ("X-Final: yes",))


async def endless_interim(connection: Connection, _: Request) -> None:
    while True:
        await connection.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 64)


async def slow_interim(connection: Connection, _: Request) -> None:
    while True:
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.05)


async def with_trailers(connection: Connection, _: Request) -> None:
    await connection.write(
        OK_HEAD
        + b"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: late\r\n\r\n"
    )


async def compressed(connection: Connection, _: Request) -> None:
    """Claims gzip; whoever decompresses would inflate or choke."""
    await connection.answer(200, b"\x1f\x8b\x08" + b"\0" * 200, ("Content-Encoding: gzip",))


async def _status(connection: Connection, request: Request) -> None:
    status = int(request.path.split("/")[2])
    location = ("Location: http://127.0.0.1:9/elsewhere",) if 300 <= status < 400 else ()
    await connection.answer(status, b"" if status in (204, 304) else b"status", location)


async def _ok(connection: Connection, _: Request) -> None:
    await connection.answer()


PATHS: dict[str, RequestHandler] = {
    "": _ok,
    "ok": _ok,
    "status": _status,
    "hang": hang,
    "reset": reset_after_request,
    "close": close_unanswered,
    "drip-headers": drip_headers,
    "drip-body": drip_body,
    "late": late_headers_then_drip,
    "endless-body": endless_body,
    "body-too-short": body_too_short,
    "body-too-long": body_too_long,
    "endless-headers": endless_headers,
    "many-headers": many_headers,
    "huge-header": huge_header,
    "garbage": garbage,
    "interim": interim_then_ok,
    "endless-interim": endless_interim,
    "slow-interim": slow_interim,
    "trailers": with_trailers,
    "compressed": compressed,
}

_CLOSING = frozenset({"close"})


async def _dispatch(connection: Connection, request: Request) -> None:
    name = request.path.split("?")[0].split("/")[1]
    await PATHS[name](connection, request)
    if name in _CLOSING:
        raise ConnectionResetError


by_path: Behaviour = each_request(_dispatch)


async def plain_bad_request(connection: Connection) -> None:
    """What a plain HTTP server says to a TLS client."""
    await connection.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await connection.until_closed()
