"""Lists in pages: what a caller may ask for and what `meta` answers.

Source: rest-api.md A5, delivery contract §7 "Answers".
"""

from typing import Annotated

import msgspec

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


def page_meta(query: PageQuery, *, total: int, count: int, updated_at: int | None) -> PageMeta:
    """`meta` of one page.

    Args:
        query: what was asked for.
        total: entries of the whole list.
        count: entries of this page.
        updated_at: unix seconds of the page's last entry, None for an empty page.
    """
    return PageMeta(
        Pagination(
            total=total,
            count=count,
            per_page=query.per_page,
            current_page=query.page,
            total_pages=max(1, -(-total // query.per_page)),
        ),
        msgspec.UNSET if updated_at is None else PageCursor("append", updated_at),
    )
