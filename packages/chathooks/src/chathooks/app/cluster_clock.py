"""One steady clock on many machines: what the store keeps of it (docs/adr/0005).

Each boot of a machine has a line of its own: within the boot the steady clock counts on from the boot time, so no step of
a wall clock moves it. A boot that joins finds its place by the one clock that all machines can read, the database's: by
how much that is ahead of the steady clock is noted by every running process over and over, and so a step of the
database's clock is known as well and is not taken for time that passed.

    steady of a boot that joins = the database's time now - (the database's time - steady, as last noted)

Every measurement goes over the network and is uncertain by its round trip. A boot that joins stands behind the others by
this much, never ahead of them; a delay counts from CLOCKS_APART_MS_MAX later (`SystemClock.steady_ms_up`), so that it does
not end early on a machine that is ahead of the one that began it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from chathooks.app.anchor import (
    AHEAD_JITTER_MS,
    CLOCK_ANCHOR,
    Anchor,
    AnchorTransaction,
    decode_anchor,
    encode_anchor,
)
from chathooks.kernel.clock import Clock, SystemClock, boot_id

CLOCKS_APART_MS_MAX = 50
"""Steady clocks of the machines of a cluster differ by less, while their hardware counts alike."""
NOTED_LATELY_MS = 10_000
"""Two rounds of notes: what was noted so shortly before the latest note says where the others stand now."""
DRIFT_TOLD_MS = 500
"""A steady clock that is so far from the others' is told of in the log,"""
DRIFT_ROUNDS = 3
"""once it was so for so many rounds: a step of the database's clock is known to the others a round later."""
MEASUREMENTS_MAX = 5
"""How often the database's clock is asked, for an answer within CLOCKS_APART_MS_MAX."""
BOOTS_KEPT_MAX = 200
"""Lines of the boots noted last; older ones are forgotten."""

_CLUSTER_ANCHORS = "clock_anchors"

T = TypeVar("T")

log = structlog.get_logger("server")


class ClusterClockTransaction(AnchorTransaction, Protocol):
    """What the clock of a cluster asks of a transaction."""

    async def database_now_ms(self) -> int:
        """Unix ms by the database's clock, at the moment of the call and not at the transaction's begin."""


class ClusterClockStore(Protocol):
    """A store whose changing transactions are serial over all processes of the cluster."""

    async def write(
        self, command: Callable[[ClusterClockTransaction], Awaitable[T]], *, patient: bool = False
    ) -> T: ...


class Measured(NamedTuple):
    """The database's clock as read from here: between the two readings of one's own it was `database_ms`."""

    before_ms: int
    database_ms: int
    after_ms: int

    @property
    def round_trip_ms(self) -> int:
        """How uncertain it is."""
        return self.after_ms - self.before_ms


def freshest(lines: Mapping[str, Anchor]) -> Anchor | None:
    """The line that was noted last; by the steady clock, which no step of the database's moves."""
    return max(lines.values(), key=lambda line: line.latest_ms, default=None)


def ahead_of_steady(lines: Mapping[str, Anchor]) -> int | None:
    """By how much the database's clock is ahead of the cluster's steady clock, in ms; None without any line.

    The latest note counts, since it knows of steps of the database's clock. Among those made shortly before that agree with
    it, the one of the foremost line does: else each boot that joins would be behind the one before.
    """
    latest = freshest(lines)
    if latest is None:
        return None
    return min(
        line.ahead_ms
        for line in lines.values()
        if latest.latest_ms - line.latest_ms <= NOTED_LATELY_MS
        and abs(line.ahead_ms - latest.ahead_ms) <= CLOCKS_APART_MS_MAX
    )


def line_of_boot(lines: Mapping[str, Anchor], boot: str, measured: Measured) -> Anchor:
    """The line of a boot: the kept one, else a new one that goes on where the cluster is.

    Args:
        lines: what the store has, by boot.
        boot: id of this boot; empty where the system has none.
        measured: the database's clock, between two readings of ms since the boot.
    """
    kept = lines.get(boot)
    if boot and kept is not None:
        return kept
    ahead_ms = ahead_of_steady(lines)
    if ahead_ms is None:
        return Anchor(boot, measured.after_ms, measured.database_ms, 0, measured.database_ms)
    latest = freshest(lines)
    assert latest is not None  # noqa: S101 -- there is a line, so one is the freshest
    # A database whose clock lost its time must not take the steady one back.
    steady_ms = max(measured.database_ms - ahead_ms - AHEAD_JITTER_MS, latest.latest_ms)
    ahead_ms = measured.database_ms - steady_ms + measured.round_trip_ms
    return Anchor(boot, measured.after_ms, steady_ms, ahead_ms, steady_ms)


def noted(lines: Mapping[str, Anchor], boot: str, measured: Measured) -> dict[str, Anchor]:
    """The lines with a note of where a boot's stands.

    Args:
        lines: what the store has, by boot.
        boot: id of this boot.
        measured: the database's clock, between two readings of the steady one.
    """
    changed = dict(lines)
    kept = changed.get(boot)
    if kept is not None:
        # Rather too much: a boot that joins may stand behind, not ahead.
        ahead_ms = measured.database_ms - measured.before_ms
        latest_ms = max(kept.latest_ms, measured.after_ms)
        changed[boot] = msgspec.structs.replace(kept, ahead_ms=ahead_ms, latest_ms=latest_ms)
    if len(changed) > BOOTS_KEPT_MAX:
        newest = sorted(changed.values(), key=lambda line: line.latest_ms)[-BOOTS_KEPT_MAX:]
        changed = {line.boot_id: line for line in newest}
    return changed


def drift_ms(lines: Mapping[str, Anchor], boot: str) -> int:
    """By how much a boot's steady clock is ahead of that of the other boot noted last; 0 where it is alone."""
    own = lines.get(boot)
    others = {name: line for name, line in lines.items() if name != boot}
    other = freshest(others)
    if own is None or other is None or own.latest_ms - other.latest_ms > NOTED_LATELY_MS:
        return 0
    return other.ahead_ms - own.ahead_ms


async def _lines(tx: AnchorTransaction) -> dict[str, Anchor]:
    """All lines; that of the process that served the store alone before, too, where it is the latest of its boot."""
    text = await tx.get_meta(_CLUSTER_ANCHORS)
    kept = [] if text is None else msgspec.json.decode(text, type=list[Anchor])
    lines = {line.boot_id: line for line in kept}
    text = await tx.get_meta(CLOCK_ANCHOR)
    if text is not None:
        alone = decode_anchor(text)
        same = lines.get(alone.boot_id)
        if same is None or same.latest_ms < alone.latest_ms:
            lines[alone.boot_id] = alone
    return lines


async def _keep(tx: AnchorTransaction, lines: Mapping[str, Anchor], boot: str) -> None:
    text = msgspec.json.encode(list(lines.values())).decode()
    await tx.set_meta(_CLUSTER_ANCHORS, text)
    # A process that serves the store alone later goes on from here.
    await tx.set_meta(CLOCK_ANCHOR, encode_anchor(lines[boot]))


async def measure(tx: ClusterClockTransaction, now_ms: Callable[[], int]) -> Measured:
    """Read the database's clock between two readings of one's own; the most certain of a few."""
    best: Measured | None = None
    for _ in range(MEASUREMENTS_MAX):
        before_ms = now_ms()
        database_ms = await tx.database_now_ms()
        measured = Measured(before_ms, database_ms, now_ms())
        if best is None or measured.round_trip_ms < best.round_trip_ms:
            best = measured
        if best.round_trip_ms < CLOCKS_APART_MS_MAX - AHEAD_JITTER_MS:
            break
    assert best is not None  # noqa: S101 -- it was measured at least once
    return best


async def cluster_clock(
    store: ClusterClockStore,
    *,
    boot: str | None = None,
    make: Callable[..., SystemClock] = SystemClock,
) -> SystemClock:
    """The clock whose steady readings are comparable with those of all processes of the cluster.

    Args:
        store: where the lines are kept.
        boot: id of this boot of the machine; the system's where None.
        make: makes the clock, as `SystemClock` does.
    """
    this_boot = boot_id() if boot is None else boot

    async def command(tx: ClusterClockTransaction) -> Anchor:
        lines = await _lines(tx)
        measured = await measure(tx, make().monotonic_ms)
        line = line_of_boot(lines, this_boot, measured)
        await _keep(tx, {**lines, this_boot: line}, this_boot)
        return line

    line = await store.write(command)
    return make(
        anchor_monotonic_ms=line.monotonic_ms,
        anchor_steady_ms=line.steady_ms,
        apart_ms=CLOCKS_APART_MS_MAX,
    )


class ClusterAnchorKeeper:
    """Notes where this machine's steady clock stands while the process runs."""

    def __init__(self, store: ClusterClockStore, clock: Clock, *, boot: str | None = None) -> None:
        self._store = store
        self._clock = clock
        self._boot = boot_id() if boot is None else boot
        self._rounds_apart = 0

    async def keep(self) -> None:
        """Note it; tell where the others have been elsewhere for a while."""

        async def command(tx: ClusterClockTransaction) -> int:
            lines = await _lines(tx)
            lines = noted(lines, self._boot, await measure(tx, self._clock.steady_ms))
            if self._boot in lines:
                await _keep(tx, lines, self._boot)
            return drift_ms(lines, self._boot)

        drift = await self._store.write(command)
        self._rounds_apart = self._rounds_apart + 1 if abs(drift) > DRIFT_TOLD_MS else 0
        if self._rounds_apart == DRIFT_ROUNDS:
            log.warning(
                "this machine's steady clock is apart from the other machines': a retry that changes "
                "hands is as much early or late; see that the time is synchronised on all of them",
                ahead_ms=drift,
            )
