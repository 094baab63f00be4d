"""An endpoint for FastAPI: a router to include.

app = FastAPI(lifespan=lifespan(receiver))
app.include_router(router(receiver, "/webhook"))
"""

from fastapi import APIRouter

from chathooks_receiver.adapters.starlette import endpoint, lifespan
from chathooks_receiver.receiver import AsyncReceiver

__all__ = ["lifespan", "router"]


def router(receiver: AsyncReceiver, path: str) -> APIRouter:
    """A router with the endpoint at `path`. It answers other methods itself: with 405 and the kit's error body."""
    made = APIRouter()
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
    made.add_route(path, endpoint(receiver), methods=methods, include_in_schema=False)
    return made
