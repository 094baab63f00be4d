"""What follows an attempt: a pure decision (delivery contract §2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from chathooks.delivery.records import State

RETRY_SCHEDULE_MS = (10_000, 30_000)
"""The default: a second attempt 10 s after the first failed, a third 30 s after the second failed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The delivery's next state; `due_at` (steady ms) when it is tried again."""

    state: State
    failures: int
    due_at: int | None = None


def decide(
    *,
    acknowledged: bool,
    failures: int,
    ended_at: int,
    retry_on_failure: bool,
    schedule_ms: Sequence[int],
    withdrawn: bool,
) -> Decision:
    """Decide what follows an attempt.

    Args:
        acknowledged: a 2xx arrived in time.
        failures: failed attempts before this one that count for the schedule.
        ended_at: when the attempt ended, steady ms; delays count from here.
        retry_on_failure: the webhook's flag.
        schedule_ms: delays before the second, third, … attempt in ms.
        withdrawn: the webhook was disabled or deleted, or its trigger removed, meanwhile.
    """
    if acknowledged:
        return Decision(State.DELIVERED, failures)
    failures += 1
    if not retry_on_failure or failures > len(schedule_ms):
        return Decision(State.FAILED, failures)
    if withdrawn:
        return Decision(State.CANCELLED, failures)
    return Decision(State.RETRYING, failures, ended_at + schedule_ms[failures - 1])
