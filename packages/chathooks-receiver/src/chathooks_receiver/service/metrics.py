"""The metrics of the service, for Prometheus."""

import re
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.receiver import Outcome

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
LAG_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 40.0, 300.0, 3_600.0, 86_400.0)
ATTEMPTS = frozenset("123")

_EVENT_ID = re.compile(r"evt_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-")


class Metrics:
    """One set of metrics; it observes a receiver."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics in `registry`, a new one for None."""
        self.registry = registry or CollectorRegistry()
        prefix = "chathooks_receiver"
        self._requests = Counter(
            f"{prefix}_requests",
            "Requests by status and result: accepted, duplicate, refused or failed.",
            ("status", "result"),
            registry=self.registry,
        )
        self._refusals = Counter(
            f"{prefix}_refusals",
            "Requests not accepted, by code.",
            ("code",),
            registry=self.registry,
        )
        self._events = Counter(
            f"{prefix}_events",
            "Accepted events by trigger; `unknown` for those the catalog does not hold.",
            ("trigger",),
            registry=self.registry,
        )
        self._duplicates = Counter(
            f"{prefix}_duplicates", "Events that had come before.", registry=self.registry
        )
        self._attempts = Counter(
            f"{prefix}_attempts",
            "Deliveries by the number of their attempt: 1, 2, 3 or more; none where the sender tells none.",
            ("attempt",),
            registry=self.registry,
        )
        self._undocumented = Counter(
            f"{prefix}_undocumented",
            "What the catalog does not know: triggers, and fields.",
            ("kind",),
            registry=self.registry,
        )
        self._unconfirmed = Counter(
            f"{prefix}_unconfirmed",
            "Accepted events that could not be recorded as seen, and may come twice.",
            registry=self.registry,
        )
        self._duration_s = Histogram(
            f"{prefix}_request_seconds",
            "From the whole body to the answer.",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._sink_s = Histogram(
            f"{prefix}_sink_seconds",
            "What the sink took for an event.",
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._lag_s = Histogram(
            f"{prefix}_lag_seconds",
            "From an event, by the time in its id, to its arrival.",
            buckets=LAG_BUCKETS_S,
            registry=self.registry,
        )

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        made = Gauge(f"chathooks_receiver_{name}", meaning, registry=self.registry)
        made.set_function(value)

    def observe(self, outcome: Outcome) -> None:
        """Count one request."""
        self._requests.labels(str(outcome.status), outcome.result).inc()
        self._duration_s.observe(outcome.duration_s)
        if outcome.code is not None:
            self._refusals.labels(outcome.code).inc()
        if outcome.sink_s is not None:
            self._sink_s.observe(outcome.sink_s)
        if outcome.arrival is None:
            return
        arrival = outcome.arrival
        attempt = arrival.headers.get("chathooks-attempt", "none")
        known = attempt if attempt in ATTEMPTS or attempt == "none" else "more"
        self._attempts.labels(known).inc()
        if outcome.result == "duplicate":
            self._duplicates.inc()
        elif outcome.result == "accepted":
            trigger = arrival.event.trigger
            self._events.labels(trigger if trigger in TRIGGERS else "unknown").inc()
            lag_s = lag_of(arrival.event.event_id, arrival.received_at_ms)
            if lag_s is not None:
                self._lag_s.observe(lag_s)
            if not outcome.confirmed:
                self._unconfirmed.inc()
            for name in arrival.undocumented:
                self._undocumented.labels("trigger" if name == "trigger" else "field").inc()

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


def lag_of(event_id: str | None, received_at_ms: int) -> float | None:
    """Seconds from the time in an id of ours (UUIDv7) to the arrival; None for other ids."""
    found = _EVENT_ID.match(event_id or "")
    if found is None:
        return None
    return max(0.0, (received_at_ms - int(found[1] + found[2], 16)) / 1000)
