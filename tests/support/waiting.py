"""Waiting, with a bound, for what another thread or process does."""

import asyncio
from collections.abc import Awaitable, Callable

WAIT_S = 20.0
LOOK_AGAIN_S = 0.02


async def until(look: Callable[[], Awaitable[bool]], timeout_s: float = WAIT_S) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(timeout_s):
        while not await look():  # noqa: ASYNC110 -- what is looked at is behind an API, which has no event
            await asyncio.sleep(LOOK_AGAIN_S)
