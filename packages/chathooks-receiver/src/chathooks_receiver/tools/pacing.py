"""Waiting that can be ended, and running until somebody ends it."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def stopped_within(stop: asyncio.Event, wait_s: float) -> bool:
    """Wait for `wait_s` seconds or for `stop`, whichever comes first; true where it is the stop."""
    if wait_s <= 0:
        return stop.is_set()
    try:
        async with asyncio.timeout(wait_s):
            await stop.wait()
    except TimeoutError:
        return False
    return True


@contextlib.contextmanager
def _told_of_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    # In another thread than the main one, or where the system has no such signals, nobody can send any.
    added = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
            added.append(number)
    try:
        yield
    finally:
        for number in added:
            loop.remove_signal_handler(number)


def run_until_stopped(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run `work` to its end; Ctrl-C and SIGTERM set the event that it is given, so that it can end in order."""

    async def main() -> T:
        stop = asyncio.Event()
        with _told_of_signals(asyncio.get_running_loop(), stop):
            return await work(stop)

    return asyncio.run(main())
