"""The steady clock over restarts: what the store keeps of it (docs/adr/0005).

Within one boot of the machine the steady clock counts on from the boot time, so no step of the wall clock moves it. Over a
reboot only the wall clock knows how long the machine was off. The store therefore keeps by how much the wall clock was ahead of
the steady one: a step that was made before the reboot is not taken for time that passed.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from chathooks.kernel.clock import Clock, SystemClock, boot_id
from chathooks.kernel.transactions import Store

KEEP_EVERY_S = 5
"""How often the anchor is brought up to date: a step less than so long before a power cut may be missed."""
AHEAD_JITTER_MS = 5
"""The clocks may have drifted apart by less than this since they were last noted; a new boot starts so much behind, as
a retry may be late but not early."""
NOTE_EVERY_MS = 60_000
"""The steady clock itself is noted so often, though nothing was stepped."""

CLOCK_ANCHOR = "clock_anchor"
"""Name of the store's fact."""


class AnchorTransaction(Protocol):
    """What the anchor asks of a transaction."""

    async def get_meta(self, name: str) -> str | None: ...
    async def set_meta(self, name: str, value: str) -> None: ...


class Anchor(msgspec.Struct, frozen=True):
    """Where the steady clock stood; all times in ms."""

    boot_id: str
    monotonic_ms: int
    """Since the boot, when the anchor was made."""
    steady_ms: int
    """The steady clock at that moment."""
    ahead_ms: int = 0
    """By how much the wall clock was ahead of the steady one when it was last looked at."""
    latest_ms: int = 0
    """The steady clock at that look."""


def encode_anchor(anchor: Anchor) -> str:
    """As the store keeps it."""
    return msgspec.json.encode(anchor).decode()


def decode_anchor(text: str) -> Anchor:
    """What the store keeps."""
    return msgspec.json.decode(text, type=Anchor)


def next_anchor(kept: Anchor | None, *, boot: str, monotonic_ms: int, wall_ms: int) -> Anchor:
    """The anchor of a start: the kept one in the same boot, else a new one that goes on where that left off.

    Args:
        kept: what the store has.
        boot: id of this boot; empty where the system has none.
        monotonic_ms: since the boot.
        wall_ms: unix ms.
    """
    if kept is None:
        return Anchor(boot, monotonic_ms, wall_ms, 0, wall_ms)
    if boot and kept.boot_id == boot:
        return kept
    # A clock that lost its time over the reboot must not take the steady one back.
    steady_ms = max(wall_ms - kept.ahead_ms - AHEAD_JITTER_MS, kept.latest_ms)
    return Anchor(boot, monotonic_ms, steady_ms, wall_ms - steady_ms, steady_ms)


async def anchored_clock(
    store: Store[AnchorTransaction],
    *,
    boot: str | None = None,
    make: Callable[..., SystemClock] = SystemClock,
) -> SystemClock:
    """The clock whose steady readings go on where the store's last process left them.

    Args:
        store: where the anchor is kept.
        boot: id of this boot of the machine; the system's where None.
        make: makes the clock, as `SystemClock` does.
    """
    this_boot = boot_id() if boot is None else boot

    async def command(tx: AnchorTransaction) -> Anchor:
        text = await tx.get_meta(CLOCK_ANCHOR)
        kept = None if text is None else decode_anchor(text)
        machine = make()
        anchor = next_anchor(
            kept,
            boot=this_boot,
            monotonic_ms=machine.monotonic_ms(),
            wall_ms=machine.wall_ms(),
        )
        if anchor is not kept:
            await tx.set_meta(CLOCK_ANCHOR, encode_anchor(anchor))
        return anchor

    anchor = await store.write(command)
    return make(anchor_monotonic_ms=anchor.monotonic_ms, anchor_steady_ms=anchor.steady_ms)


class AnchorKeeper:
    """Keeps the anchor up to date while the server runs."""

    def __init__(self, store: Store[AnchorTransaction], clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted_ms = 0
        self._ahead_ms: int | None = None

    async def keep(self) -> None:
        """Note where both clocks stand, where that is news."""
        steady_ms = self._clock.steady_ms()
        ahead_ms = self._clock.wall_ms() - steady_ms
        if (
            self._ahead_ms is not None
            and abs(ahead_ms - self._ahead_ms) < AHEAD_JITTER_MS
            and steady_ms - self._noted_ms < NOTE_EVERY_MS
        ):
            return

        async def command(tx: AnchorTransaction) -> None:
            text = await tx.get_meta(CLOCK_ANCHOR)
            if text is not None:
                kept = decode_anchor(text)
                now = msgspec.structs.replace(kept, ahead_ms=ahead_ms, latest_ms=steady_ms)
                await tx.set_meta(CLOCK_ANCHOR, encode_anchor(now))

        await self._store.write(command)
        self._noted_ms, self._ahead_ms = steady_ms, ahead_ms
