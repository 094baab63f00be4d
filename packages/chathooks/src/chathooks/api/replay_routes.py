"""Replays over REST: one delivery, or a window of a webhook's (delivery contract §6)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.deliveries_routes import (
    Delivery,
    delivery_answer,
    parse_time,
    trigger_numbers,
)
from chathooks.api.paging import CURSOR_CHARS_MAX, CursorMeta, cursor_meta, decode_cursor
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.log import DeliveryLog
from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.records import (
    ENDED_STATES,
    parse_delivery_id,
    parse_replay_id,
    replay_id,
)
from chathooks.delivery.replay import UNDELIVERED_STATES, Replay, ReplayWindow
from chathooks.delivery.replay_store import ReplayRow
from chathooks.delivery.webhooks import Webhooks
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError

TAG = "Delivery log"
STATES_MAX = 8
TRIGGERS_MAX = 100

NUMBER_MAX = 2**53
REPLAYS_LISTED_MAX = 100
PROGRESS_DECIMALS = 4

Number = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]

_CURSOR_KIND = "replay"
_ENDED_BY_NAME = {state.shown: state for state in ENDED_STATES}


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Which deliveries to replay."""

    from_: Annotated[str | int | None, msgspec.Meta(description="Events at or after it.")] = (
        msgspec.field(name="from", default=None)
    )
    to: Annotated[str | int | None, msgspec.Meta(description="Events before it.")] = None
    triggers: Annotated[list[str], msgspec.Meta(max_length=TRIGGERS_MAX)] | None = None
    states: Annotated[list[str], msgspec.Meta(max_length=STATES_MAX)] | None = None
    from_number: Number | None = None
    """Deliveries of this number and later ones."""
    to_number: Number | None = None
    """Deliveries up to this number."""
    dry_run: bool = False


class ReplayCost(msgspec.Struct, rename="camel", frozen=True):
    """What a replay would take, estimated."""

    requests: int
    """If each is acknowledged at once."""
    requests_max: int
    """If each fails and is tried again."""
    bytes: int
    seconds: float
    """At the webhook's maxConcurrency and the mean duration of its latest attempts."""


class ReplayProgress(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A replay that goes on after its call; times in unix ms."""

    id: str
    webhook: str
    state: Literal["running", "done", "stopped"]
    progress: float
    """From 0 to 1, by numbers looked at."""
    replayed: int
    """Deliveries made due so far."""
    from_number: int
    next_number: int
    """Numbers below it were looked at."""
    to_number: int
    created_at: int
    ended_at: int | msgspec.UnsetType = msgspec.UNSET


class ReplayAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """What a replay of many found and made due."""

    matched: int
    replayed: int
    dry_run: bool
    cost: ReplayCost | msgspec.UnsetType = msgspec.UNSET
    """On a dry run."""
    complete: bool | msgspec.UnsetType = msgspec.UNSET
    """On a dry run: false where there is more than it looked at."""
    replay: ReplayProgress | msgspec.UnsetType = msgspec.UNSET
    """Where it goes on after the call."""


class ReplayQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of the list of replays."""

    cursor: Annotated[str, msgspec.Meta(max_length=CURSOR_CHARS_MAX)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=REPLAYS_LISTED_MAX)] = REPLAYS_LISTED_MAX


def replay_progress(row: ReplayRow) -> ReplayProgress:
    """A replay as the API shows it."""
    numbers = row.stop_number - row.first_number
    done = row.next_number - row.first_number
    return ReplayProgress(
        id=replay_id(row.replay),
        webhook=row.webhook_id,
        state=msgspec.convert(row.state, Literal["running", "done", "stopped"]),
        progress=round(done / numbers, PROGRESS_DECIMALS) if numbers > 0 else 1.0,
        replayed=row.replayed,
        from_number=row.first_number,
        next_number=row.next_number,
        to_number=row.stop_number - 1,
        created_at=row.created_at,
        ended_at=msgspec.UNSET if row.ended_at is None else row.ended_at,
    )


class ReplayRoutes:
    """Handlers of replays."""

    def __init__(self, replay: Replay, log: DeliveryLog, webhooks: Webhooks, clock: Clock) -> None:
        self._replay = replay
        self._log = log
        self._webhooks = webhooks
        self._clock = clock

    def routes(self) -> list[Route]:
        """The calls of replays."""
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
                errors=(
                    "ERR_WEBHOOK_NOT_FOUND",
                    "ERR_TRIGGER_NOT_FOUND",
                    "ERR_TOO_MANY_REQUESTS",
                ),
                management=True,
            ),
            *self._progress_routes(),
        ]

    def _progress_routes(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/webhooks/{webhookId}/replays",
                handler=self.page,
                summary="List the replays of a webhook that went on after their call, the latest first",
                tag=TAG,
                answer=list[ReplayProgress],
                meta=CursorMeta,
                query=ReplayQuery,
                errors=("ERR_WEBHOOK_NOT_FOUND",),
                management=True,
            ),
            Route(
                method="GET",
                path="/replays/{replayId}",
                handler=self.get,
                summary="See how far a replay is",
                tag=TAG,
                answer=ReplayProgress,
                errors=("ERR_REPLAY_NOT_FOUND",),
            ),
            Route(
                method="DELETE",
                path="/replays/{replayId}",
                handler=self.stop,
                summary="Stop a replay; what it made due so far is still sent",
                tag=TAG,
                answer=ReplayProgress,
                errors=("ERR_REPLAY_NOT_FOUND",),
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
        first, last = body.from_number or 0, body.to_number or NUMBER_MAX
        if first > last:
            raise bad_request(
                "fromNumber is greater than toNumber.", {"fromNumber": "is greater than toNumber"}
            )
        window = ReplayWindow(wanted, first, last)
        done = await self._replay.many(webhook, window, dry_run=body.dry_run)
        answer = ReplayAnswer(matched=done.matched, replayed=done.replayed, dry_run=done.dry_run)
        if done.cost is not None:
            cost = done.cost
            answer.cost = ReplayCost(cost.requests, cost.requests_max, cost.bytes, cost.seconds)
            answer.complete = done.complete
        if done.work is not None:
            answer.replay = replay_progress(done.work)
        return Answer(answer)

    async def page(self, call: Call) -> Answer:
        """Replays of a webhook."""
        query: ReplayQuery = call.query
        webhook = await self._webhooks.get(call.app.key, call.path["webhookId"])
        below = decode_cursor(_CURSOR_KIND, query.cursor)
        found, after = await self._replay.page(webhook.lane, below, query.limit)
        return Answer([replay_progress(row) for row in found], cursor_meta(_CURSOR_KIND, after))

    async def get(self, call: Call) -> Answer:
        """One replay."""
        row = await self._replay.get(call.app.key, parse_replay_id(call.path["replayId"]))
        return Answer(replay_progress(row))

    async def stop(self, call: Call) -> Answer:
        """Stop one; answers how far it came."""
        row = await self._replay.stop(call.app.key, parse_replay_id(call.path["replayId"]))
        return Answer(replay_progress(row))


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
