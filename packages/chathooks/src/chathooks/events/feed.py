"""The feed as a receiver reads it after an outage: an app's events in commit order, by cursor.

Positions are given in the transaction that appends, by one writer, without gaps, and a reader sees a position only
with all before it; so nothing ever appears behind a cursor (delivery contract §7 "Feed order"). The cost of a page
is bounded by rows, not by matches: where a filter or other apps' traffic leaves little to show, the page ends early
with the position to go on from. Events are pruned from the front only, so what a cursor has not seen is all there
exactly when the entry after it is.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store

ROWS_SCANNED_MAX = 2000
"""Feed entries that one page looks at, of all apps."""
PAGE_DATA_BYTES_MAX = 4 * 1024 * 1024
"""Event data shown on one page; the page ends with the event that reaches it."""


class FeedEvent(NamedTuple):
    """An event as stored."""

    position: int
    trigger_number: int
    event_id: str
    created_at: int
    """Unix ms."""
    data: bytes
    """JSON, as it is delivered."""


class FeedTransaction(Protocol):
    """What reading the feed asks of a store."""

    async def feed_bounds(self) -> tuple[int, int]:
        """(lowest position kept, highest ever given); an empty feed's lowest is the highest plus one."""

    async def feed_events(
        self, app: int, after: int, until: int, triggers: Set[int], limit: int, bytes_max: int
    ) -> list[FeedEvent]:
        """An app's events with positions above `after` and up to `until`, in order.

        Webhook changes are left out. Empty `triggers` mean all. At most `limit`; the event whose data makes
        the sum exceed `bytes_max` is the last.
        """


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some events, and where the next page begins."""

    events: list[FeedEvent]
    next_after: int | None
    """Position to go on after; None where the feed ends for now."""


class Feed:
    """Reads the feed."""

    def __init__(self, store: Store[FeedTransaction]) -> None:
        self._store = store

    async def page(self, app: int, after: int | None, triggers: Set[int], limit: int) -> FeedPage:
        """The events after a position.

        Args:
            app: key of the app.
            after: a position already read; None begins with the oldest event kept.
            triggers: numbers of the triggers wanted; empty: all.
            limit: how many at most; a page may be shorter although more follow.

        Raises:
            ChathooksError: ERR_CURSOR_EXPIRED where events after the position were pruned; ERR_BAD_REQUEST where
                the feed has never been as far as the position.
        """

        async def query(tx: FeedTransaction) -> FeedPage:
            lowest, highest = await tx.feed_bounds()
            start = lowest - 1 if after is None else after
            if start > highest:
                raise ChathooksError(
                    "ERR_BAD_REQUEST",
                    "This cursor is ahead of the feed: it comes from another server or from before a "
                    "backup was restored. Begin again without after.",
                    {"after": "is ahead of the feed"},
                )
            if start < lowest - 1:
                raise ChathooksError(
                    "ERR_CURSOR_EXPIRED",
                    "Events after this cursor are no longer kept, so some were missed. Begin again without "
                    "after: the first page starts with the oldest event kept.",
                    {"after": "is older than the events kept"},
                )
            until = min(highest, start + ROWS_SCANNED_MAX)
            # One more than is shown tells whether more follow.
            found = await tx.feed_events(
                app, start, until, triggers, limit + 1, PAGE_DATA_BYTES_MAX
            )
            return _page(found, limit, until, highest)

        return await self._store.read(query)


def _page(found: list[FeedEvent], limit: int, until: int, highest: int) -> FeedPage:
    if len(found) > limit:
        return FeedPage(found[:limit], found[limit - 1].position)
    size = sum(len(event.data) for event in found)
    reached = found[-1].position if size > PAGE_DATA_BYTES_MAX else until
    return FeedPage(found, reached if reached < highest else None)
