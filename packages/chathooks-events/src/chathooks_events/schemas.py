"""JSON Schemas of delivered bodies, made from the payload Structs."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chathooks_events.wire import EVENT_ID_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID_PREFIX = "urn:chathooks:event:"


def body_schema(
    name: str,
    description: str,
    data_type: type[msgspec.Struct],
    *,
    session_types: Sequence[str] = (),
) -> dict[str, Any]:
    """JSON Schema 2020-12 of the body of trigger `name`; `session_types` are the allowed values of `type`."""
    (data,), definitions = msgspec.json.schema_components(
        (data_type,), ref_template="#/$defs/{name}"
    )
    properties: dict[str, Any] = {
        "trigger": {"const": name},
        "data": data,
        "appId": {"type": "string", "description": "The app that the event is of."},
        "region": {"type": "string", "description": "The region of the app."},
        "webhook": {"type": "string", "description": "The id of the webhook."},
        "eventId": {
            "type": "string",
            "pattern": EVENT_ID_PATTERN,
            "description": "The key to deduplicate on: the same for every webhook and attempt.",
        },
    }
    if session_types:
        allowed = (
            {"const": session_types[0]} if len(session_types) == 1 else {"enum": [*session_types]}
        )
        properties["type"] = {**allowed, "description": "The kind of session."}
    return {
        "$schema": DIALECT,
        "$id": ID_PREFIX + name,
        "title": name,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "$defs": {key: _without_null(value) for key, value in definitions.items()},
    }


def _without_null(node: Any) -> Any:
    """Drop what says that a field may be null: absent values are left out, never null."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    choices = [item for item in node.get("anyOf", ()) if item != {"type": "null"}]
    if len(choices) == 1:
        node = {**choices[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    elif choices:
        node = {**node, "anyOf": choices}
    return {
        key: _without_null(value)
        for key, value in node.items()
        if not (key == "default" and value is None)
    }
