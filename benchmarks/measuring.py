"""Interleaved rounds.

A round runs the base, then what is measured, then the base again: `A B … A`. A ratio is a measured side's value over
the mean of the round's two bases, so that a machine that gets slower or busier meanwhile weighs on both. The second
base over the first is the control: what differs there is the machine, not the program.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.figures import Spread, spread_of
from benchmarks.side import Counted

Value = Callable[[Counted], float]


def per_cpu_s(counted: Counted) -> float:
    """Units done per CPU-second."""
    return counted.per_cpu_s


def per_s(counted: Counted) -> float:
    """Units done per second."""
    return counted.per_s


def noted(name: str) -> Value:
    """A note of the side by name."""
    return lambda counted: counted.notes[name]


@dataclass
class Rounds:
    """A base and the sides measured against it."""

    base: str
    measured: tuple[str, ...]
    bases: list[tuple[Counted, Counted]] = field(default_factory=list)
    runs: dict[str, list[Counted]] = field(default_factory=dict)

    def round(self, run: Callable[[str], Counted]) -> None:
        """Run one round."""
        first = run(self.base)
        for side in self.measured:
            self.runs.setdefault(side, []).append(run(side))
        self.bases.append((first, run(self.base)))

    def base_means(self, value: Value) -> list[float]:
        """The base's value, one per round."""
        return [(value(one) + value(two)) / 2 for one, two in self.bases]

    def ratios(self, side: str, value: Value) -> list[float]:
        """A side's value over the base's, one per round."""
        means = self.base_means(value)
        return [value(run) / mean for run, mean in zip(self.runs[side], means, strict=True)]

    def ratios_to(self, side: str, other: str, value: Value) -> list[float]:
        """A side's value over another measured side's, one per round."""
        pairs = zip(self.runs[side], self.runs[other], strict=True)
        return [value(run) / value(base) for run, base in pairs]

    def inverse_ratios(self, side: str, value: Value) -> list[float]:
        """The base's value over a side's, one per round."""
        return [1 / ratio for ratio in self.ratios(side, value)]

    def difference(self, side: str, value: Value) -> float:
        """Median over the rounds of a side's value less the base's."""
        pairs = zip(self.runs[side], self.base_means(value), strict=True)
        return statistics.median(value(run) - mean for run, mean in pairs)

    def control(self, value: Value) -> Spread:
        """The second base over the first."""
        return spread_of([value(two) / value(one) for one, two in self.bases])

    def control_difference(self, value: Value) -> float:
        """Median of the second base's value less the first's."""
        return statistics.median(value(two) - value(one) for one, two in self.bases)

    def median(self, side: str, value: Value) -> float:
        """A side's median value, or the base's."""
        runs = self.runs.get(side) or [run for pair in self.bases for run in pair]
        return statistics.median(value(run) for run in runs)

    def notes(self, side: str) -> list[dict[str, float]]:
        """What each run of a side noted."""
        return [run.notes for run in self.runs[side]]
