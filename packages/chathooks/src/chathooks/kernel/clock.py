"""Time as a dependency: a wall clock for people, a steady clock for schedules, timers on the latter.

Two clocks, because they answer different questions. The wall clock (unix time, may be stepped by an operator
or NTP) dates what people and receivers see. The steady clock runs evenly: a retry due in 10 s is due in 10 s
however the wall clock is stepped meanwhile. Steady readings are stored as due times, so they must stay
comparable over a restart of the process; the store keeps the anchor that makes them so.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")

MS_PER_S = 1000
LOOK_AGAIN_MS = 1_000


class Timer(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""


class Clock(Protocol):
    """What the server knows of time. All readings are integers in milliseconds."""

    def wall_ms(self) -> int:
        """Unix time in ms, as the operator's clock shows it."""

    def steady_ms(self) -> int:
        """Evenly running ms, rounded down; comparable over restarts within one boot of the machine."""

    def steady_ms_up(self) -> int:
        """The same, rounded up: what a delay counts from if it must not end early, whichever machine ends it."""

    def call_at(self, steady_ms: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop once `steady_ms()` has reached the given reading, never before."""


def _monotonic_ns() -> int:
    # CLOCK_BOOTTIME goes on while a laptop sleeps, so a retry due during the sleep is made on waking.
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boottime is None else time.clock_gettime_ns(boottime)


def boot_id() -> str:
    """Name of this boot of the machine; empty where the system has none (then every start is a new anchor)."""
    try:
        return BOOT_ID_FILE.read_text("ascii").strip()
    except OSError:
        return ""


class _LoopTimer:
    """An asyncio timer that re-arms itself until the steady clock has really arrived."""

    __slots__ = ("_callback", "_clock", "_handle", "_steady_ms")

    def __init__(self, clock: "SystemClock", steady_ms: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._steady_ms = steady_ms
        self._callback = callback
        self._handle = self._arm()

    def _arm(self) -> asyncio.TimerHandle:
        remaining_ms = max(0, self._steady_ms - self._clock.steady_ms())
        # asyncio's clock stands still while the machine sleeps: look again now and then, so that what fell due
        # meanwhile is done soon after waking.
        return asyncio.get_running_loop().call_later(
            min(remaining_ms, LOOK_AGAIN_MS) / MS_PER_S, self._fire
        )

    def _fire(self) -> None:
        # Event loops may fire a clock tick early.
        if self._clock.steady_ms() < self._steady_ms:
            self._handle = self._arm()
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


class SystemClock:
    """The machine's clocks."""

    def __init__(
        self,
        *,
        anchor_monotonic_ms: int | None = None,
        anchor_steady_ms: int | None = None,
        apart_ms: int = 0,
    ) -> None:
        """Anchor the steady clock: at `anchor_monotonic_ms` (boot time, ms) it read `anchor_steady_ms`.

        Without an anchor the steady clock starts at today's wall time.

        Args:
            anchor_monotonic_ms: see above.
            anchor_steady_ms: see above.
            apart_ms: by how much the steady clocks of machines that share a store may differ; a delay counts from
                so much later.
        """
        if anchor_monotonic_ms is None or anchor_steady_ms is None:
            anchor_monotonic_ms = self.monotonic_ms()
            anchor_steady_ms = self.wall_ms()
        self._offset_ms = anchor_steady_ms - anchor_monotonic_ms
        self._apart_ms = apart_ms

    @staticmethod
    def monotonic_ms() -> int:
        """Milliseconds since the machine booted."""
        return _monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return _monotonic_ns() // 1_000_000 + self._offset_ms

    def steady_ms_up(self) -> int:
        return -(-_monotonic_ns() // 1_000_000) + self._offset_ms + self._apart_ms

    def call_at(self, steady_ms: int, callback: Callable[[], None]) -> Timer:
        return _LoopTimer(self, steady_ms, callback)


class ManualClock:
    """A clock that tests move by hand; `advance` runs what became due, in order."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = start_ms
        self._steady_ms = start_ms
        self._timers: list[_ManualTimer] = []

    def wall_ms(self) -> int:
        return self._wall_ms

    def steady_ms(self) -> int:
        return self._steady_ms

    def steady_ms_up(self) -> int:
        return self._steady_ms

    def call_at(self, steady_ms: int, callback: Callable[[], None]) -> Timer:
        timer = _ManualTimer(self, steady_ms, callback)
        self._timers.append(timer)
        return timer

    def next_timer_ms(self) -> int | None:
        """Steady reading of the earliest timer, or None."""
        return min((timer.steady_ms for timer in self._timers), default=None)

    def step_wall(self, by_ms: int) -> None:
        """Step the wall clock alone, as an operator or NTP would."""
        self._wall_ms += by_ms

    def advance(self, by_ms: int) -> None:
        """Let `by_ms` milliseconds pass and run the timers that became due, earliest first."""
        target_ms = self._steady_ms + by_ms
        while True:
            due = [timer for timer in self._timers if timer.steady_ms <= target_ms]
            if not due:
                break
            timer = min(due, key=lambda item: item.steady_ms)
            self._timers.remove(timer)
            passed_ms = max(0, timer.steady_ms - self._steady_ms)
            self._steady_ms += passed_ms
            self._wall_ms += passed_ms
            timer.callback()
        self._wall_ms += target_ms - self._steady_ms
        self._steady_ms = target_ms


class _ManualTimer:
    __slots__ = ("_clock", "callback", "steady_ms")

    def __init__(self, clock: ManualClock, steady_ms: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.steady_ms = steady_ms
        self.callback = callback

    def cancel(self) -> None:
        if self in self._clock._timers:
            self._clock._timers.remove(self)
