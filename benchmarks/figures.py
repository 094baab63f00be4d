"""What is made of measured numbers: medians and spreads, percentiles, controls, verdicts. Pure.

A row of the table is one quantity over all rounds of a run. What it is held to is its target; a row whose control
says that the machine changed more than what is measured is void, whatever its value.
"""

import math
import statistics
from collections.abc import Sequence

import msgspec

CONTROL_OFF_MAX = 0.10
"""A row whose control is further from 1 than this is void."""
CONTROL_OFF_MS = 1.0
"""Of latencies, and …"""
CONTROL_OFF_MIB = 25.0
"""… of sizes, two bases this close are not off, however far apart they are as a ratio."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity over all rounds."""

    median: float
    low: float
    high: float
    rounds: list[float]


def spread_of(values: Sequence[float]) -> Spread:
    """The median and the lowest and highest of one value per round."""
    return Spread(
        median=round(statistics.median(values), 3),
        low=round(min(values), 3),
        high=round(max(values), 3),
        rounds=[round(value, 3) for value in values],
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ascending values; `share` is within 0 to 1.

    Raises:
        ValueError: there are no values.
    """
    if not ordered:
        raise ValueError("no values to take a percentile of")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a row is held to; a row without bounds is reported only."""

    at_least: float | None = None
    at_most: float | None = None
    or_at_most: float | None = None
    """Bound on the row's `difference` that meets the target as well."""
    text: str = ""

    def met_by(self, value: float, difference: float | None = None) -> bool:
        """Whether the value, or else the difference, is within the bounds."""
        if self.or_at_most is not None and difference is not None and difference <= self.or_at_most:
            return True
        if self.at_least is not None and value < self.at_least:
            return False
        return self.at_most is None or value <= self.at_most


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    figure: str
    """Number of the figure, e.g. `3`."""
    name: str
    unit: str
    """`ratio`, `ms`, `MiB`, `per s`, …"""
    value: Spread
    target: str
    verdict: str
    """`met`, `missed`, `void` or `reported`."""
    control: Spread | None = None
    """The second base over the first."""
    notes: dict[str, float] = {}
    """Further numbers by name, medians over the rounds."""


def control_is_off(
    control: Spread | None, difference: float | None = None, slack: float = 0.0
) -> bool:
    """Whether the control voids what stands beside it.

    Args:
        control: the second base over the first; None where there is none.
        difference: the median of the second base less the first, in the row's unit, where that may excuse it.
        slack: a difference up to this does.
    """
    if control is None or abs(control.median - 1) <= CONTROL_OFF_MAX:
        return False
    return difference is None or abs(difference) > slack


def verdict(
    target: Target | None, value: float, *, void: bool = False, difference: float | None = None
) -> str:
    """What a row is called."""
    if void:
        return "void"
    if target is None or (target.at_least is None and target.at_most is None):
        return "reported"
    return "met" if target.met_by(value, difference) else "missed"


def row(
    figure: str,
    name: str,
    values: Sequence[float],
    *,
    unit: str = "ratio",
    target: Target | None = None,
    control: Spread | None = None,
    control_difference: float | None = None,
    control_slack: float = 0.0,
    difference: float | None = None,
    notes: dict[str, float] | None = None,
) -> Row:
    """A row of one value per round, with its verdict."""
    value = spread_of(values)
    void = control_is_off(control, control_difference, control_slack)
    return Row(
        figure=figure,
        name=name,
        unit=unit,
        value=value,
        target=target.text if target else "",
        verdict=verdict(target, value.median, void=void, difference=difference),
        control=control,
        notes=notes or {},
    )


def median_notes(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each note that all runs have."""
    names = [name for name in runs[0] if all(name in run for run in runs)] if runs else []
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in names}
