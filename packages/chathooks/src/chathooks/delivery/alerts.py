"""Alerts: which webhooks need a person, and when they no longer do. Pure: what is read goes in, changes come out.

For each lane and condition there is one state machine:

    clear --alarming--> raised --calm for CALM_MS without a break--> clear

`calm` is less than "not alarming" wherever a figure may waver around its threshold, so a lane that wavers stays
raised, and a raised alert is not repeated. The conditions:

- FAILING: the last N deliveries all failed. Calm: the last one was delivered.
- BEHIND: the oldest delivery that was not tried yet has waited for the threshold, although some succeed.
  Calm: it has waited for less than half of it.
- SILENT: deliveries have been waiting or under way at each look for as long as the threshold, and none was
  acknowledged in that time. Calm: one was, or nothing waits.
- EXPIRING: deliveries expired since the last look. Calm: none did.

A lane that is silent is not called behind too; it may be once it answers again. Kept of a lane: a time while it
has work, and its raised alerts; nothing of an idle lane, and at most LANES_TRACKED_MAX lanes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

CALM_MS = 60_000
LAG_MS = 300_000
FAILURES = 20
LANES_TRACKED_MAX = 10_000
"""Alerts of further lanes wait until some of these are clear."""

_MS_PER_S = 1000


class Condition(StrEnum):
    """What may be wrong with a webhook."""

    FAILING = "failing"
    BEHIND = "behind"
    SILENT = "silent"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on something is wrong."""

    lag_ms: int = LAG_MS
    failures: int = FAILURES


class Reading(NamedTuple):
    """A lane as it is found at one look."""

    lane: int
    work: int = 0
    """Deliveries that wait or are under way."""
    lag_ms: int | None = 0
    """Age of the oldest one not tried yet; None where it was not read."""
    failed_in_row: int = 0
    acknowledged: bool = False
    """Whether a delivery was acknowledged since the last look."""
    expired: int = 0
    """Deliveries that expired since the last look."""


class Change(NamedTuple):
    """An alert that was raised or cleared."""

    lane: int
    condition: Condition
    raised: bool
    figure: int
    """What raised it: failures, ms, or deliveries; 0 where it was cleared."""


class _Signal(NamedTuple):
    condition: Condition
    alarming: bool
    calm: bool
    figure: int


@dataclass(slots=True)
class _Lane:
    quiet_since: int | None = None
    """Since when there has been work and no acknowledgement."""
    calm_since: dict[Condition, int | None] = field(default_factory=dict)
    """The raised alerts; since when each has been calm."""


class Alerts:
    """Judges looks at all lanes, one after the other."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._lanes: dict[int, _Lane] = {}

    @property
    def tracked(self) -> int:
        """Lanes that something is kept of."""
        return len(self._lanes)

    def raised(self, condition: Condition) -> int:
        """How many alerts of a kind are raised."""
        return sum(condition in lane.calm_since for lane in self._lanes.values())

    def look(self, now: int, readings: Iterable[Reading]) -> list[Change]:
        """What changed since the last look.

        Args:
            now: steady ms.
            readings: each lane that has work, failures in a row or expired deliveries, at most once; a lane
                that is left out has none of them.
        """
        changes: list[Change] = []
        found = {reading.lane: reading for reading in readings}
        for lane in self._lanes:
            found.setdefault(lane, Reading(lane))
        for lane, reading in found.items():
            kept = self._lanes.get(lane)
            if kept is None:
                if len(self._lanes) >= LANES_TRACKED_MAX:
                    continue
                kept = self._lanes[lane] = _Lane()
            self._judge(now, reading, kept, changes)
            if kept.quiet_since is None and not kept.calm_since:
                del self._lanes[lane]
        return changes

    def _judge(self, now: int, reading: Reading, kept: _Lane, changes: list[Change]) -> None:
        if reading.work <= 0:
            kept.quiet_since = None
        elif reading.acknowledged or kept.quiet_since is None:
            kept.quiet_since = now
        for signal in self._signals(now, reading, kept):
            condition = signal.condition
            if condition not in kept.calm_since:
                if signal.alarming:
                    kept.calm_since[condition] = None
                    changes.append(Change(reading.lane, condition, True, signal.figure))
                continue
            since = kept.calm_since[condition]
            if not signal.calm:
                kept.calm_since[condition] = None
            elif since is None:
                kept.calm_since[condition] = now
            elif now - since >= CALM_MS:
                del kept.calm_since[condition]
                changes.append(Change(reading.lane, condition, False, 0))

    def _signals(self, now: int, reading: Reading, kept: _Lane) -> list[_Signal]:
        lag_max = self._thresholds.lag_ms
        quiet = 0 if kept.quiet_since is None else now - kept.quiet_since
        silent = quiet >= lag_max
        # A lag that was not read is neither alarming nor calm.
        lag = lag_max - 1 if reading.lag_ms is None else reading.lag_ms
        behind = lag >= lag_max and not silent and Condition.SILENT not in kept.calm_since
        failed = reading.failed_in_row
        return [
            _Signal(Condition.SILENT, silent, not silent, quiet),
            _Signal(Condition.BEHIND, behind, lag * 2 < lag_max, lag),
            _Signal(Condition.FAILING, failed >= self._thresholds.failures, failed == 0, failed),
            _Signal(Condition.EXPIRING, reading.expired > 0, reading.expired == 0, reading.expired),
        ]


def sentence(change: Change, webhook: str) -> str:
    """One plain sentence for whoever runs the server; `webhook` names the webhook and its app."""
    seconds = change.figure // _MS_PER_S
    match change.condition, change.raised:
        case Condition.FAILING, True:
            return f"{webhook} keeps failing: its last {change.figure} deliveries failed."
        case Condition.FAILING, False:
            return f"{webhook} takes deliveries again; replay those that failed."
        case Condition.BEHIND, True:
            return f"{webhook} has fallen behind: its oldest delivery has waited for {seconds} s."
        case Condition.BEHIND, False:
            return f"{webhook} has caught up."
        case Condition.SILENT, True:
            return (
                f"{webhook} has fallen silent: for {seconds} s deliveries wait and none succeeds."
            )
        case Condition.SILENT, False:
            return f"{webhook} is no longer silent: deliveries succeed, or none waits."
        case Condition.EXPIRING, True:
            return f"{webhook} loses deliveries: {change.figure} expired; they can be replayed."
        case _:
            return f"{webhook} loses no deliveries any more."
