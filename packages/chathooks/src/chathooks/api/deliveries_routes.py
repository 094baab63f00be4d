"""The delivery log (delivery contract §6, §7 "Field names")."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from chathooks.api.paging import CURSOR_CHARS_MAX, CursorMeta, cursor_meta, decode_cursor
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.log import DeliveryLog, LogFilter, LoggedAttempt, LoggedDelivery
from chathooks.delivery.records import delivery_id
from chathooks.delivery.webhooks import unknown_trigger
from chathooks_events.catalog import TRIGGERS

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
TIME_CHARS_MAX = 40
TIME_S_MAX = 100_000_000_000
"""Integers below it are unix seconds, from it on unix milliseconds (delivery contract §7 "Answers")."""
TIME_MS_MAX = 2**53

TAG = "Delivery log"
UNSET = msgspec.UNSET
Unset = msgspec.UnsetType

_CURSOR_KIND = "below"
_MS_PER_S = 1000

StateName = Literal[
    "pending", "in_flight", "retrying", "delivered", "failed", "expired", "cancelled"
]
TimeText = Annotated[str, msgspec.Meta(max_length=TIME_CHARS_MAX)]


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of a webhook's delivery log; `from` and `to` take unix seconds or ms, or ISO 8601."""

    state: list[StateName] = []
    trigger: list[str] = []
    from_: TimeText = msgspec.field(name="from", default="")
    to: TimeText = ""
    from_number: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="fromNumber", default=0)
    """The first `chathooks-number`."""
    to_number: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="toNumber", default=0)
    """The last one; 0: no bound."""
    cursor: Annotated[str, msgspec.Meta(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT


class Timings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Milliseconds since the attempt began at which each step was done; 0 where it was not needed."""

    dns: float
    connect: float
    tls: float
    first_byte: float
    total: float


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One attempt; times in unix ms where the name ends in `At`."""

    number: int
    started_at: int
    duration_ms: float
    timings: Timings
    remote_ip: str | Unset = UNSET
    http_version: str | Unset = UNSET
    connection_reused: bool
    resent: bool
    """A kept connection closed unanswered, so the request was sent once more inside the attempt."""
    status: int | Unset = UNSET
    headers: dict[str, str]
    body: str
    """The first 4 KiB of the answer."""
    failure: str | Unset = UNSET
    explanation: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event for one webhook; times in unix ms."""

    id: str
    event_id: str
    trigger: str
    webhook: str
    state: StateName
    number: int
    sequence: int | Unset = UNSET
    created_at: int
    next_attempt_at: int | Unset = UNSET
    attempts: list[Attempt]


def attempt_answer(attempt: LoggedAttempt) -> Attempt:
    """An attempt as the API shows it."""
    detail = attempt.detail
    return Attempt(
        number=attempt.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        timings=Timings(
            dns=detail.dns,
            connect=detail.connect,
            tls=detail.tls,
            first_byte=detail.first_byte,
            total=detail.total,
        ),
        remote_ip=detail.ip or UNSET,
        http_version=detail.http or UNSET,
        connection_reused=detail.reused,
        resent=detail.resent,
        status=UNSET if attempt.status is None else attempt.status,
        headers=attempt.headers,
        body=attempt.body,
        failure=attempt.failure or UNSET,
        explanation=attempt.explanation,
    )


def delivery_answer(found: LoggedDelivery) -> Delivery:
    """A delivery as the API shows it."""
    return Delivery(
        id=delivery_id(found.lane, found.number),
        event_id=found.event_id,
        trigger=found.trigger,
        webhook=found.webhook_id,
        state=msgspec.convert(found.state, StateName),
        number=found.number,
        sequence=UNSET if found.sequence is None else found.sequence,
        created_at=found.created_at,
        next_attempt_at=UNSET if found.next_attempt_at is None else found.next_attempt_at,
        attempts=[attempt_answer(attempt) for attempt in found.attempts],
    )


def parse_time(name: str, text: str | None) -> int | None:
    """Unix ms of a time given as unix seconds, unix ms or ISO 8601; None where none is given.

    Raises:
        ChathooksError: ERR_BAD_REQUEST, naming the parameter.
    """
    if not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            number = int(text)
            at_ms = number * _MS_PER_S if number < TIME_S_MAX else number
        else:
            # A `+` of a zone that was not percent-encoded arrives as a space.
            parsed = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
            moment = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
            at_ms = int(moment.timestamp() * _MS_PER_S)
        if at_ms > TIME_MS_MAX:
            raise ValueError
    except (ValueError, OverflowError):
        raise bad_request(
            f"{name} is not a time: give unix seconds, unix milliseconds or ISO 8601.",
            {name: "is not a time"},
        ) from None
    return at_ms


def trigger_numbers(names: Iterable[str]) -> frozenset[int]:
    """Catalog numbers of trigger names. Raises ERR_TRIGGER_NOT_FOUND."""
    names = list(names)
    for name in names:
        if name not in TRIGGERS:
            raise unknown_trigger(name)
    return frozenset(TRIGGERS[name].number for name in names)


class DeliveryRoutes:
    """Handlers of the delivery log."""

    def __init__(self, log: DeliveryLog) -> None:
        self._log = log

    def routes(self) -> list[Route]:
        """The log's calls of delivery contract §6."""
        return [
            Route(
                method="GET",
                path="/webhooks/{webhookId}/deliveries",
                handler=self.list,
                summary="List deliveries of a webhook, newest first",
                tag=TAG,
                answer=list[Delivery],
                meta=CursorMeta,
                query=DeliveryQuery,
                errors=("ERR_WEBHOOK_NOT_FOUND", "ERR_TRIGGER_NOT_FOUND"),
                management=True,
            ),
            Route(
                method="GET",
                path="/deliveries/{deliveryId}",
                handler=self.get,
                summary="Get a delivery with its attempts",
                tag=TAG,
                answer=Delivery,
                errors=("ERR_DELIVERY_NOT_FOUND",),
            ),
        ]

    async def list(self, call: Call) -> Answer:
        """Deliveries of a webhook, deleted or not."""
        query: DeliveryQuery = call.query
        from_ms = parse_time("from", query.from_)
        to_ms = parse_time("to", query.to)
        if from_ms is not None and to_ms is not None and from_ms > to_ms:
            raise bad_request("from is later than to.", {"from": "is later than to"})
        wanted = LogFilter(
            states=frozenset(query.state),
            triggers=trigger_numbers(query.trigger),
            from_ms=from_ms,
            to_ms=to_ms,
            from_number=query.from_number or None,
            to_number=query.to_number or None,
        )
        if query.to_number and query.from_number > query.to_number:
            raise bad_request(
                "fromNumber is greater than toNumber.", {"fromNumber": "is greater than toNumber"}
            )
        found, below = await self._log.page(
            call.app.key,
            call.path["webhookId"],
            wanted,
            decode_cursor(_CURSOR_KIND, query.cursor),
            query.limit,
        )
        return Answer(
            [delivery_answer(delivery) for delivery in found], cursor_meta(_CURSOR_KIND, below)
        )

    async def get(self, call: Call) -> Answer:
        """One delivery."""
        return Answer(delivery_answer(await self._log.one(call.app.key, call.path["deliveryId"])))
