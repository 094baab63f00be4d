"""The event feed over REST: every event in commit order (delivery contract §6, §7 "Feed order")."""

from typing import Annotated

import msgspec

from chathooks.api.deliveries_routes import trigger_numbers
from chathooks.api.paging import (
    CURSOR_CHARS_MAX,
    CursorMeta,
    cursor_meta,
    decode_cursor,
    encode_cursor,
)
from chathooks.api.routing import Answer, Call, Route
from chathooks.events.feed import Feed, FeedEvent
from chathooks_events.catalog import trigger_by_number

TAG = "Events"
LIMIT_DEFAULT = 100
LIMIT_MAX = 1000

_CURSOR_KIND = "after"


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of the event feed."""

    after: Annotated[str, msgspec.Meta(max_length=CURSOR_CHARS_MAX)] = ""
    """Cursor of the last event that was read, or of a page's `meta.next`; the oldest event kept without it."""
    triggers: list[str] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event."""

    event_id: str
    """The same in every delivery of the event."""
    trigger: str
    data: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    """The very bytes that are delivered as `data`."""
    created_at: int
    """Unix ms."""
    cursor: str
    """Go on from here: `after` of a later call."""


def _event(event: FeedEvent) -> Event:
    return Event(
        event_id=event.event_id,
        trigger=trigger_by_number(event.trigger_number).name,
        data=msgspec.Raw(event.data),
        created_at=event.created_at,
        cursor=encode_cursor(_CURSOR_KIND, event.position),
    )


class EventRoutes:
    """Handlers of the feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[Route]:
        """The feed's call."""
        return [
            Route(
                method="GET",
                path="/events",
                handler=self.list,
                summary="List events in commit order",
                tag=TAG,
                answer=list[Event],
                meta=CursorMeta,
                query=EventsQuery,
                errors=("ERR_TRIGGER_NOT_FOUND", "ERR_CURSOR_EXPIRED"),
            )
        ]

    async def list(self, call: Call) -> Answer:
        """Events after a cursor; nothing ever appears behind one."""
        query: EventsQuery = call.query
        page = await self._feed.page(
            call.app.key,
            decode_cursor(_CURSOR_KIND, query.after, parameter="after"),
            trigger_numbers(query.triggers),
            query.limit,
        )
        return Answer(
            [_event(event) for event in page.events], cursor_meta(_CURSOR_KIND, page.next_after)
        )
