"""What all JSON objects of the contract have in common: the base Struct and the scalar types."""

from typing import Annotated, Any, Literal, TypeAlias, cast

import msgspec

EVENT_ID_PATTERN = "^evt_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

UnixSeconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, description="Unix time in seconds.")]
UnixMilliseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, description="Unix time in ms.")]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Url: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})]
UrlReference: TypeAlias = Annotated[
    str, msgspec.Meta(extra_json_schema={"format": "uri-reference"})
]
IsoDateTime: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
ReceiverType: TypeAlias = Literal["user", "group"]
JsonObject: TypeAlias = dict[str, Any]


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A JSON object: attributes in snake_case, wire names in camelCase, absent values left out (never null).

    Values are trees, so they need no garbage collection, and frozen, so that one value may be part of many.
    Change one with `msgspec.structs.replace`.
    """


def stored_json(text: bytes | str) -> JsonObject:
    """Put JSON that was stored as text into a Struct without parsing it.

    The result stands where a free-form object is expected (`metadata`, `customData`, …) and is copied into the
    encoded bytes as it is. `text` must be one valid JSON object; it is for encoding only and has no items.
    """
    return cast(JsonObject, msgspec.Raw(text))
