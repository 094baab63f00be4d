"""The request of an attempt: headers and body (delivery contract §1)."""

from dataclasses import dataclass, field
from functools import lru_cache

import structlog

from chathooks.delivery.queue import Candidate, WebhookRow
from chathooks.delivery.records import delivery_id
from chathooks.egress.guard import Target, TargetPolicy, TargetRefused, parse_target
from chathooks.kernel.crypto import SecretBox
from chathooks_events.catalog import trigger_by_number
from chathooks_events.envelope import EnvelopeTemplate
from chathooks_events.signing import SigningKey, basic_authorization

_MS_PER_S = 1000

log = structlog.get_logger("delivery")


def password_context(app: int, webhook_id: str) -> str:
    """What a sealed Basic password is bound to."""
    return f"{app}/{webhook_id}/password"


def secret_context(app: int, webhook_id: str) -> str:
    """What a sealed signing secret is bound to."""
    return f"{app}/{webhook_id}/secret"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook as it is now, made ready for attempts."""

    lane: int
    webhook_id: str
    target: Target | None
    refusal: str
    """Why the URL may not be called today; empty where `target` is set."""
    enabled: bool
    deleted: bool
    retry_on_failure: bool
    max_concurrency: int
    fixed_headers: tuple[bytes, ...] = field(repr=False)
    keys: tuple[SigningKey, ...] = field(repr=False)
    previous_expires_at: int | None
    template: EnvelopeTemplate = field(repr=False)
    unreadable: bool = False
    """Its secrets cannot be opened: nothing can be sent, and what waits expires in its time."""

    @property
    def open(self) -> bool:
        """Whether it gets events."""
        return self.enabled and not self.deleted and not self.unreadable


def prepare(row: WebhookRow, box: SecretBox, policy: TargetPolicy) -> Endpoint:
    """Make a stored webhook ready for attempts: URL judged anew, secrets opened."""
    target: Target | None = None
    refusal = ""
    try:
        target = parse_target(row.url, policy)
    except TargetRefused as refused:
        refusal = refused.message
    headers = [b"Content-Type: application/json"]
    if row.use_basic_auth and row.username is not None and row.password_sealed is not None:
        password = box.open(row.password_sealed, password_context(row.app, row.webhook_id))
        authorization = basic_authorization(row.username, password)
        headers.append(f"Authorization: {authorization}".encode("ascii"))
    context = secret_context(row.app, row.webhook_id)
    keys = [SigningKey.parse(box.open(row.secret_sealed, context))]
    if row.previous_secret_sealed is not None:
        keys.append(SigningKey.parse(box.open(row.previous_secret_sealed, context)))
    return Endpoint(
        lane=row.lane,
        webhook_id=row.webhook_id,
        target=target,
        refusal=refusal,
        enabled=bool(row.enabled),
        deleted=bool(row.deleted),
        retry_on_failure=bool(row.retry_on_failure),
        max_concurrency=row.max_concurrency,
        fixed_headers=tuple(headers),
        keys=tuple(keys),
        previous_expires_at=row.previous_expires_at,
        template=EnvelopeTemplate(row.app_id, row.region, row.webhook_id),
    )


def unreadable(row: WebhookRow) -> Endpoint:
    """What is known of a webhook whose secrets cannot be opened."""
    return Endpoint(
        lane=row.lane,
        webhook_id=row.webhook_id,
        target=None,
        refusal="its secrets cannot be opened",
        enabled=bool(row.enabled),
        deleted=bool(row.deleted),
        retry_on_failure=bool(row.retry_on_failure),
        max_concurrency=row.max_concurrency,
        fixed_headers=(),
        keys=(),
        previous_expires_at=None,
        template=EnvelopeTemplate(row.app_id, row.region, row.webhook_id),
        unreadable=True,
    )


@lru_cache(maxsize=8)
def _timestamp(now_s: int) -> tuple[bytes, bytes]:
    """The header with the time, and the part of what is signed that follows the message id."""
    return b"webhook-timestamp: %d" % now_s, b".%d." % now_s


def build(endpoint: Endpoint, item: Candidate, now_ms: int) -> tuple[list[bytes | str], bytes]:
    """Headers and body of the attempt that begins now.

    Args:
        endpoint: where it goes.
        item: the delivery; its attempt number is one more than `item.attempt`.
        now_ms: unix ms; signed as `webhook-timestamp`.
    """
    headers, body = _signed(
        endpoint, trigger_by_number(item.trigger_number).name, item.data, item.event_id, now_ms
    )
    headers += (
        f"chathooks-delivery: {delivery_id(item.lane, item.number)}",
        f"chathooks-attempt: {item.attempt + 1}",
        f"chathooks-number: {item.number}",
    )
    if item.sequence is not None:
        headers.append(f"chathooks-sequence: {item.sequence}")
    if item.replay:
        headers.append("chathooks-replay: 1")
    return headers, body


def build_test(
    endpoint: Endpoint, trigger: str, data: bytes, event_id: str, shown_id: str, *, now_ms: int
) -> tuple[list[bytes | str], bytes]:
    """Headers and body of a test fire, which has no number and no sequence (delivery contract §7).

    Args:
        endpoint: where it goes.
        trigger: a name of the catalog.
        data: the sample, as JSON.
        event_id: of its own.
        shown_id: what stands in `chathooks-delivery`.
        now_ms: unix ms; signed as `webhook-timestamp`.
    """
    headers, body = _signed(endpoint, trigger, data, event_id, now_ms)
    headers += (f"chathooks-delivery: {shown_id}", "chathooks-attempt: 1", "chathooks-test: 1")
    return headers, body


def _signed(
    endpoint: Endpoint, trigger: str, data: bytes, event_id: str, now_ms: int
) -> tuple[list[bytes | str], bytes]:
    body = endpoint.template.body(trigger, data, event_id)
    keys = endpoint.keys
    if len(keys) > 1 and not (endpoint.previous_expires_at or 0) > now_ms:
        keys = keys[:1]
    header, infix = _timestamp(now_ms // _MS_PER_S)
    message_id = event_id.encode()
    prefix = message_id + infix
    signatures = b" ".join([key.signature(prefix, body) for key in keys])
    headers: list[bytes | str] = [
        *endpoint.fixed_headers,
        b"webhook-id: " + message_id,
        header,
        b"webhook-signature: " + signatures,
    ]
    return headers, body
