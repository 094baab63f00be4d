"""Counts and latencies of many attempts."""

import math
from array import array
from collections import Counter
from collections.abc import Sequence

import msgspec

from chathooks_receiver.tools.sender import Result

_MS_PER_S = 1000.0


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of durations, in milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the ascending values do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency_of(durations_s: Sequence[float]) -> Latency | None:
    """The percentiles; None where there is nothing to take them of."""
    if not durations_s:
        return None
    ordered = sorted(round(duration * _MS_PER_S, 3) for duration in durations_s)
    return Latency(
        p50=percentile(ordered, 0.5),
        p90=percentile(ordered, 0.9),
        p99=percentile(ordered, 0.99),
        max=ordered[-1],
    )


class Tally:
    """What came of many attempts, kept as counts and durations."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.durations_s = array("d")
        self.duplicates = 0
        self.acknowledged = 0

    def add(self, result: Result, duration_s: float | None = None) -> None:
        """Count one; `duration_s` replaces the attempt's own, where waiting before it counts too."""
        self.outcomes[result.outcome] += 1
        self.durations_s.append(result.duration_s if duration_s is None else duration_s)
        self.acknowledged += result.acknowledged
        self.duplicates += result.duplicate

    @property
    def count(self) -> int:
        """How many attempts ended."""
        return self.outcomes.total()

    @property
    def latency(self) -> Latency | None:
        """Of all attempts."""
        return latency_of(self.durations_s)
