"""The feed on SQLite: the outbox's port and the readers'."""

from collections.abc import Set
from typing import cast

import msgspec

from chathooks.adapters.sqlite.connection import TransactionPart
from chathooks.adapters.sqlite.statements import statements
from chathooks.events.feed import FeedEvent

_SQL = statements("feed.sql")
_NEXT_SEQUENCE = _SQL["next_sequence"]
_APPEND = _SQL["append_to_feed"]


class FeedPart(TransactionPart):
    """See `chathooks.events.outbox.OutboxTransaction` and `chathooks.events.feed.FeedTransaction`."""

    async def next_sequence(self, app: int, stream: str) -> tuple[int, int]:
        rows = self._all(_NEXT_SEQUENCE, (app, stream))
        return cast("tuple[int, int]", rows[0])

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
        cursor = self._run(
            _APPEND, (app, trigger_number, event_id, stream, sequence, created_at_ms, data)
        )
        assert cursor.lastrowid is not None  # noqa: S101 -- an INSERT into a rowid table has one
        return cursor.lastrowid

    async def feed_bounds(self) -> tuple[int, int]:
        lowest, highest = self._one(_SQL["feed_bounds"])
        highest = highest or 0
        return (highest + 1 if lowest is None else lowest), highest

    async def feed_events(
        self, app: int, after: int, until: int, triggers: Set[int], limit: int, bytes_max: int
    ) -> list[FeedEvent]:
        wanted = msgspec.json.encode(sorted(triggers)).decode() if triggers else None
        rows = self._run(_SQL["feed_events"], (after, until, app, wanted, limit))
        found = []
        size = 0
        try:
            # Row by row: a page of the largest events must not be in memory before it is cut.
            for row in rows:
                event = FeedEvent._make(row)
                found.append(event)
                size += len(event.data)
                if size > bytes_max:
                    break
        finally:
            rows.close()
        return found
