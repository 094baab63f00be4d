"""What is written down of attempts that ended, and what follows for their deliveries."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chathooks.delivery.claims import release_head
from chathooks.delivery.fanout import Subscription
from chathooks.delivery.outcome import Outcome
from chathooks.delivery.payload import Endpoint
from chathooks.delivery.policy import Decision, decide
from chathooks.delivery.queue import Candidate, DeliveryTransaction, EndedAttempt, Settled
from chathooks.delivery.records import AttemptDetail, State
from chathooks.egress.exchange import Exchange
from chathooks.kernel.rows import row_maker

RESPONSE_HEADERS_KEPT_BYTES_MAX = 4096
TIMING_DECIMALS = 3
"""Timings are kept to the microsecond."""

_ended_attempt = row_maker(EndedAttempt)
_encode = msgspec.json.Encoder().encode


class Ended(NamedTuple):
    """An attempt that ended and is not recorded yet."""

    subscription: Subscription
    endpoint: Endpoint
    item: Candidate
    started_at: int
    """Unix ms."""
    ended_at: int
    """Steady ms, what a retry's delay counts from; 0 where the attempt was acknowledged."""
    exchange: Exchange
    outcome: Outcome


@dataclass(slots=True)
class Recorded:
    """What recording decided, to be applied to memory after its commit."""

    delivered: dict[int, list[int]] = field(default_factory=dict)
    """By lane, numbers that were acknowledged at the first attempt and stood in no ordered stream: nearly all."""
    others: list[Ended] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    """What became of the deliveries of `others`, in the same order."""
    due: list[tuple[int, int]] = field(default_factory=list)
    """(lane, due time) of retries and of released events."""
    waiting: list[Subscription] = field(default_factory=list)
    """The lane of each delivery that waits again."""


def attempt_detail(exchange: Exchange) -> AttemptDetail:
    """What is kept of an exchange besides its status."""
    return AttemptDetail(
        dns=round(exchange.dns_ms, TIMING_DECIMALS),
        connect=round(exchange.connect_ms, TIMING_DECIMALS),
        tls=round(exchange.tls_ms, TIMING_DECIMALS),
        first_byte=round(exchange.first_byte_ms, TIMING_DECIMALS),
        total=round(exchange.total_ms, TIMING_DECIMALS),
        ip=exchange.remote_ip or None,
        http=exchange.http_version or None,
        reused=exchange.connection_reused,
        resent=exchange.resent,
        note=exchange.detail or None,
    )


def encoded_detail(exchange: Exchange) -> bytes:
    """`attempt_detail` as JSON."""
    ip, http = exchange.remote_ip, exchange.http_version
    if exchange.connection_reused and ip and http and not (exchange.resent or exchange.detail):
        # The common case, as the encoder would write it: such an exchange resolved and opened nothing.
        return (
            f'{{"first_byte":{exchange.first_byte_ms:.3f},"total":{exchange.total_ms:.3f},'
            f'"ip":"{ip}","http":"{http}","reused":true}}'
        ).encode()
    return _encode(attempt_detail(exchange))


def attempt_row(ended: Ended) -> EndedAttempt:
    """The attempt as it is kept in the log."""
    exchange = ended.exchange
    failure = ended.outcome.failure
    item = ended.item
    return _ended_attempt(
        (
            item.lane,
            item.number,
            item.attempt + 1,
            ended.started_at,
            int(exchange.duration_ms * 1000),
            exchange.status,
            None if failure is None else str(failure),
            encoded_detail(exchange),
            exchange.response_headers[:RESPONSE_HEADERS_KEPT_BYTES_MAX],
            exchange.response_body,
        )
    )


def _decided(one: Ended, endpoint: Endpoint, schedule_ms: Sequence[int]) -> Decision:
    """What follows an attempt, by its webhook as it is now."""
    item = one.item
    withdrawn = endpoint.deleted or (
        not item.replay
        and (
            not endpoint.enabled or one.subscription.is_withdrawn(item.number, item.trigger_number)
        )
    )
    return decide(
        acknowledged=one.outcome.acknowledged,
        failures=item.failures,
        ended_at=one.ended_at,
        retry_on_failure=endpoint.retry_on_failure,
        schedule_ms=schedule_ms,
        withdrawn=withdrawn,
    )


async def record(
    tx: DeliveryTransaction,
    ended: Sequence[Ended],
    *,
    endpoint_now: Callable[[int], Endpoint | None],
    schedule_ms: Sequence[int],
    now: int,
) -> Recorded:
    """Write attempts down and settle their deliveries.

    Args:
        tx: the cycle's transaction.
        ended: attempts, of any lanes.
        endpoint_now: a lane's webhook as it is now, where it is known; else the one the attempt used counts.
        schedule_ms: today's retry schedule.
        now: steady ms.
    """
    result = Recorded()
    releases: set[tuple[Subscription, int]] = set()
    delivered = result.delivered
    for one in ended:
        item = one.item
        if one.outcome.acknowledged and not (
            item.failures or item.due or item.ordered_stream is not None
        ):
            lane = item.lane
            if lane in delivered:
                delivered[lane].append(item.number)
            else:
                delivered[lane] = [item.number]
            continue
        result.others.append(one)
        subscription = one.subscription
        decision = _decided(one, endpoint_now(item.lane) or one.endpoint, schedule_ms)
        stream = item.ordered_stream
        if decision.due_at is not None:
            result.due.append((item.lane, decision.due_at))
            if not item.replay:
                result.waiting.append(subscription)
        elif stream is not None:
            releases.add((subscription, stream))
            stream = None
        result.settled.append(
            Settled(
                int(decision.state),
                decision.failures,
                decision.due_at,
                stream,
                item.lane,
                item.number,
            )
        )
    await tx.record_attempts([attempt_row(one) for one in ended])
    for lane, numbers in delivered.items():
        await tx.settle_delivered(lane, numbers)
    await tx.settle(result.settled)
    for subscription, stream in releases:
        if await release_head(tx, subscription.lane, stream, subscription.cursor, now):
            result.due.append((subscription.lane, now))
    return result


def interrupted_row(item: Candidate, now_ms: int) -> EndedAttempt:
    """The record of an attempt that was in flight when the process ended; when it began is not known."""
    detail = AttemptDetail(note="found at the start of the server")
    return EndedAttempt(
        item.lane,
        item.number,
        item.attempt,
        now_ms,
        0,
        None,
        "interrupted",
        _encode(detail),
        b"",
        b"",
    )


async def recover(
    tx: DeliveryTransaction, now: int, now_ms: int, shares: Sequence[int] | None = None
) -> int:
    """Make every attempt that was in flight when its engine ended due again, as an extra attempt (§7).

    Args:
        tx: a transaction of its own, at start.
        now: steady ms.
        now_ms: unix ms.
        shares: whose lanes; None: all.
    """
    found = await tx.interrupted(shares)
    await tx.record_attempts([interrupted_row(item, now_ms) for item in found])
    await tx.settle(
        [
            Settled(
                int(State.RETRYING), item.failures, now, item.ordered_stream, item.lane, item.number
            )
            for item in found
        ]
    )
    return len(found)
