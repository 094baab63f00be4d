"""What arrives and is not documented: a sign that the sender is newer than this package.

Looked at are the envelope, `data` and the objects right below it, by names alone: cheap enough for every request.
"""

from typing import Any

import msgspec

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import ReceivedEvent

UNDOCUMENTED_MAX = 8
"""How many names are told for one event."""
NAME_CHARS_MAX = 64

_ENVELOPE = frozenset({"trigger", "data", "appId", "region", "webhook", "eventId", "type"})
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _known_fields() -> dict[str, dict[str, frozenset[str] | None]]:
    known: dict[str, dict[str, frozenset[str] | None]] = {}
    for name, trigger in TRIGGERS.items():
        fields: dict[str, frozenset[str] | None] = {}
        for field in msgspec.structs.fields(trigger.data_type):
            fields[field.encode_name] = _names_of(field.type)
        known[name] = fields
    return known


def _names_of(kind: Any) -> frozenset[str] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        config = kind.__struct_config__
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        return frozenset(names | ({config.tag_field} if config.tag_field else set()))
    return None


_KNOWN = _known_fields()


def undocumented_fields(body: bytes, event: ReceivedEvent) -> tuple[str, ...]:
    """Dotted names of at most eight fields of `body` that the catalog does not know; `trigger` where it is that.

    `body` is one that `decode_body` took, so its names can be read.
    """
    fields = _KNOWN.get(event.trigger)
    if fields is None:
        return ("trigger",)
    found = [name for name in _decode(body) if name not in _ENVELOPE]
    for name, raw in _decode(event.raw_data).items():
        inner = fields.get(name)
        if name not in fields:
            found.append(f"data.{name}")
        # What a Struct was decoded from is an object, so its names can be read; null is the other case.
        elif inner is not None and bytes(raw) != b"null":
            found += [f"data.{name}.{key}" for key in _decode(raw) if key not in inner]
    return tuple(item[:NAME_CHARS_MAX] for item in found[:UNDOCUMENTED_MAX])
