"""Lists of any length: the ways in which the API pages, read up to a limit."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from chathooks.cli.fields import Field, Request, Values, option
from chathooks.cli.rest import Answer
from chathooks.cli.session import Session
from chathooks.cli.tables import View, value_at

PAGE_ITEMS_MAX = 200
LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000_000

Paging = Literal["pages", "cursor", "after", "messages", "threads"]
"""By number of the page; by cursor, in `cursor` or `after`; by the messages' own places, newest page first; by the time
and message of a thread's last change."""

LIST_FIELDS: tuple[Field, ...] = (
    option(
        "--limit",
        "How many to list at most.",
        kind="whole",
        default=LIMIT_DEFAULT,
        low=1,
        high=LIMIT_MAX,
        metavar="N",
    ),
    option("--all", "List everything.", kind="flag"),
)


@dataclass(slots=True)
class Listed:
    """Entries read so far; `more` says whether the list goes on."""

    items: list[msgspec.Raw]
    total: int | None = None
    more: bool = False


def _next(paging: Paging, answer: Answer, request: Request, count: int) -> dict[str, Any] | None:
    """What the query of the next page has besides, None after the last page."""
    if paging == "pages":
        at = value_at(answer.meta, "pagination.current_page") or 1
        last = value_at(answer.meta, "pagination.total_pages") or 1
        return {"page": at + 1} if count and at < last else None
    if paging == "messages":
        place = value_at(answer.meta, "previous.id")
        full = count >= request.query["limit"]
        return {"id": place, "affix": "prepend"} if full and place else None
    if paging == "threads":
        place = value_at(answer.meta, "previous")
        return dict(place) if place else None
    cursor = value_at(answer.meta, "next.cursor")
    if not cursor or cursor == request.query.get(paging):
        return None
    return {paging: cursor}


def read_list(
    send: Callable[[Request], Answer],
    request: Request,
    paging: Paging,
    limit: int | None,
    progress: Callable[[Listed], None],
) -> Listed:
    """Read pages until `limit` entries are there, or all for None; messages in the order of their ids.

    Raises CommandFailed.
    """
    size = PAGE_ITEMS_MAX if limit is None else min(limit, PAGE_ITEMS_MAX)
    request.query["perPage" if paging == "pages" else "limit"] = size
    listed = Listed([])
    while True:
        answer = send(request)
        items = answer.items()
        backwards = paging == "messages"
        listed.items = [*items, *listed.items] if backwards else [*listed.items, *items]
        listed.total = value_at(answer.meta, "pagination.total")
        following = _next(paging, answer, request, len(items))
        surplus = 0 if limit is None else len(listed.items) - limit
        if surplus > 0:
            listed.items = listed.items[surplus:] if backwards else listed.items[:-surplus]
        listed.more = following is not None or surplus > 0
        progress(listed)
        if following is None or (limit is not None and len(listed.items) >= limit):
            return listed
        request.query.update(following)


class Progress:
    """A line on stderr that counts what is read; live at a terminal, once at the end elsewhere."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._live = session.remarks.is_terminal

    def __call__(self, listed: Listed) -> None:
        """Tell how far the reading is."""
        if self._live:
            sys.stderr.write(f"\r{_counted(listed)} …")
            sys.stderr.flush()

    def end(self, listed: Listed) -> None:
        """Tell how much was read."""
        before = "\r" if self._live else ""
        sys.stderr.write(f"{before}Read {_counted(listed)}.\n")


def _counted(listed: Listed) -> str:
    return f"{len(listed.items)}" + ("" if listed.total is None else f" of {listed.total}")


def _silent(_: Listed) -> None:
    pass


def list_all(
    session: Session,
    request: Request,
    paging: Paging,
    view: View,
    values: Values | Mapping[str, Any],
) -> None:
    """Read and print a list as `--limit` and `--all` say; a remark tells where there is more."""
    everything = bool(values["all"])
    progress = Progress(session) if everything else None
    listed = read_list(
        session.send,
        request,
        paging,
        None if everything else values["limit"],
        progress or _silent,
    )
    if progress is not None:
        progress.end(listed)
    session.show_items(listed.items, view)
    if listed.more:
        session.remark(f"Shown: {_counted(listed)}. There are more: --all lists everything.")
