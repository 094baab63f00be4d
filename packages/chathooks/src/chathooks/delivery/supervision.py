"""What the engine shows of itself: outbox age, and backlog and lag of the webhooks that lag most."""

from chathooks.delivery.engine import Engine
from chathooks.delivery.queue import DeliveryTransaction
from chathooks.kernel import telemetry
from chathooks.kernel.clock import Clock
from chathooks.kernel.transactions import Store

OBSERVE_EVERY_S = 5
WEBHOOKS_LABELLED_MAX = 100
"""Delivery contract §7: at most so many webhooks have labels of their own, the worst by lag."""
LANES_LOOKED_AT_MAX = 1000

_MS_PER_S = 1000


class Supervision:
    """Brings the gauges up to date."""

    def __init__(self, store: Store[DeliveryTransaction], clock: Clock, engine: Engine) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine

    async def observe(self) -> None:
        """Read the outbox and the largest backlogs once."""
        now = self._clock.wall_ms()
        waiting, oldest = await self._store.read(
            lambda tx: tx.outbox_waiting(self._engine.position)
        )
        telemetry.OUTBOX_WAITING.set(waiting)
        telemetry.OUTBOX_AGE_SECONDS.set(0 if oldest is None else (now - oldest) / _MS_PER_S)
        lanes = sorted(self._engine.backlogs(), key=lambda item: -item[1])[:LANES_LOOKED_AT_MAX]
        worst = await self._store.read(lambda tx: self._lags(tx, lanes, now))
        telemetry.WEBHOOK_BACKLOG.clear()
        telemetry.WEBHOOK_LAG_SECONDS.clear()
        for lag_ms, backlog, app_id, webhook_id in worst:
            telemetry.WEBHOOK_BACKLOG.labels(app_id, webhook_id).set(backlog)
            telemetry.WEBHOOK_LAG_SECONDS.labels(app_id, webhook_id).set(lag_ms / _MS_PER_S)

    @staticmethod
    async def _lags(
        tx: DeliveryTransaction, lanes: list[tuple[int, int, int]], now: int
    ) -> list[tuple[int, int, str, str]]:
        found = []
        for lane, backlog, cursor in lanes:
            oldest = await tx.oldest_waiting(lane, cursor)
            found.append((0 if oldest is None else now - oldest, backlog, lane))
        found.sort(reverse=True)
        named = []
        for lag_ms, backlog, lane in found[:WEBHOOKS_LABELLED_MAX]:
            row = await tx.webhook_config(lane)
            if row is not None:
                named.append((lag_ms, backlog, row.app_id, row.webhook_id))
        return named
