"""What a simulated chat consists of: moments, each with the events it fires and the API call that would cause it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class SimulatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a platform would fire it. `sequence` counts in `stream` from 1; both are None for user events."""

    event_id: str
    trigger: str
    data: msgspec.Struct
    at_s: int
    """Unix time of the simulated clock, in seconds."""
    stream: str | None = None
    sequence: int | None = None


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """The call of the chat API that causes a moment. `{m:ID}` in the path stands for the server's id of message ID."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    by: str | None = None
    """Acts for this user; for the app where None."""
    makes_message: str | None = None
    """Simulated id of the message that the answer tells the server's id of."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens in the chat.

    `call` is None for what only clients or engines cause: receipts, presence, calls, moderation, campaigns.
    """

    tells: str
    events: Sequence[SimulatedEvent]
    call: ApiCall | None = None
