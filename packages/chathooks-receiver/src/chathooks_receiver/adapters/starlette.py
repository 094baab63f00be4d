"""An endpoint for Starlette and FastAPI: a route's function, and the lifespan that opens the receiver.

app = FastAPI(lifespan=lifespan(receiver))
app.add_route("/webhook", endpoint(receiver), methods=["POST"])
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as StarletteResponse

from chathooks_receiver.adapters.asgi import BODY_TIMEOUT_S
from chathooks_receiver.intake import Response, too_large
from chathooks_receiver.receiver import AsyncReceiver

CLIENT_CLOSED_STATUS = 400
"""For a sender that is no longer there; nobody reads it."""


def endpoint(receiver: AsyncReceiver) -> Callable[[Request], Awaitable[StarletteResponse]]:
    """The function of a route. It reads the raw body itself, so declare no body parameter beside it."""

    async def webhook(request: Request) -> StarletteResponse:
        try:
            body = await _body(request, receiver.body_bytes_max)
        except (ClientDisconnect, TimeoutError):
            return StarletteResponse(status_code=CLIENT_CLOSED_STATUS)
        if body is None:
            return _converted(receiver.refuse(too_large(receiver.body_bytes_max)))
        return _converted(await receiver.handle(request.method, request.headers.items(), body))

    return webhook


def lifespan(receiver: AsyncReceiver) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """A lifespan that opens `receiver` before the first request and closes it after the last."""

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[None]:
        async with receiver:
            yield

    return opened


async def _body(request: Request, bytes_max: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async with asyncio.timeout(BODY_TIMEOUT_S):
        async for chunk in request.stream():
            size += len(chunk)
            if size > bytes_max:
                return None
            chunks.append(chunk)
    return b"".join(chunks)


def _converted(response: Response) -> StarletteResponse:
    return StarletteResponse(
        content=response.body, status_code=response.status, headers=dict(response.headers)
    )
