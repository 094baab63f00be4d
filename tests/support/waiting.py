"""Waiting, with a bound, for what another task, thread or process does."""

import asyncio
from collections.abc import Awaitable, Callable

WAIT_S = 20.0
LOOK_AGAIN_S = 0.02
EVENTUALLY_S = 15.0
POLL_S = 0.01


async def until(look: Callable[[], Awaitable[bool]], timeout_s: float = WAIT_S) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(timeout_s):
        while not await look():  # noqa: ASYNC110 -- what is looked at is behind an API, which has no event
            await asyncio.sleep(LOOK_AGAIN_S)


async def eventually(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], timeout_s: float = EVENTUALLY_S
) -> None:
    """Return once `condition` holds; TimeoutError after `timeout_s` seconds."""
    async with asyncio.timeout(timeout_s):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(POLL_S)
