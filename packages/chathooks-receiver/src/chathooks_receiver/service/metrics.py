"""The metrics of the service, for Prometheus."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.receiver import Outcome

PREFIX = "chathooks_receiver_"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0)
LAG_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 40.0, 300.0, 3_600.0, 86_400.0)
ATTEMPTS = frozenset("123")

_EVENT_ID = re.compile(r"evt_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-")


class Family(NamedTuple):
    """One metric, for the reference."""

    name: str
    type: str
    labels: tuple[str, ...]
    documentation: str


class Metrics:
    """One set of metrics; it observes a receiver."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Make the metrics in `registry`, a new one for None."""
        self.registry = registry or CollectorRegistry()
        self._families: list[Family] = []
        self._requests = self._counter(
            "requests",
            "Requests by status and result: accepted, duplicate, refused or failed.",
            ("status", "result"),
        )
        self._refusals = self._counter("refusals", "Requests not accepted, by code.", ("code",))
        self._events = self._counter(
            "events",
            "Accepted events by trigger; `unknown` for those the catalog does not hold.",
            ("trigger",),
        )
        self._duplicates = self._counter("duplicates", "Events that had come before.")
        self._attempts = self._counter(
            "attempts",
            "Deliveries by the number of their attempt: 1, 2, 3, more, or none where the sender tells none.",
            ("attempt",),
        )
        self._undocumented = self._counter(
            "undocumented",
            "What the catalog does not know, by kind: trigger or field.",
            ("kind",),
        )
        self._unconfirmed = self._counter(
            "unconfirmed",
            "Accepted events that could not be recorded as seen, and may come twice.",
        )
        self._duration_s = self._histogram("request_seconds", "From the whole body to the answer.")
        self._sink_s = self._histogram("sink_seconds", "What the sink took for an event.")
        self._lag_s = self._histogram(
            "lag_seconds", "From an event, by the time in its id, to its arrival.", LAG_BUCKETS_S
        )

    def _counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        self._families.append(Family(PREFIX + name, "counter", tuple(labels), meaning))
        return Counter(PREFIX + name, meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float] = BUCKETS_S
    ) -> Histogram:
        self._families.append(Family(PREFIX + name, "histogram", (), meaning))
        return Histogram(PREFIX + name, meaning, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A gauge that is read when it is asked for."""
        self._families.append(Family(PREFIX + name, "gauge", (), meaning))
        made = Gauge(PREFIX + name, meaning, registry=self.registry)
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
            for name in arrival.undocumented():
                self._undocumented.labels("trigger" if name == "trigger" else "field").inc()

    def families(self) -> list[Family]:
        """What there is: name, kind, labels and meaning of each metric."""
        return self._families

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


def lag_of(event_id: str | None, received_at_ms: int) -> float | None:
    """Seconds from the time in an id of ours (UUIDv7) to the arrival; None for other ids."""
    found = _EVENT_ID.match(event_id or "")
    if found is None:
        return None
    return max(0.0, (received_at_ms - int(found[1] + found[2], 16)) / 1000)
