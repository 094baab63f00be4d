"""Alerts told to people: logged, counted, and handed to a notifier (`alerts` decides which).

One look gives one notification, however many webhooks it is about. Handing over returns at once; what the notifier
cannot take is dropped and counted, never waited for. A restart forgets which alerts were raised, and raises those
anew that still hold.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from chathooks.delivery.alerts import Alerts, Change, Condition, Reading, Thresholds, sentence
from chathooks.delivery.health import Health
from chathooks.delivery.queue import WebhookRow
from chathooks.kernel import telemetry
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import StoreUnavailable
from chathooks.kernel.transactions import Store

CHANGES_NAMED_MAX = 20
"""Alerts that one look names in log and notification; of the others it gives the number."""

log = structlog.get_logger("alerts")


class Notifier(Protocol):
    """Takes messages to people."""

    def send(self, title: str, text: str) -> None:
        """Hand a message over; returns at once and never raises."""


class AlertTransaction(Protocol):
    """What alerts ask of a store."""

    async def webhook_config(self, lane: int) -> WebhookRow | None: ...


class Alerting:
    """Judges each look of the supervision."""

    def __init__(
        self,
        store: Store[AlertTransaction],
        clock: Clock,
        health: Health,
        thresholds: Thresholds,
        notifier: Notifier | None = None,
    ) -> None:
        """
        Args:
            store: knows the webhooks' names.
            clock: times the looks.
            health: what the engine notes.
            thresholds: from where on something is wrong.
            notifier: tells people; None: log and metrics only.
        """
        self._store = store
        self._clock = clock
        self._health = health
        self._alerts = Alerts(thresholds)
        self._notifier = notifier

    async def judge(self, lanes: Iterable[tuple[int, int, int | None]]) -> None:
        """Look once.

        Args:
            lanes: (lane, deliveries waiting or under way, age of the oldest not tried in ms, None where
                it was not read) of lanes with work.
        """
        acknowledged, expired = self._health.take()
        failed = self._health.failed_in_row
        readings = {
            lane: Reading(
                lane, work, lag_ms, failed.get(lane, 0), lane in acknowledged, expired.get(lane, 0)
            )
            for lane, work, lag_ms in lanes
        }
        for lane in (failed.keys() | expired.keys()) - readings.keys():
            readings[lane] = Reading(
                lane, 0, 0, failed.get(lane, 0), lane in acknowledged, expired.get(lane, 0)
            )
        changes = self._alerts.look(self._clock.steady_ms(), readings.values())
        for condition in Condition:
            telemetry.ALERTS_RAISED.labels(str(condition)).set(self._alerts.raised(condition))
        if changes:
            await self._tell(changes)

    async def _tell(self, changes: Sequence[Change]) -> None:
        # What is wrong comes first, and is named even where a thousand others are well again.
        changes = sorted(changes, key=lambda change: not change.raised)
        named = changes[:CHANGES_NAMED_MAX]
        lines = []
        for change, webhook in zip(named, await self._names(named), strict=True):
            lines.append(sentence(change, webhook))
            tell = log.warning if change.raised else log.info
            tell(
                "alert raised" if change.raised else "alert cleared",
                condition=str(change.condition),
                webhook=webhook,
                figure=change.figure,
            )
        for change in changes:
            if change.raised:
                telemetry.ALERTS.labels(str(change.condition)).inc()
        if len(changes) > len(named):
            lines.append(f"And {len(changes) - len(named)} more.")
            log.warning("more alerts changed than are named", count=len(changes) - len(named))
        if self._notifier is not None:
            title = lines[0].partition(":")[0].rstrip(".") if len(changes) == 1 else None
            self._notifier.send(f"Chathooks: {title or f'{len(changes)} alerts'}", "\n".join(lines))

    async def _names(self, changes: Sequence[Change]) -> list[str]:
        async def query(tx: AlertTransaction) -> list[str]:
            names = []
            for change in changes:
                row = await tx.webhook_config(change.lane)
                if row is None:
                    names.append(f"Webhook of lane {change.lane}")
                else:
                    names.append(f"Webhook {row.webhook_id} of app {row.app_id}")
            return names

        try:
            return await self._store.read(query)
        except StoreUnavailable:
            return [f"Webhook of lane {change.lane}" for change in changes]
