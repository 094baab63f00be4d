"""What several chat routes answer or read alike."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from chathooks.chat.limits import TAG_CHARS_MAX, TAGS_MAX

SEARCH_CHARS_MAX = 100
IDS_PER_QUERY_MAX = 25

SearchKey: TypeAlias = Annotated[str, msgspec.Meta(max_length=SEARCH_CHARS_MAX)]
TagFilter: TypeAlias = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=TAG_CHARS_MAX)], ...],
    msgspec.Meta(max_length=TAGS_MAX),
]
Presence: TypeAlias = Literal["available", "offline"]


class Done(msgspec.Struct, frozen=True):
    """The outcome of a call that answers no object (rest-api.md A4)."""

    success: bool
    message: str
