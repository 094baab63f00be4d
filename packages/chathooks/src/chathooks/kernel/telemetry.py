"""Metrics, by name. Each is documented in docs/reference/metrics.md."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client does not type it

REGISTRY = CollectorRegistry()


class LoopHistogram(Collector):
    """A histogram that only the event loop's thread observes: no lock, and one addition instead of one per bucket.

    prometheus-client's own takes about ten times as long, which the hot path feels.
    """

    def __init__(self, name: str, documentation: str, buckets: tuple[float, ...]) -> None:
        """Register a histogram with upper bounds `buckets`, in ascending order."""
        self._name = name
        self._documentation = documentation
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        REGISTRY.register(self)

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What a scrape gets."""
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(
            self._name, self._documentation, buckets=buckets, sum_value=self._sum
        )


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)

STORE_BATCH_COMMANDS = LoopHistogram(
    "chathooks_store_batch_commands",
    "Commands per committed batch",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
STORE_COMMIT_SECONDS = Histogram(
    "chathooks_store_commit_seconds",
    "Time a commit waited for the disk",
    buckets=_SECONDS,
    registry=REGISTRY,
)
HTTP_REQUESTS = Counter(
    "chathooks_http_requests_total",
    "API requests by method and status",
    ["method", "status"],
    registry=REGISTRY,
)
HTTP_SECONDS = LoopHistogram(
    "chathooks_http_request_seconds",
    "Time to answer API requests",
    buckets=_SECONDS,
)
EVENTS_FANNED_OUT = Counter(
    "chathooks_events_fanned_out_total", "Events read from the feed by fan-out", registry=REGISTRY
)
DELIVERIES_CREATED = Counter(
    "chathooks_deliveries_created_total", "Deliveries made by fan-out", registry=REGISTRY
)
DELIVERIES_ENDED = Counter(
    "chathooks_deliveries_ended_total",
    "Deliveries by final state",
    ["state"],
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "chathooks_attempts_total", "Attempts by outcome", ["outcome"], registry=REGISTRY
)
ATTEMPT_SECONDS = LoopHistogram(
    "chathooks_attempt_seconds",
    "Duration of attempts",
    buckets=_SECONDS,
)
DELIVERY_LAG_SECONDS = LoopHistogram(
    "chathooks_delivery_lag_seconds",
    "From an event's commit to the start of its first attempt",
    buckets=(*_SECONDS, 10.0, 30.0, 60.0, 300.0, 3600.0),
)
ATTEMPTS_IN_FLIGHT = Gauge("chathooks_attempts_in_flight", "Attempts in flight", registry=REGISTRY)
ALERTS = Counter(
    "chathooks_alerts_total",
    "Alerts raised: failing, behind, silent, expiring",
    ["condition"],
    registry=REGISTRY,
)
ALERTS_RAISED = Gauge(
    "chathooks_alerts_raised", "Webhooks with a raised alert", ["condition"], registry=REGISTRY
)
ALERT_NOTIFICATIONS = Counter(
    "chathooks_alert_notifications_total",
    "Notifications per address: sent, failed; and dropped because too many waited",
    ["outcome"],
    registry=REGISTRY,
)
OUTBOX_AGE_SECONDS = Gauge(
    "chathooks_outbox_age_seconds",
    "Age of the oldest event that was not fanned out yet",
    registry=REGISTRY,
)
OUTBOX_WAITING = Gauge(
    "chathooks_outbox_waiting", "Feed entries that were not fanned out yet", registry=REGISTRY
)
WEBHOOK_BACKLOG = Gauge(
    "chathooks_webhook_backlog",
    "Deliveries waiting, for the webhooks that lag most (at most 100)",
    ["app", "webhook"],
    registry=REGISTRY,
)
WEBHOOK_LAG_SECONDS = Gauge(
    "chathooks_webhook_lag_seconds",
    "Age of the oldest waiting delivery, for the webhooks that lag most (at most 100)",
    ["app", "webhook"],
    registry=REGISTRY,
)
NODE_LEADS = Gauge(
    "chathooks_node_leads",
    "1 where this node fans out and keeps the schedules of its cluster",
    registry=REGISTRY,
)
NODE_SHARES = Gauge(
    "chathooks_node_shares", "Shares of the lanes that this node delivers for", registry=REGISTRY
)
BELL_PUBLISHED = Counter(
    "chathooks_bell_published_total",
    "Messages with news that this node sent to the others",
    registry=REGISTRY,
)
BELL_RECEIVED = Counter(
    "chathooks_bell_received_total",
    "Messages with news from other nodes",
    registry=REGISTRY,
)
BELL_RECONNECTS = Counter(
    "chathooks_bell_reconnects_total",
    "Times the bell was taken up again after it was lost",
    registry=REGISTRY,
)
BELL_SWEPT = Counter(
    "chathooks_bell_swept_total",
    "Looks at everything anew: timer, away, reconnected, gap, unreadable",
    ["why"],
    registry=REGISTRY,
)
