"""The outbox's port on SQLite."""

from typing import cast

from chathooks.adapters.sqlite.connection import TransactionPart
from chathooks.adapters.sqlite.statements import statements

_SQL = statements("feed.sql")
_NEXT_SEQUENCE = _SQL["next_sequence"]
_APPEND = _SQL["append_to_feed"]


class FeedPart(TransactionPart):
    """See `chathooks.events.outbox.OutboxTransaction`."""

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
