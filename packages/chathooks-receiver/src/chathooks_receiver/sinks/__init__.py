"""Where accepted events go. `put` returns when the event is safe there, and not before.

A sink that cannot take an event raises `SinkUnavailable`: the request is answered 503 and the sender tries again.
The time that `put` may take is bounded by the receiver, which cancels it; a sink may have the event all the same
then, and gets it again with the next attempt.
"""

import re
import urllib.parse
from typing import Protocol

from chathooks_receiver.intake import Arrival

HEADER_CHARS_MAX = 256
ERROR_CHARS_MAX = 300

_URL_CREDENTIALS = re.compile(r"//[^/@\s]*@")


class SinkUnavailable(Exception):
    """The sink cannot take the event now; its text is for the log and holds no secret."""


class Sink(Protocol):
    """A place for events."""

    async def open(self) -> None:
        """Connect, and make what is missing. Raises `SinkUnavailable` where that cannot be done now."""

    async def put(self, arrival: Arrival) -> bool:
        """Store one event durably. False if the sink itself found that it has the event already.

        Raises `SinkUnavailable`, or whatever the driver raises: either means that the event may not be stored.
        """

    async def close(self) -> None:
        """Send what is under way and disconnect."""


def metadata(arrival: Arrival) -> dict[str, str]:
    """What travels beside the body as message headers: printable ASCII without spaces, at most 256 characters each.

    `trigger`, `stream` and `event-id` are percent-encoded, since senders choose them; `dedupe-key` is the SHA-256 of
    the key in hex, `received-at` unix milliseconds. The sender's own headers (`chathooks-…`) follow.
    """
    event = arrival.event
    fields = {
        "trigger": _safe(event.trigger),
        "stream": _safe(arrival.stream),
        "dedupe-key": arrival.digest.hex(),
        "received-at": str(arrival.received_at_ms),
    }
    if event.event_id is not None:
        fields["event-id"] = _safe(event.event_id)
    for name, value in arrival.headers.items():
        fields[_safe(name)] = _safe(value)
    return fields


def told(error: BaseException) -> str:
    """What a driver's error says, for the log: with its class, without credentials of a URL, at most 300 characters."""
    text = _URL_CREDENTIALS.sub("//…@", f"{type(error).__name__}: {error}")
    return text[:ERROR_CHARS_MAX]


def _safe(text: str) -> str:
    return urllib.parse.quote(text[:HEADER_CHARS_MAX], safe="/_-.:@+=", errors="replace")[
        :HEADER_CHARS_MAX
    ]
