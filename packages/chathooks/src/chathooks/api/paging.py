"""Lists in pages: what a caller may ask for and what `meta` answers.

Source: rest-api.md A5, delivery contract §7 "Answers".
"""

import base64
import binascii
from typing import Annotated

import msgspec

from chathooks.api.problems import bad_request

CURSOR_CHARS_MAX = 64
PER_PAGE_DEFAULT = 100
PER_PAGE_MAX = 1000
PAGE_MAX = 1_000_000_000
"""Far beyond any list; keeps offsets within 64 bits."""

PerPage = Annotated[int, msgspec.Meta(ge=1, le=PER_PAGE_MAX)]
PageNumber = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)]


class PageQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of a list in pages; lists with filters derive from it."""

    per_page: PerPage = PER_PAGE_DEFAULT
    page: PageNumber = 1

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.per_page


class Pagination(msgspec.Struct, frozen=True):
    """Where a page stands in its list."""

    total: int
    count: int
    per_page: int
    current_page: int
    total_pages: int


class PageCursor(msgspec.Struct, frozen=True, rename="camel"):
    """The place after a page."""

    affix: str
    updated_at: int | msgspec.UnsetType = msgspec.UNSET


class PageMeta(msgspec.Struct, frozen=True):
    """`meta` of a list in pages."""

    pagination: Pagination
    cursor: PageCursor | msgspec.UnsetType = msgspec.UNSET


class NextCursor(msgspec.Struct, frozen=True):
    """Where the next page of a list of ours begins; opaque."""

    cursor: str


class CursorMeta(msgspec.Struct, frozen=True):
    """`meta` of a list of ours: `next` is absent on the last page."""

    next: NextCursor | msgspec.UnsetType = msgspec.UNSET


def encode_cursor(kind: str, place: int) -> str:
    """An opaque cursor of a list; `kind` tells lists apart."""
    return base64.urlsafe_b64encode(f"{kind}-{place}".encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, *, parameter: str = "cursor") -> int | None:
    """The place in a cursor; None for an empty one.

    Args:
        kind: of the list.
        cursor: as the caller sent it.
        parameter: name of the parameter, for the refusal.

    Raises:
        ChathooksError: ERR_BAD_REQUEST where it is not a cursor of this list.
    """
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
        digits = text.removeprefix(f"{kind}-")
        if digits == text or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise ValueError
    except (ValueError, binascii.Error):
        raise bad_request(
            "This cursor is not one of this list; use it as it was answered.",
            {parameter: "is not valid"},
        ) from None
    return int(digits)


def cursor_meta(kind: str, place: int | None) -> CursorMeta:
    """`meta` of a page that goes on at a place, or of the last one."""
    return CursorMeta() if place is None else CursorMeta(NextCursor(encode_cursor(kind, place)))


def page_meta(
    query: PageQuery, *, total: int, count: int, updated_at: int | None, affix: str = "append"
) -> PageMeta:
    """`meta` of one page.

    Args:
        query: what was asked for.
        total: entries of the whole list.
        count: entries of this page.
        updated_at: unix seconds of the page's last entry, None for an empty page.
        affix: in which direction the list goes on.
    """
    return PageMeta(
        Pagination(
            total=total,
            count=count,
            per_page=query.per_page,
            current_page=query.page,
            total_pages=max(1, -(-total // query.per_page)),
        ),
        msgspec.UNSET if updated_at is None else PageCursor(affix, updated_at),
    )
