"""A plain ASGI 3 application: for uvicorn, hypercorn and granian, or mounted in any ASGI framework."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from chathooks_receiver.intake import Response, too_large
from chathooks_receiver.receiver import AsyncReceiver

BODY_TIMEOUT_S = 10.0
"""A sender gives up after two seconds; one that drips longer than this is not one."""

_UNREAD_HEADERS = frozenset(
    (b"host", b"user-agent", b"accept", b"accept-encoding", b"content-length", b"connection")
)
"""What nearly every request has and no check asks for; ASGI gives names in lower case."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)


class Disconnected(Exception):
    """The sender went away, or was too slow, before its body was whole."""


class ReceiverApp:
    """Answers at every path. Opens the receiver with the lifespan protocol and closes it in the end.

    `contexts` are entered after the receiver is open, in this order, and left before it is closed: a worker, for example.
    """

    def __init__(
        self,
        receiver: AsyncReceiver,
        contexts: Sequence[AbstractAsyncContextManager[object]] = (),
    ) -> None:
        """Keep both."""
        self._receiver = receiver
        self._contexts = contexts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await serve_request(self._receiver, scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._receiver)
                for context in self._contexts:
                    await stack.enter_async_context(context)
            except Exception as error:
                log.exception("The receiver cannot start.")
                message = {"type": "lifespan.startup.failed", "message": type(error).__name__}
                await send(message)
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def serve_request(
    receiver: AsyncReceiver, scope: Scope, receive: Receive, send: Send
) -> None:
    """Read the body, up to the limit, and answer."""
    try:
        body = await _body(scope, receive, receiver.body_bytes_max)
    except Disconnected:
        return
    if body is None:
        await _answer(receiver.refuse(too_large(receiver.body_bytes_max)), send, close=True)
        return
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name not in _UNREAD_HEADERS
    ]
    await _answer(await receiver.handle(scope["method"], headers, body), send)


async def _body(scope: Scope, receive: Receive, bytes_max: int) -> bytes | None:
    """The body, or None where it is too large."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > bytes_max:
            return None
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False):
        return body if len(body) <= bytes_max else None
    chunks = [body]
    size = len(body)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while message["type"] == "http.request":
                if size > bytes_max:
                    return None
                if not message.get("more_body", False):
                    return b"".join(chunks)
                message = await receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
    raise Disconnected


async def _answer(response: Response, send: Send, *, close: bool = False) -> None:
    headers = response.raw_headers
    if close:
        headers = (*headers, (b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
