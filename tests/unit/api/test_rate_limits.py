"""How many calls an app may make in a minute (rest-api.md A7, delivery contract §7 "Rate limits")."""

from chathooks.api.rate_limits import WINDOW_S, RateLimits, decide
from chathooks.kernel.clock import ManualClock

MINUTE_S = 1_700_000_040
"""Unix seconds at which a minute begins."""
MS_PER_S = 1000


def test_the_verdict_counts_down_and_names_the_next_minute() -> None:
    first = decide(0, 2, MINUTE_S + 1)
    assert (first.allowed, first.remaining, first.limit) == (True, 1, 2)
    last = decide(1, 2, MINUTE_S + 1)
    assert (last.allowed, last.remaining) == (True, 0)
    refused = decide(2, 2, MINUTE_S + 1)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert (refused.reset_at_s, refused.retry_after_s) == (MINUTE_S + WINDOW_S, WINDOW_S - 1)


def test_the_wait_is_at_least_a_second_and_at_most_a_minute() -> None:
    assert decide(1, 1, MINUTE_S + WINDOW_S - 1).retry_after_s == 1
    assert decide(1, 1, MINUTE_S).retry_after_s == WINDOW_S


def test_only_a_refusal_says_when_to_come_back() -> None:
    assert dict(decide(0, 5, MINUTE_S).headers()) == {
        b"x-rate-limit": b"5",
        b"x-rate-limit-remaining": b"4",
    }
    assert dict(decide(5, 5, MINUTE_S).headers()) == {
        b"x-rate-limit": b"5",
        b"x-rate-limit-remaining": b"0",
        b"retry-after": b"60",
        b"x-rate-limit-reset": b"%d" % (MINUTE_S + WINDOW_S),
    }
    assert "60 s" in decide(5, 5, MINUTE_S).refusal().message


def allowed(limits: RateLimits, app: int, *, core: bool = False) -> bool:
    verdict = limits.take(app, core=core)
    assert verdict is not None
    return verdict.allowed


def test_apps_and_kinds_are_counted_apart_and_each_minute_anew() -> None:
    clock = ManualClock(MINUTE_S * MS_PER_S)
    limits = RateLimits(clock, core=1, standard=2)
    assert [allowed(limits, 1) for _ in range(3)] == [True, True, False]
    assert [allowed(limits, 1, core=True) for _ in range(2)] == [True, False]
    assert allowed(limits, 2)
    clock.advance((WINDOW_S - 1) * MS_PER_S)
    assert not allowed(limits, 1)
    clock.advance(MS_PER_S)
    assert [allowed(limits, 1) for _ in range(3)] == [True, True, False]


def test_a_clock_that_is_set_back_refuses_nobody_for_long() -> None:
    clock = ManualClock(MINUTE_S * MS_PER_S)
    limits = RateLimits(clock, standard=1)
    assert allowed(limits, 1)
    clock.step_wall(-3600 * MS_PER_S)
    assert allowed(limits, 1)


def test_what_has_no_limit_is_not_counted() -> None:
    clock = ManualClock()
    assert not RateLimits(clock).on
    only_core = RateLimits(clock, core=1)
    assert only_core.on
    assert only_core.take(1, core=False) is None
