"""What is told of steps and cycles: metrics, the health of lanes, and a warning of what expired."""

from collections import Counter
from collections.abc import Iterable

import structlog

from chathooks.delivery.fanout import Step
from chathooks.delivery.health import Health
from chathooks.delivery.recording import Recorded
from chathooks.delivery.records import ENDED_STATES, State
from chathooks.kernel import telemetry

log = structlog.get_logger("delivery")

_ENDED = {int(state): telemetry.DELIVERIES_ENDED.labels(state.shown) for state in ENDED_STATES}


def tally(step: Step, health: Health) -> None:
    """Count what a committed step made."""
    telemetry.EVENTS_FANNED_OUT.inc(step.entries)
    expired = sum(step.expired.values())
    telemetry.DELIVERIES_CREATED.inc(sum(step.created.values()) + expired)
    if expired:
        _ENDED[State.EXPIRED].inc(expired)
        log.warning("deliveries expired: a webhook's backlog is full", count=expired)
        for lane, count in step.expired.items():
            health.expire(lane, count)


def tally_ended(states: Iterable[int]) -> Counter[int]:
    """Count deliveries that ended; answers how many in which state."""
    ends = Counter(states)
    for state, count in ends.items():
        _ENDED[state].inc(count)
    return ends


def tally_recorded(recorded: Recorded) -> None:
    """Count deliveries that ended with the attempts that a cycle recorded."""
    for numbers in recorded.delivered.values():
        _ENDED[State.DELIVERED].inc(len(numbers))
    tally_ended(one.state for one in recorded.settled if one.due_at is None)
