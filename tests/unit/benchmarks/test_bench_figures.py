"""What the benchmarks make of measured numbers."""

import math

import pytest
from benchmarks.figures import (
    Spread,
    Target,
    control_is_off,
    median_notes,
    percentile,
    row,
    spread_of,
    verdict,
)
from benchmarks.measuring import Rounds, noted, per_cpu_s, per_s
from benchmarks.side import Counted
from hypothesis import given
from hypothesis import strategies as st

OFF = spread_of([1.2, 1.11, 0.9])
NEAR = spread_of([1.1, 0.9, 1.05])


def counted(done: int, cpu_s: float = 1.0, wall_s: float = 1.0, **notes: float) -> Counted:
    return Counted(done=done, cpu_s=cpu_s, wall_s=wall_s, notes=notes)


# -- spreads and percentiles -----------------------------------------------------------------------------


def test_a_spread_is_the_median_and_the_ends_of_all_rounds() -> None:
    assert spread_of([3.0, 1.0, 2.00049]) == Spread(
        median=2.0, low=1.0, high=3.0, rounds=[3.0, 1.0, 2.0]
    )


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1.0, 100)]
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(list(range(1, 101)), share) == expected


@given(
    st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=50).map(sorted),
    st.floats(0.01, 1),
)
def test_at_least_the_share_of_all_values_is_at_or_below_its_percentile(
    ordered: list[float], share: float
) -> None:
    found = percentile(ordered, share)
    assert found in ordered
    below = sum(value <= found for value in ordered)
    assert below >= math.floor(share * len(ordered))


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


# -- verdicts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        (Target(at_least=0.8), 0.8, "met"),
        (Target(at_least=0.8), 0.799, "missed"),
        (Target(at_most=1.2), 1.2, "met"),
        (Target(at_most=1.2), 1.201, "missed"),
        (Target(text="only told"), 99.0, "reported"),
        (None, 99.0, "reported"),
    ],
)
def test_a_target_is_met_up_to_its_bound(
    target: Target | None, value: float, expected: str
) -> None:
    assert verdict(target, value) == expected


def test_a_difference_within_the_other_bound_meets_the_target_too() -> None:
    target = Target(at_most=1.25, or_at_most=5.0)
    assert verdict(target, 2.0, difference=4.9) == "met"
    assert verdict(target, 2.0, difference=5.1) == "missed"
    assert verdict(target, 1.2, difference=50.0) == "met"
    assert verdict(target, 2.0) == "missed"


def test_a_void_row_is_neither_met_nor_missed() -> None:
    for value in (0.1, 0.9):
        assert verdict(Target(at_least=0.5), value, void=True) == "void"


def test_a_control_further_than_a_tenth_from_one_is_off() -> None:
    assert control_is_off(OFF)
    assert not control_is_off(NEAR)
    assert not control_is_off(None)


def test_bases_that_differ_by_no_more_than_the_slack_are_not_off() -> None:
    assert not control_is_off(OFF, 0.9, 1.0)
    assert control_is_off(OFF, -1.1, 1.0)
    assert control_is_off(OFF, 0.0, -1.0)


def test_a_row_tells_value_verdict_and_control() -> None:
    made = row("3", "a ÷ b", [0.2, 0.4, 0.3], target=Target(at_least=0.3, text="≥ 0.30"))
    assert (made.value.median, made.verdict, made.target) == (0.3, "met", "≥ 0.30")
    made = row("3", "a ÷ b", [0.2], target=Target(at_least=0.1), control=OFF)
    assert (made.verdict, made.control) == ("void", OFF)


def test_notes_are_medians_of_what_all_rounds_noted() -> None:
    assert median_notes([{"a": 1.0, "b": 1.0}, {"a": 3.0}, {"a": 2.0, "b": 5.0}]) == {"a": 2.0}
    assert median_notes([]) == {}


# -- rounds ----------------------------------------------------------------------------------------------


def measured(values: dict[str, list[Counted]]) -> Rounds:
    rounds = Rounds("base", ("one", "two"))
    order: list[str] = []

    def run(side: str) -> Counted:
        order.append(side)
        return values[side].pop(0)

    for _ in range(len(values["one"])):
        rounds.round(run)
    assert order[:4] == ["base", "one", "two", "base"]
    return rounds


def three_rounds() -> Rounds:
    return measured(
        {
            "base": [
                *(counted(100), counted(110)),
                *(counted(200), counted(180)),
                *(counted(100), counted(100)),
            ],
            "one": [counted(210), counted(190), counted(50)],
            "two": [counted(70, 2.0), counted(38, 2.0), counted(50, 2.0)],
        }
    )


def test_a_ratio_is_over_the_mean_of_its_own_round_s_bases() -> None:
    rounds = three_rounds()
    assert rounds.ratios("one", per_cpu_s) == [2.0, 1.0, 0.5]
    assert rounds.inverse_ratios("one", per_cpu_s) == [0.5, 1.0, 2.0]
    assert rounds.ratios_to("one", "two", per_s) == [3.0, 5.0, 1.0]


def test_cpu_time_and_wall_time_are_told_apart() -> None:
    rounds = three_rounds()
    assert rounds.median("two", per_cpu_s) == 25
    assert rounds.median("two", per_s) == 50


def test_the_control_is_the_second_base_over_the_first() -> None:
    control = three_rounds().control(per_cpu_s)
    assert control.rounds == [1.1, 0.9, 1.0]
    assert control.median == 1.0
    assert three_rounds().control_difference(per_cpu_s) == 0


def test_differences_are_of_what_the_sides_noted() -> None:
    rounds = measured(
        {
            "base": [counted(1, p99_ms=10.0), counted(1, p99_ms=12.0)],
            "one": [counted(1, p99_ms=14.0)],
            "two": [counted(1, p99_ms=1.0)],
        }
    )
    assert rounds.difference("one", noted("p99_ms")) == 3.0
    assert rounds.median("base", noted("p99_ms")) == 11.0
