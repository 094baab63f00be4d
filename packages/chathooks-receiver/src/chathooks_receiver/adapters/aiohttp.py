"""An endpoint for aiohttp: a handler, and a context that opens the receiver with the application.

app.router.add_route("*", "/webhook", handler(receiver))
app.cleanup_ctx.append(opened(receiver))
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from chathooks_receiver.adapters.asgi import BODY_TIMEOUT_S
from chathooks_receiver.intake import Response, too_large
from chathooks_receiver.receiver import AsyncReceiver


def handler(receiver: AsyncReceiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler; it reads the raw body itself, whatever the application's `client_max_size` says."""

    async def webhook(request: web.Request) -> web.Response:
        body = await _body(request, receiver.body_bytes_max)
        if body is None:
            return _converted(receiver.refuse(too_large(receiver.body_bytes_max)))
        return _converted(await receiver.handle(request.method, request.headers.items(), body))

    return webhook


def opened(receiver: AsyncReceiver) -> Callable[[web.Application], AsyncIterator[None]]:
    """For `Application.cleanup_ctx`: opens `receiver` at the start and closes it in the end."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        async with receiver:
            yield

    return context


async def _body(request: web.Request, bytes_max: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async with asyncio.timeout(BODY_TIMEOUT_S):
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > bytes_max:
                return None
            chunks.append(chunk)
    return b"".join(chunks)


def _converted(response: Response) -> web.Response:
    return web.Response(body=response.body, status=response.status, headers=dict(response.headers))
