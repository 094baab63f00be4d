"""What is told of a step of fan-out: metrics, the health of lanes, and a warning of what expired."""

import structlog

from chathooks.delivery.fanout import Step
from chathooks.delivery.health import Health
from chathooks.delivery.records import State
from chathooks.kernel import telemetry

log = structlog.get_logger("delivery")

_EXPIRED = telemetry.DELIVERIES_ENDED.labels(State.EXPIRED.shown)


def tally(step: Step, health: Health) -> None:
    """Count what a committed step made."""
    telemetry.EVENTS_FANNED_OUT.inc(step.entries)
    expired = sum(step.expired.values())
    telemetry.DELIVERIES_CREATED.inc(sum(step.created.values()) + expired)
    if expired:
        _EXPIRED.inc(expired)
        log.warning("deliveries expired: a webhook's backlog is full", count=expired)
        for lane, count in step.expired.items():
            health.expire(lane, count)
