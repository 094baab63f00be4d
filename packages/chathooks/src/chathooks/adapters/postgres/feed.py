"""The feed on PostgreSQL: the outbox's port and the readers'."""

from collections.abc import Set
from typing import cast

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.events.feed import FeedEvent

_SQL = statements("feed.sql")
_NEXT_SEQUENCE = _SQL["next_sequence"]
_APPEND = _SQL["append_to_feed"]


class FeedPart(TransactionPart):
    """See `chathooks.events.outbox.OutboxTransaction` and `chathooks.events.feed.FeedTransaction`."""

    async def next_sequence(self, app: int, stream: str) -> tuple[int, int]:
        return cast("tuple[int, int]", await self._one(_NEXT_SEQUENCE, (app, stream)))

    async def append_to_feed(
        self,
        app: int,
        trigger_number: int,
        event_id: str | None,
        stream: int | None,
        sequence: int | None,
        created_at_ms: int,
        data: bytes,
    ) -> int:
        position = self._allot("feed")
        await self._run(
            _APPEND,
            (position, app, trigger_number, event_id, stream, sequence, created_at_ms, data),
        )
        return position

    async def feed_bounds(self) -> tuple[int, int]:
        lowest, highest = await self._one(_SQL["feed_bounds"])
        if self._allotments is not None:  # numbers given in this batch are not written down yet
            highest = self._allotments.values["feed"]
        return (highest + 1 if lowest is None else lowest), highest

    async def feed_events(
        self, app: int, after: int, until: int, triggers: Set[int], limit: int, bytes_max: int
    ) -> list[FeedEvent]:
        # The statement cuts the page: one of the largest events must not be in memory before it is cut.
        wanted = sorted(triggers) if triggers else None
        rows = await self._all(_SQL["feed_events"], (after, until, app, wanted, limit, bytes_max))
        return list(map(FeedEvent._make, rows))
