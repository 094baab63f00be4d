"""What the engine shows of itself: outbox age, and backlog and lag of the webhooks that lag most; and the looks that
alerts are judged by."""

from collections.abc import Sequence
from typing import Protocol

from chathooks.delivery.alerting import Alerting
from chathooks.delivery.queue import DeliveryTransaction
from chathooks.kernel import telemetry
from chathooks.kernel.clock import Clock
from chathooks.kernel.transactions import Store

OBSERVE_EVERY_S = 5
WEBHOOKS_LABELLED_MAX = 100
"""Delivery contract §7: at most so many webhooks have labels of their own, the worst by lag."""
LANES_LOOKED_AT_MAX = 1000
"""Lanes whose lag is read at one look, those with the largest backlogs."""

_MS_PER_S = 1000


class Observed(Protocol):
    """What delivers: an engine, or a node of several."""

    def backlogs(self) -> Sequence[tuple[int, int, int]]:
        """(lane, deliveries waiting, cursor) of the lanes in which some wait."""

    def loads(self) -> Sequence[tuple[int, int, int]]:
        """(lane, deliveries waiting, in flight) of the lanes that have work."""


class Supervision:
    """Brings the gauges up to date and has alerts judged."""

    def __init__(
        self,
        store: Store[DeliveryTransaction],
        clock: Clock,
        engine: Observed,
        alerting: Alerting | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine
        self._alerting = alerting

    async def observe(self) -> None:
        """Read the outbox and the largest backlogs once."""
        now = self._clock.wall_ms()
        waiting, oldest = await self._store.read(self._outbox)
        telemetry.OUTBOX_WAITING.set(waiting)
        telemetry.OUTBOX_AGE_SECONDS.set(0 if oldest is None else (now - oldest) / _MS_PER_S)
        lanes = sorted(self._engine.backlogs(), key=lambda item: -item[1])[:LANES_LOOKED_AT_MAX]
        lags = await self._store.read(lambda tx: self._lags(tx, lanes, now))
        worst = sorted(((lags[lane], backlog, lane) for lane, backlog, _ in lanes), reverse=True)
        await self._show(worst[:WEBHOOKS_LABELLED_MAX])
        if self._alerting is not None:
            await self._alerting.judge(
                (lane, backlog + in_flight, lags.get(lane)) if backlog > 0 else (lane, in_flight, 0)
                for lane, backlog, in_flight in self._engine.loads()
            )

    @staticmethod
    async def _outbox(tx: DeliveryTransaction) -> tuple[int, int | None]:
        # In a cluster one process fans out for all; how far it is, the store says.
        return await tx.outbox_waiting(await tx.fanout_position())

    @staticmethod
    async def _lags(
        tx: DeliveryTransaction, lanes: list[tuple[int, int, int]], now: int
    ) -> dict[int, int]:
        """By lane, age in ms of the oldest delivery that was not tried yet."""
        found = {}
        for lane, _, cursor in lanes:
            oldest = await tx.oldest_waiting(lane, cursor)
            found[lane] = 0 if oldest is None else now - oldest
        return found

    async def _show(self, worst: list[tuple[int, int, int]]) -> None:
        async def query(tx: DeliveryTransaction) -> list[tuple[int, int, str, str]]:
            named = []
            for lag_ms, backlog, lane in worst:
                row = await tx.webhook_config(lane)
                if row is not None:
                    named.append((lag_ms, backlog, row.app_id, row.webhook_id))
            return named

        found = await self._store.read(query)
        telemetry.WEBHOOK_BACKLOG.clear()
        telemetry.WEBHOOK_LAG_SECONDS.clear()
        for lag_ms, backlog, app_id, webhook_id in found:
            telemetry.WEBHOOK_BACKLOG.labels(app_id, webhook_id).set(backlog)
            telemetry.WEBHOOK_LAG_SECONDS.labels(app_id, webhook_id).set(lag_ms / _MS_PER_S)
