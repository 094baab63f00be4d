"""The delivery log, followed through the REST API."""

import asyncio
from collections.abc import Sequence

from chathooks.demo.client import Api, Delivery

PAGE_DELIVERIES = 100
PAGES_PER_POLL_MAX = 10
"""So many pages are read at once; a flood of new deliveries is followed over several polls."""
DELIVERIES_KEPT_MAX = 5_000
"""Per webhook; the oldest settled ones are forgotten first."""


class LogWatch:
    """What the log has told so far about some webhooks."""

    def __init__(self, api: Api, webhooks: Sequence[str]) -> None:
        """Follow the webhooks of these ids."""
        self._api = api
        self._known: dict[str, dict[int, Delivery]] = {webhook: {} for webhook in webhooks}

    @property
    def deliveries(self) -> list[Delivery]:
        """All that are known, in no order."""
        return [delivery for known in self._known.values() for delivery in known.values()]

    async def poll(self) -> list[Delivery]:
        """Read the log anew; answers what is new or has changed, oldest change first. Raises ChathooksError."""
        polls = [self._poll(webhook) for webhook in self._known]
        changed = [delivery for found in await asyncio.gather(*polls) for delivery in found]
        return sorted(changed, key=lambda delivery: delivery.changed_at)

    async def _poll(self, webhook: str) -> list[Delivery]:
        known = self._known[webhook]
        unsettled = {number for number, delivery in known.items() if not delivery.settled}
        changed = []
        cursor = None
        for _ in range(PAGES_PER_POLL_MAX):
            page, cursor = await self._api.deliveries(webhook, limit=PAGE_DELIVERIES, cursor=cursor)
            news = [delivery for delivery in page if known.get(delivery.number) != delivery]
            unsettled -= {delivery.number for delivery in page}
            changed += news
            if cursor is None or not news:
                break
        for number in unsettled:
            found = await self._api.delivery(known[number].id)
            if found != known[number]:
                changed.append(found)
        known.update({delivery.number: delivery for delivery in changed})
        _forget(known)
        return changed


def _forget(known: dict[int, Delivery]) -> None:
    too_many = len(known) - DELIVERIES_KEPT_MAX
    if too_many > 0:
        settled = sorted(number for number, delivery in known.items() if delivery.settled)
        for number in settled[:too_many]:
            del known[number]
