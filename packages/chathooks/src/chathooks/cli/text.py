"""Values as a terminal shows them. Whatever comes from elsewhere cannot steer the terminal."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

MILLISECONDS_FROM = 100_000_000_000
"""Times below it are unix seconds, from it on unix milliseconds (delivery contract §7 "Answers")."""
EXCERPT_CHARS_MAX = 160

_MS_PER_S = 1000
# C0 and C1 controls, and the marks that turn the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def printable(text: str) -> str:
    """The text on one line, with `\N{REPLACEMENT CHARACTER}` for every character that steers a terminal."""
    return _UNPRINTABLE.sub(
        "\N{REPLACEMENT CHARACTER}", _LINE_ENDS.sub(" ", text.replace("\t", " "))
    )


def plain(value: Any) -> str:
    """Any JSON value in one line; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return printable(", ".join(value))
    return printable(msgspec.json.encode(value).decode())


def excerpt(value: Any) -> str:
    """As `plain`, at most EXCERPT_CHARS_MAX characters."""
    text = plain(value)
    return text if len(text) <= EXCERPT_CHARS_MAX else text[: EXCERPT_CHARS_MAX - 1] + "…"


def moment(value: Any) -> str:
    """A time of the API, unix seconds or milliseconds, in UTC; as it is where it is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return plain(value)
    seconds = value / _MS_PER_S if value >= MILLISECONDS_FROM else value
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return plain(value)
