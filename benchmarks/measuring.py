"""Interleaved rounds, and what is made of them.

A round runs the base, then what is measured, then the base again: `A B … A`. A ratio is a measured side's rate over
the mean of the round's two base rates, so that a machine that gets slower or busier meanwhile weighs on both. The
second base over the first is the control: what differs there is the machine, not the program.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from benchmarks.side import Counted

CONTROL_OFF_MAX = 0.10
"""A figure whose control is further from 1 than this is void."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios of all rounds, and their median."""

    median: float
    low: float
    high: float
    rounds: list[float]


def ratio_of(values: Sequence[float]) -> Ratio:
    """The median and spread of one ratio per round."""
    return Ratio(
        median=round(statistics.median(values), 3),
        low=round(min(values), 3),
        high=round(max(values), 3),
        rounds=[round(value, 3) for value in values],
    )


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured side against its base."""

    name: str
    base: str
    per_cpu_s: float
    """Median over the rounds."""
    per_s: float
    base_per_cpu_s: float
    ratio: Ratio
    second_ratio: Ratio | None
    """Over the experiment's second base, where it has one and this is another side."""
    control: Ratio
    void: bool
    """The control is off by more than CONTROL_OFF_MAX."""
    notes: dict[str, float] = {}


@dataclass
class Experiment:
    """A base and the sides measured against it."""

    base: str
    measured: tuple[str, ...]
    second: str = ""
    """One of `measured` that the others are compared with as well."""
    bases: list[tuple[Counted, Counted]] = field(default_factory=list)
    runs: dict[str, list[Counted]] = field(default_factory=dict)

    def round(self, run: Callable[[str], Counted]) -> None:
        """Run one round."""
        first = run(self.base)
        for side in self.measured:
            self.runs.setdefault(side, []).append(run(side))
        self.bases.append((first, run(self.base)))

    def figures(self) -> list[Figure]:
        """What came of all rounds."""
        means = [(one.per_cpu_s + two.per_cpu_s) / 2 for one, two in self.bases]
        control = ratio_of([two.per_cpu_s / one.per_cpu_s for one, two in self.bases])
        second = self.runs.get(self.second, [])
        return [
            Figure(
                name=side,
                base=self.base,
                per_cpu_s=round(statistics.median(run.per_cpu_s for run in runs)),
                per_s=round(statistics.median(run.per_s for run in runs)),
                base_per_cpu_s=round(statistics.median(means)),
                ratio=ratio_of(
                    [run.per_cpu_s / mean for run, mean in zip(runs, means, strict=True)]
                ),
                second_ratio=ratio_of(
                    [run.per_cpu_s / base.per_cpu_s for run, base in zip(runs, second, strict=True)]
                )
                if second and side != self.second
                else None,
                control=control,
                void=abs(control.median - 1) > CONTROL_OFF_MAX,
                notes={
                    key: round(statistics.median(run.notes[key] for run in runs), 1)
                    for key in runs[0].notes
                },
            )
            for side, runs in self.runs.items()
        ]
