"""Read a server's feed of events by cursor (`GET /v3/events`)."""

from collections.abc import Sequence

import msgspec

from chathooks_receiver.tools.rest import Rest

PAGE_EVENTS = 500
MS_PER_S = 1_000


class FeedEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event of the feed; `created_at` in unix milliseconds."""

    event_id: str
    trigger: str
    data: msgspec.Raw
    created_at: int
    cursor: str


class Page(msgspec.Struct, frozen=True):
    """Events in commit order. `cursor` is the place behind them; `more` says whether there are more at once."""

    events: Sequence[FeedEvent]
    cursor: str
    more: bool


def read_page(rest: Rest, after: str, triggers: Sequence[str] = ()) -> Page:
    """The events behind a cursor, the oldest that are kept for "". Raises ToolFailed."""
    query: dict[str, str | int | Sequence[str]] = {"limit": PAGE_EVENTS}
    if after:
        query["after"] = after
    if triggers:
        query["triggers"] = triggers
    answer = rest.call("GET", "/events", query=query)
    events: list[FeedEvent] = answer.read(list[FeedEvent])
    following = answer.next_cursor
    cursor = following or (events[-1].cursor if events else after)
    return Page(events, cursor, bool(following) and cursor != after)


def place_at(rest: Rest, since_ms: int | None) -> str:
    """The cursor behind the last event before a time (unix milliseconds), or behind the last of all for None.

    Reads the feed from its begin, since it is addressed by cursor alone. Raises ToolFailed.
    """
    place = ""
    while True:
        page = read_page(rest, place)
        for event in page.events:
            if since_ms is not None and event.created_at >= since_ms:
                return place
            place = event.cursor
        if not page.more:
            return place
