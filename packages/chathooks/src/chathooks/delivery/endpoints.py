"""The webhooks that have work, made ready for attempts and kept until they change."""

import structlog

from chathooks.delivery.payload import Endpoint, prepare, unreadable
from chathooks.delivery.queue import DeliveryTransaction
from chathooks.egress.guard import TargetPolicy
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.errors import ChathooksError

ENDPOINTS_CACHED_MAX = 20_000

log = structlog.get_logger("delivery")


class Endpoints:
    """Endpoints by lane, as the store had them when they were last loaded."""

    def __init__(self, box: SecretBox, targets: TargetPolicy) -> None:
        self._box = box
        self._targets = targets
        self._ready: dict[int, Endpoint] = {}

    def get(self, lane: int) -> Endpoint | None:
        """The lane's endpoint where it is loaded."""
        return self._ready.get(lane)

    def forget(self, lane: int) -> None:
        """Load it anew next time: the webhook has changed."""
        self._ready.pop(lane, None)

    def clear(self) -> None:
        """Load all anew: what was loaded last may never have been committed."""
        self._ready.clear()

    async def load(self, tx: DeliveryTransaction, lane: int) -> Endpoint | None:
        """The lane's endpoint; None where the webhook is gone. One that cannot be read is logged and marked."""
        endpoint = self._ready.get(lane)
        if endpoint is not None:
            return endpoint
        row = await tx.webhook_config(lane)
        if row is None:
            return None
        try:
            endpoint = prepare(row, self._box, self._targets)
        except (ChathooksError, ValueError) as error:
            # A damaged row is its own webhook's trouble, nobody else's (delivery contract §3.3).
            log.error("a webhook cannot be read; it waits", lane=lane, reason=str(error))
            endpoint = unreadable(row)
        if len(self._ready) >= ENDPOINTS_CACHED_MAX:
            self._ready.clear()
        self._ready[lane] = endpoint
        return endpoint
