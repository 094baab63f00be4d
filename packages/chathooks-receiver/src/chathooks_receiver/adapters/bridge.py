"""An `AsyncReceiver` for code that runs in threads: it gets an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError

from chathooks_receiver.intake import Headers, Refusal, Response, refused
from chathooks_receiver.receiver import AsyncReceiver

START_TIMEOUT_S = 15.0
SPARE_S = 0.4
"""Above the receiver's own budget: with the default below the sender's two seconds. Only a stuck loop gets there."""


_STOPPING = Refusal(
    503, "ERR_STOPPING", "The receiver is stopping. Try again.", {"Retry-After": "1"}
)


class BlockingReceiver:
    """`handle` from any thread. Close it, or use it as a context manager."""

    def __init__(self, make: Callable[[], AsyncReceiver]) -> None:
        """Start the loop and open the receiver that `make` makes there. Raises what opening it raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="receiver-loop", daemon=True)
        self._thread.start()
        try:
            opening = asyncio.run_coroutine_threadsafe(_opened(make), self._loop)
            self._receiver = opening.result(START_TIMEOUT_S)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> "BlockingReceiver":
        """Already open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    @property
    def body_bytes_max(self) -> int:
        """The largest body that is accepted, in bytes; servers need not read on."""
        return self._receiver.body_bytes_max

    def handle(self, method: str, headers: Headers, body: bytes) -> Response:
        """Answer one request as `AsyncReceiver.handle` does. Never raises."""
        timeout_s = self._receiver.budget_s + SPARE_S
        work = self._receiver.handle(method, headers, body)
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)
        except (FutureTimeoutError, CancelledError):
            return refused(_STOPPING)
        except RuntimeError:
            work.close()  # the loop is closed: it will not run
            return refused(_STOPPING)

    def close(self) -> None:
        """Wait for events in flight, disconnect, end the thread."""
        if not self._loop.is_closed():
            closing = asyncio.run_coroutine_threadsafe(self._receiver.close(), self._loop)
            try:
                closing.result(START_TIMEOUT_S)
            finally:
                self._stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)


async def _opened(make: Callable[[], AsyncReceiver]) -> AsyncReceiver:
    receiver = make()
    await receiver.open()
    return receiver
