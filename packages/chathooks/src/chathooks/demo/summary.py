"""How the demo went, as a value that is printed as JSON."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from chathooks.demo.client import Delivery
from chathooks.demo.endpoint import Acceptance
from chathooks.demo.plan import WEBHOOKS, expected_deliveries
from chathooks.demo.verdict import missing

_MS_PER_S = 1000


class WebhookSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one webhook got."""

    deliveries: int
    accepted: int
    duplicates: int


class RetriedDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A delivery that took several attempts; `waits_s` are the seconds between them."""

    id: str
    webhook: str
    trigger: str
    answers: list[str]
    waits_s: list[float]


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the demo went."""

    ok: bool
    """Every event arrived at every subscribed endpoint."""
    url: str
    seconds: float
    events: int
    deliveries: int
    delivered: int
    triggers: list[str]
    """Those that arrived."""
    webhooks: dict[str, WebhookSummary]
    retried: list[RetriedDelivery]
    missing: list[str]


def _retried(delivery: Delivery) -> RetriedDelivery:
    attempts = delivery.attempts
    return RetriedDelivery(
        id=delivery.id,
        webhook=delivery.webhook,
        trigger=delivery.trigger,
        answers=[str(attempt.status or attempt.failure) for attempt in attempts],
        waits_s=[
            round((after.started_at - before.started_at - before.duration_ms) / _MS_PER_S, 2)
            for before, after in pairwise(attempts)
        ],
    )


def summarise(
    *,
    url: str,
    seconds: float,
    deliveries: Sequence[Delivery],
    accepted: Sequence[Acceptance],
    failures: Sequence[str] = (),
) -> Summary:
    """Judge the demo; `failures` are further reasons why it is not in order, one sentence each."""
    gaps = [*failures, *missing(expected_deliveries(), deliveries, accepted)]
    per_webhook = Counter(delivery.webhook for delivery in deliveries)
    taken = Counter(item.webhook for item in accepted if not item.duplicate)
    again = Counter(item.webhook for item in accepted if item.duplicate)
    return Summary(
        ok=not gaps,
        url=url,
        seconds=round(seconds, 1),
        events=len({delivery.event_id for delivery in deliveries}),
        deliveries=len(deliveries),
        delivered=sum(delivery.state == "delivered" for delivery in deliveries),
        triggers=sorted({item.trigger for item in accepted}),
        webhooks={
            webhook.id: WebhookSummary(
                deliveries=per_webhook[webhook.id],
                accepted=taken[webhook.id],
                duplicates=again[webhook.id],
            )
            for webhook in WEBHOOKS
        },
        retried=[_retried(delivery) for delivery in deliveries if len(delivery.attempts) > 1],
        missing=gaps,
    )
