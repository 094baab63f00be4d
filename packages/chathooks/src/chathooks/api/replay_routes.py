"""Replays over REST: one delivery, or a window of a webhook's (delivery contract §6)."""

from typing import Annotated

import msgspec

from chathooks.api.deliveries_routes import (
    Delivery,
    delivery_answer,
    parse_time,
    trigger_numbers,
)
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.log import DeliveryLog
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import ENDED_STATES, parse_delivery_id
from chathooks.delivery.replay import UNDELIVERED_STATES, Replay
from chathooks.delivery.webhooks import Webhooks
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError

TAG = "Delivery log"
STATES_MAX = 8
TRIGGERS_MAX = 100

_ENDED_BY_NAME = {state.shown: state for state in ENDED_STATES}


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Which deliveries to replay."""

    from_: Annotated[str | int | None, msgspec.Meta(description="Events at or after it.")] = (
        msgspec.field(name="from", default=None)
    )
    to: Annotated[str | int | None, msgspec.Meta(description="Events before it.")] = None
    triggers: Annotated[list[str], msgspec.Meta(max_length=TRIGGERS_MAX)] | None = None
    states: Annotated[list[str], msgspec.Meta(max_length=STATES_MAX)] | None = None
    dry_run: bool = False


class ReplayAnswer(msgspec.Struct, rename="camel"):
    """What a replay of many found and made due."""

    matched: int
    replayed: int
    dry_run: bool


class ReplayRoutes:
    """Handlers of replays."""

    def __init__(self, replay: Replay, log: DeliveryLog, webhooks: Webhooks, clock: Clock) -> None:
        self._replay = replay
        self._log = log
        self._webhooks = webhooks
        self._clock = clock

    def routes(self) -> list[Route]:
        """The two calls."""
        return [
            Route(
                method="POST",
                path="/deliveries/{deliveryId}/replay",
                handler=self.one,
                summary="Replay a delivery that has ended",
                tag=TAG,
                answer=Delivery,
                errors=("ERR_DELIVERY_NOT_FOUND", "ERR_WEBHOOK_NOT_FOUND"),
            ),
            Route(
                method="POST",
                path="/webhooks/{webhookId}/replay",
                handler=self.many,
                summary="Replay deliveries of a webhook by time, trigger and state",
                tag=TAG,
                answer=ReplayAnswer,
                body=ReplayBody,
                body_required=False,
                errors=("ERR_WEBHOOK_NOT_FOUND", "ERR_TRIGGER_NOT_FOUND"),
                management=True,
            ),
        ]

    async def one(self, call: Call) -> Answer:
        """Replay one; answers the delivery, which is due now."""
        delivery_id = call.path["deliveryId"]
        key = parse_delivery_id(delivery_id)
        if key is None:
            raise ChathooksError(
                "ERR_DELIVERY_NOT_FOUND", "There is no such delivery; its id is in the log."
            )
        await self._replay.one(call.app.key, *key)
        return Answer(delivery_answer(await self._log.one(call.app.key, delivery_id)))

    async def many(self, call: Call) -> Answer:
        """Replay what the body describes; without one, all that failed or expired."""
        body: ReplayBody = call.body or ReplayBody()
        webhook = await self._webhooks.get(call.app.key, call.path["webhookId"])
        from_ms = _time("from", body.from_)
        to_ms = _time("to", body.to)
        wanted = ReplayFilter(
            from_ms=0 if from_ms is None else from_ms,
            to_ms=self._clock.wall_ms() + 1 if to_ms is None else to_ms,
            states=_states(body.states),
            triggers=None if body.triggers is None else tuple(trigger_numbers(body.triggers)),
        )
        if wanted.from_ms > wanted.to_ms:
            raise bad_request("from is later than to.", {"from": "is later than to"})
        done = await self._replay.many(webhook.lane, wanted, dry_run=body.dry_run)
        return Answer(ReplayAnswer(done.matched, done.replayed, done.dry_run))


def _time(name: str, value: str | int | None) -> int | None:
    return None if value is None else parse_time(name, str(value))


def _states(names: list[str] | None) -> tuple[int, ...]:
    if names is None:
        return tuple(int(state) for state in UNDELIVERED_STATES)
    for name in names:
        if name not in _ENDED_BY_NAME:
            raise bad_request(
                f"states takes {', '.join(sorted(_ENDED_BY_NAME))}.",
                {"states": "names no final state"},
            )
    return tuple(int(_ENDED_BY_NAME[name]) for name in names)
