"""The sender: one attempt of one delivery, from the stored bytes to its outcome."""

from collections.abc import Callable
from typing import Any

from chathooks.delivery.fanout import Subscription
from chathooks.delivery.outcome import classify
from chathooks.delivery.payload import Endpoint, build
from chathooks.delivery.queue import Candidate
from chathooks.delivery.recording import Ended
from chathooks.egress.client import EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import FailureKind
from chathooks.kernel import telemetry
from chathooks.kernel.clock import Clock
from chathooks.kernel.rows import row_maker

_MS_PER_S = 1000
_ACKNOWLEDGED = telemetry.ATTEMPTS.labels("acknowledged")
_ended = row_maker(Ended)


class Sender:
    """Begins attempts; what comes of each is handed over with its delivery."""

    def __init__(
        self,
        client: EgressClient,
        clock: Clock,
        *,
        timeout_s: float,
        ended: Callable[[Ended], None],
    ) -> None:
        """
        Args:
            client: the way out.
            clock: dates attempts.
            timeout_s: from the start of an attempt to its answer's headers.
            ended: called with every attempt that ended, never before `begin` returns unless nothing was sent.
        """
        self._client = client
        self._clock = clock
        self._timeout_s = timeout_s
        self._ended = ended
        self._outcomes: dict[str, Any] = {}
        self._acknowledged = 0

    def begin(self, subscription: Subscription, endpoint: Endpoint, item: Candidate) -> None:
        """Begin the delivery's next attempt."""
        started_at = self._clock.wall_ms()
        if item.attempt == 0:
            lag_ms = started_at - item.created_at
            telemetry.DELIVERY_LAG_SECONDS.observe(max(0, lag_ms) / _MS_PER_S)

        def done(exchange: Exchange) -> None:
            outcome = classify(exchange.status, exchange.failure)
            ended_at = 0 if outcome.acknowledged else self._clock.steady_ms_up()
            if not item.replay:  # replays leave the health figures alone (delivery contract §2)
                self._count(outcome.failure, exchange.duration_ms)
            self._ended(
                _ended((subscription, endpoint, item, started_at, ended_at, exchange, outcome))
            )

        if endpoint.target is None:
            done(Exchange(failure=FailureKind.address_refused, detail=endpoint.refusal))
            return
        headers, body = build(endpoint, item, started_at)
        self._client.post(endpoint.target, headers, body, timeout_s=self._timeout_s, done=done)

    def tell(self) -> None:
        """Add what was acknowledged since the last call to the metric, whose lock is dear for one by one."""
        if self._acknowledged:
            _ACKNOWLEDGED.inc(self._acknowledged)
            self._acknowledged = 0

    def _count(self, failure: FailureKind | None, duration_ms: float) -> None:
        telemetry.ATTEMPT_SECONDS.observe(duration_ms / _MS_PER_S)
        if failure is None:
            self._acknowledged += 1
            return
        name = str(failure)
        counter = self._outcomes.get(name)
        if counter is None:
            counter = self._outcomes[name] = telemetry.ATTEMPTS.labels(name)
        counter.inc()
