"""Test fires: a trigger's sample sent to a webhook now, through the path that deliveries take.

Same body, signature, credentials, guard, client and time-out; but its own event id, `chathooks-test: 1`, no number,
no sequence, one attempt, no retry. It is answered and not stored: it is in neither the feed nor the log, counts in
no health figure and holds no slot of the lane (delivery contract §6, §7 "Test fire"). A process that ends
meanwhile forgets it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chathooks.delivery.log import LoggedAttempt, read_headers
from chathooks.delivery.outcome import classify, explain
from chathooks.delivery.payload import build_test, prepare
from chathooks.delivery.queue import WebhookRow
from chathooks.delivery.recording import RESPONSE_HEADERS_KEPT_BYTES_MAX, attempt_detail
from chathooks.delivery.records import State, sample_delivery_id
from chathooks.delivery.sample_changes import changed_sample
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.delivery.webhooks import unknown_trigger
from chathooks.egress.client import Cancel, EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import EgressClosed, FailureKind
from chathooks.egress.guard import TargetPolicy
from chathooks.kernel.clock import Clock
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import EventIds
from chathooks.kernel.transactions import Store
from chathooks_events.catalog import TRIGGERS

IN_FLIGHT_PER_WEBHOOK_MAX = 3
IN_FLIGHT_MAX = 64
"""Of all webhooks together."""


class FireTestTransaction(Protocol):
    """What test fires ask of a store."""

    async def find_webhook(self, app: int, webhook_id: str) -> StoredWebhook | None: ...
    async def webhook_config(self, lane: int) -> WebhookRow | None: ...


@dataclass(frozen=True, slots=True)
class FiredTest:
    """What was sent and what came of it."""

    id: str
    """Value of `chathooks-delivery`; nothing is stored under it."""
    event_id: str
    trigger: str
    webhook_id: str
    state: State
    """DELIVERED or FAILED."""
    created_at: int
    """Unix ms."""
    attempt: LoggedAttempt


class FireTest:
    """Sends samples."""

    def __init__(
        self,
        store: Store[FireTestTransaction],
        clock: Clock,
        ids: EventIds,
        client: EgressClient,
        box: SecretBox,
        targets: TargetPolicy,
        *,
        request_timeout_s: float = 2.0,
    ) -> None:
        """
        Args:
            store: where webhooks are kept.
            clock: dates the attempt.
            ids: makes the event's id.
            client: the one that deliveries are sent with.
            box: opens credentials and secrets.
            targets: which URLs may be called.
            request_timeout_s: what an endpoint has to answer, as in deliveries.
        """
        self._store = store
        self._clock = clock
        self._ids = ids
        self._client = client
        self._box = box
        self._targets = targets
        self._timeout_s = request_timeout_s
        self._in_flight: dict[int, int] = {}

    async def fire(
        self, app: int, webhook_id: str, trigger: str, changes: Mapping[str, Any] | None = None
    ) -> FiredTest:
        """Send a trigger's sample to a webhook, enabled or not, subscribed to it or not.

        Args:
            app: key of the app.
            webhook_id: a webhook of the app.
            trigger: a name of the catalog.
            changes: values to put into the sample's data, by dotted place.

        Raises:
            ChathooksError: ERR_TRIGGER_NOT_FOUND, ERR_WEBHOOK_NOT_FOUND, ERR_BAD_REQUEST where the data has no such
                place or takes no such value, ERR_TOO_MANY_REQUESTS while as many test fires as may are under way, ERR_STORE_UNAVAILABLE while the server stops.
        """
        if trigger not in TRIGGERS:
            raise unknown_trigger(trigger)
        data = changed_sample(trigger, changes or {})
        webhook = await self._store.read(lambda tx: _find(tx, app, webhook_id))
        lane = webhook.lane
        running = self._in_flight.get(lane, 0)
        if running >= IN_FLIGHT_PER_WEBHOOK_MAX or sum(self._in_flight.values()) >= IN_FLIGHT_MAX:
            raise ChathooksError(
                "ERR_TOO_MANY_REQUESTS",
                "Too many test fires are under way; wait for their answers, then try again.",
            )
        self._in_flight[lane] = running + 1
        try:
            return await self._fire(webhook, trigger, data)
        finally:
            self._in_flight[lane] -= 1
            if not self._in_flight[lane]:
                del self._in_flight[lane]

    async def _fire(self, webhook: WebhookRow, trigger: str, data: bytes) -> FiredTest:
        endpoint = prepare(webhook, self._box, self._targets)
        event_id = self._ids.next()
        delivery_id = sample_delivery_id(event_id)
        started_at = self._clock.wall_ms()
        if endpoint.target is None:
            exchange = Exchange(failure=FailureKind.address_refused, detail=endpoint.refusal)
        else:
            headers, body = build_test(
                endpoint, trigger, data, event_id, delivery_id, now_ms=started_at
            )
            answer: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
            cancel: Cancel | None = None
            try:
                cancel = self._client.send(
                    endpoint.target,
                    headers,
                    body,
                    timeout_s=self._timeout_s,
                    done=answer.set_result,
                )
                exchange = await answer
            except EgressClosed:
                raise ChathooksError(
                    "ERR_STORE_UNAVAILABLE", "The server is stopping; try again in a moment."
                ) from None
            except asyncio.CancelledError:
                if cancel is not None:
                    cancel.cancel()
                raise
        outcome = classify(exchange.status, exchange.failure)
        return FiredTest(
            id=delivery_id,
            event_id=event_id,
            trigger=trigger,
            webhook_id=webhook.webhook_id,
            state=State.DELIVERED if outcome.acknowledged else State.FAILED,
            created_at=started_at,
            attempt=LoggedAttempt(
                number=1,
                started_at=started_at,
                duration_ms=exchange.duration_ms,
                detail=attempt_detail(exchange),
                status=exchange.status,
                headers=read_headers(exchange.response_headers[:RESPONSE_HEADERS_KEPT_BYTES_MAX]),
                body=exchange.response_body.decode("utf-8", "replace"),
                failure=None if outcome.failure is None else str(outcome.failure),
                explanation=explain(outcome, exchange.detail, self._timeout_s),
            ),
        )


async def _find(tx: FireTestTransaction, app: int, webhook_id: str) -> WebhookRow:
    found = await tx.find_webhook(app, webhook_id)
    row = None
    if found is not None and found.deleted_at is None:
        row = await tx.webhook_config(found.lane)
    if row is None:
        raise ChathooksError(
            "ERR_WEBHOOK_NOT_FOUND", f"There is no webhook {webhook_id!r} in this app."
        )
    return row
