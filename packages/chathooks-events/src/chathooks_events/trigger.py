"""What the catalog says of one kind of event."""

from typing import Literal, TypeAlias

import msgspec

Category: TypeAlias = Literal[
    "message", "user", "group", "call", "meeting", "moderation", "campaign"
]
SessionType: TypeAlias = Literal["call", "meet"]


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event.

    `number` stands for the name in storage: it never changes and is never used again. `data_type` is the Struct
    of the event's `data`. `session_type` is the `type` at the top level of session events, None for all others;
    a recording or transcript of a call may override it with "call". `core` tells the 40 triggers of the core list
    from the 18 further ones.

    `dedupe_key` lists the fields, as dotted paths into the body, that together tell two events of this trigger
    apart (REST contract D3); `*` stands for every key of an object. It serves bodies without `eventId`: where
    there is one, that alone is the key.
    """

    number: int
    name: str
    category: Category
    description: str
    data_type: type[msgspec.Struct]
    session_type: SessionType | None
    dedupe_key: tuple[str, ...]
    core: bool
