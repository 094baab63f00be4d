"""Work that is done over and over: started and stopped together, any number of times.

A process has two of these. What concerns the process itself runs while it does. What concerns the store runs in one process of
a cluster, the one that leads: it starts these when it gains the lead, and stops them when it loses it. Every round is
made of small transactions, each judged by what it reads; so a round that is cut off between two of them, or one whose last
transaction is committed after the successor has begun, does no harm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import StoreUnavailable

ROUND_ENDS_S = 2.0
"""How long a round that is under way may go on when it is to stop; then it is cut off."""
FIRST_ROUND_S_MAX = 60
"""Work that was taken over is begun after so long at most, though its rounds are further apart: a lead that changes hands
often must not put it off for ever."""
_MS_PER_S = 1000

log = structlog.get_logger("server")


@dataclass(frozen=True, slots=True)
class Periodic:
    """One kind of work."""

    every_s: int
    round: Callable[[], Awaitable[object]]


class Schedules:
    """Several kinds of work. `start()` and `await stop()`, either as often as wanted."""

    def __init__(
        self, clock: Clock, work: Sequence[Periodic], *, first_within_s: int | None = None
    ) -> None:
        """
        Args:
            clock: times the rounds.
            work: what is done, each kind in a task of its own.
            first_within_s: the first round begins after so many seconds at most, where given.
        """
        self._clock = clock
        self._work = tuple(work)
        self._first_within_s = first_within_s
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Whether they were started and not stopped."""
        return bool(self._tasks)

    def start(self) -> None:
        """Begin; nothing where they run already."""
        if self._tasks:
            return
        self._stopping = asyncio.Event()
        self._tasks = [asyncio.create_task(self._go_on(one, self._stopping)) for one in self._work]

    async def stop(self) -> None:
        """End. A round that is under way ends within ROUND_ENDS_S or is cut off; none is under way afterwards."""
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return
        self._stopping.set()
        _, late = await asyncio.wait(tasks, timeout=ROUND_ENDS_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self, work: Periodic, stopping: asyncio.Event) -> None:
        seconds = work.every_s
        if self._first_within_s is not None:
            seconds = min(seconds, self._first_within_s)
        while await self._pass(seconds, stopping):
            seconds = work.every_s
            try:
                await work.round()
            except StoreUnavailable as error:
                log.warning("periodic work is put off", reason=error.message)
            except Exception as error:  # a fault in one look must not end all later ones
                log.error("periodic work failed", exc_info=error)

    async def _pass(self, seconds: int, stopping: asyncio.Event) -> bool:
        """Let time pass; False where they are stopped meanwhile."""
        over = asyncio.Event()
        timer = self._clock.call_at(self._clock.steady_ms() + seconds * _MS_PER_S, over.set)
        waiting = [asyncio.create_task(over.wait()), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            for task in waiting:
                task.cancel()
        return not stopping.is_set()
