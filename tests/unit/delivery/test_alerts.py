"""When alerts are raised and cleared: tables and properties of the pure decider."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.delivery import alerts
from chathooks.delivery.alerts import (
    CALM_MS,
    Alerts,
    Change,
    Condition,
    Reading,
    Thresholds,
    sentence,
)

LOOK_MS = 5000
LAG_MS = 300_000
FAILURES = 20
THRESHOLDS = Thresholds(lag_ms=LAG_MS, failures=FAILURES)
LANE = 7


class Looks:
    """Looks at one lane, 5 s apart."""

    def __init__(self) -> None:
        self.alerts = Alerts(THRESHOLDS)
        self.now = 1_000_000

    def look(self, **reading: int | bool | None) -> list[tuple[str, bool]]:
        self.now += LOOK_MS
        readings = [Reading(LANE, **reading)] if reading else []  # type: ignore[arg-type]  # a table's row
        found = self.alerts.look(self.now, readings)
        assert {change.lane for change in found} <= {LANE}
        return [(str(change.condition), change.raised) for change in found]

    def for_ms(self, duration_ms: int, **reading: int | bool | None) -> list[tuple[str, bool]]:
        return [change for _ in range(0, duration_ms, LOOK_MS) for change in self.look(**reading)]


@pytest.mark.parametrize(
    ("reading", "condition"),
    [
        ({"failed_in_row": FAILURES}, Condition.FAILING),
        ({"failed_in_row": FAILURES + 1}, Condition.FAILING),
        ({"work": 1, "lag_ms": LAG_MS}, Condition.BEHIND),
        ({"expired": 1}, Condition.EXPIRING),
    ],
)
def test_a_figure_at_its_threshold_raises_its_alert_at_once(
    reading: dict[str, int], condition: Condition
) -> None:
    assert Looks().look(**reading) == [(str(condition), True)]


@pytest.mark.parametrize(
    "reading",
    [
        {"failed_in_row": FAILURES - 1},
        {"work": 1, "lag_ms": LAG_MS - 1, "acknowledged": True},
        {"work": 1_000_000, "acknowledged": True},
        {"work": 5, "lag_ms": None, "acknowledged": True},
        {"acknowledged": True},
    ],
)
def test_a_figure_below_its_threshold_raises_nothing_however_long(
    reading: dict[str, int | bool | None],
) -> None:
    assert Looks().for_ms(3 * LAG_MS, **reading) == []


def test_a_raised_alert_is_not_repeated() -> None:
    looks = Looks()
    assert looks.for_ms(2 * LAG_MS, failed_in_row=FAILURES) == [("failing", True)]


def test_a_lane_is_silent_when_work_has_waited_for_the_threshold_without_a_success() -> None:
    looks = Looks()
    assert looks.for_ms(LAG_MS, work=3) == []
    assert looks.look(work=3) == [("silent", True)]


def test_a_success_starts_the_time_of_silence_anew() -> None:
    looks = Looks()
    assert looks.for_ms(LAG_MS, work=3) == []
    assert looks.look(work=3, acknowledged=True) == []
    assert looks.for_ms(LAG_MS - LOOK_MS, work=3) == []
    assert looks.look(work=3) == [("silent", True)]


def test_a_lane_without_work_is_not_silent() -> None:
    looks = Looks()
    assert looks.for_ms(LAG_MS, work=3) == []
    assert looks.look(work=0) == []
    assert looks.for_ms(LAG_MS, work=3) == []


def test_a_silent_lane_is_not_called_behind_too_but_is_once_it_answers_late() -> None:
    looks = Looks()
    assert looks.for_ms(LAG_MS, work=3, lag_ms=LAG_MS - 1) == []
    assert looks.look(work=3, lag_ms=LAG_MS) == [("silent", True)]
    assert looks.for_ms(LAG_MS, work=3, lag_ms=LAG_MS * 2) == []
    late = looks.for_ms(2 * CALM_MS, work=3, lag_ms=LAG_MS * 3, acknowledged=True)
    assert late == [("silent", False), ("behind", True)]


@pytest.mark.parametrize(
    ("raising", "wavering", "calm"),
    [
        ({"failed_in_row": FAILURES}, {"failed_in_row": 1}, {"acknowledged": True}),
        (
            {"work": 9, "lag_ms": LAG_MS, "acknowledged": True},
            {"work": 9, "lag_ms": LAG_MS // 2, "acknowledged": True},
            {"work": 9, "lag_ms": LAG_MS // 2 - 1, "acknowledged": True},
        ),
        (
            {"work": 9, "lag_ms": LAG_MS, "acknowledged": True},
            {"work": 9, "lag_ms": None, "acknowledged": True},
            {},
        ),
        ({"expired": 3}, {"expired": 1}, {}),
    ],
)
def test_an_alert_is_cleared_once_it_was_calm_for_a_minute_without_a_break(
    raising: dict[str, int], wavering: dict[str, int | bool | None], calm: dict[str, int]
) -> None:
    looks = Looks()
    ((condition, _),) = looks.look(**raising)
    assert looks.for_ms(3 * CALM_MS, **wavering) == []
    assert looks.for_ms(CALM_MS, **calm) == []
    assert looks.look(**wavering) == []
    assert looks.for_ms(CALM_MS, **calm) == []
    assert looks.look(**calm) == [(condition, False)]
    assert looks.look(**raising) == [(condition, True)]


def test_nothing_is_kept_of_a_lane_that_is_well() -> None:
    looks = Looks()
    looks.for_ms(LAG_MS + LOOK_MS, work=1, lag_ms=LAG_MS, failed_in_row=FAILURES, expired=1)
    assert looks.alerts.tracked == 1
    assert looks.alerts.raised(Condition.FAILING) == 1
    looks.for_ms(CALM_MS + LOOK_MS)
    assert looks.alerts.tracked == 0
    assert looks.alerts.raised(Condition.FAILING) == 0


def test_no_more_lanes_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LANES_TRACKED_MAX", 3)
    decider = Alerts(THRESHOLDS)
    changes = decider.look(0, [Reading(lane, expired=1) for lane in range(10)])
    assert (len(changes), decider.tracked) == (3, 3)
    # Room is made again by lanes that are well.
    assert len(decider.look(LOOK_MS, [])) == 0
    assert len(decider.look(LOOK_MS + CALM_MS, [])) == 3
    assert decider.look(2 * CALM_MS, [Reading(9, expired=1)]) == [
        Change(9, Condition.EXPIRING, True, 1)
    ]


READINGS = st.builds(
    Reading,
    lane=st.integers(1, 3),
    work=st.integers(0, 2),
    lag_ms=st.sampled_from([None, 0, LAG_MS // 2, LAG_MS, 2 * LAG_MS]),
    failed_in_row=st.sampled_from([0, 1, FAILURES, FAILURES + 5]),
    acknowledged=st.booleans(),
    expired=st.sampled_from([0, 0, 4]),
)
HISTORIES = st.lists(
    st.tuples(
        st.sampled_from([LOOK_MS, CALM_MS, LAG_MS]),
        st.lists(READINGS, max_size=3, unique_by=lambda reading: reading.lane),
    ),
    max_size=40,
)


@given(HISTORIES)
def test_alerts_alternate_and_are_cleared_only_after_a_calm_minute(
    history: list[tuple[int, list[Reading]]],
) -> None:
    decider = Alerts(THRESHOLDS)
    now = 0
    raised: dict[tuple[int, Condition], bool] = defaultdict(bool)
    alarmed_at: dict[tuple[int, Condition], int] = {}
    for passed, readings in history:
        now += passed
        for reading in readings:
            if reading.failed_in_row >= FAILURES:
                alarmed_at[(reading.lane, Condition.FAILING)] = now
            if reading.expired:
                alarmed_at[(reading.lane, Condition.EXPIRING)] = now
            if reading.lag_ms is not None and reading.lag_ms >= LAG_MS:
                alarmed_at[(reading.lane, Condition.BEHIND)] = now
        for change in decider.look(now, readings):
            key = (change.lane, change.condition)
            assert raised[key] is not change.raised
            raised[key] = change.raised
            if change.condition is Condition.SILENT:
                continue
            if change.raised:
                assert alarmed_at[key] == now
            else:
                assert now - alarmed_at[key] >= CALM_MS
    for condition in Condition:
        held = sum(is_raised for (_, one), is_raised in raised.items() if one is condition)
        assert decider.raised(condition) == held
    # Whatever happened: once all is well for long enough, all is cleared and nothing is kept.
    for _ in range(2):
        now += CALM_MS
        for change in decider.look(now, []):
            assert not change.raised
            raised[(change.lane, change.condition)] = False
    assert not any(raised.values())
    assert decider.tracked == 0


def test_every_change_has_a_sentence_of_its_own_that_names_the_webhook() -> None:
    said = {
        sentence(Change(LANE, condition, raised, 312_000), "Webhook orders of app shop")
        for condition in Condition
        for raised in (True, False)
    }
    assert len(said) == 2 * len(Condition)
    assert all(text.startswith("Webhook orders of app shop ") for text in said)
    assert any("312 s" in text for text in said)
