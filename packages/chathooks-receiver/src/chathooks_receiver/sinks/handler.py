"""A function as a sink: what it returns from without an error is accepted."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from chathooks_receiver.intake import Arrival

THREADS_MAX = 16
"""Of one sink, for functions that are not async."""


class HandlerSink:
    """Calls `handler` with each event. One that is not async runs in a thread, so that it may block."""

    def __init__(
        self,
        handler: Callable[[Arrival], Awaitable[None]] | Callable[[Arrival], None],
        threads_max: int = THREADS_MAX,
    ) -> None:
        """Keep the function. `threads_max` bounds how many calls of a plain function run at once."""
        self._handler = handler
        self._is_async = inspect.iscoroutinefunction(handler)
        self._threads = ThreadPoolExecutor(threads_max, thread_name_prefix="handler")

    async def open(self) -> None:
        """Nothing to do."""

    async def put(self, arrival: Arrival) -> bool:
        """Call the function, and pass on what it raises."""
        if self._is_async:
            result = self._handler(arrival)
        else:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, self._handler, arrival)
        if inspect.isawaitable(result):
            await result
        return True

    async def close(self) -> None:
        """Wait for calls under way."""
        await asyncio.to_thread(self._threads.shutdown)
