"""The reference page of all events, made from the catalog: `python -m chathooks_events.reference` prints it."""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from chathooks_events.catalog import TRIGGERS, Trigger, schema, session_types
from chathooks_events.samples import sample, sample_body
from chathooks_events.signing import TIMESTAMP_TOLERANCE_S

_REF_PREFIX = "#/$defs/"
_CATEGORY_TITLES = {
    "message": "Messages",
    "user": "Users",
    "group": "Groups",
    "call": "Calls",
    "meeting": "Meetings",
    "moderation": "Moderation",
    "campaign": "Campaigns",
}

_INTRODUCTION = f"""\
# Events

Every event that a webhook can subscribe to: what fires it, what is delivered, how to tell two events apart.
This page is generated from the catalog that the server and the receiver package share
(`python -m chathooks_events.reference`).

## The request

A delivery is a `POST` with `Content-Type: application/json`. Its body is one JSON object:

| Field | Type | Meaning |
|---|---|---|
| `trigger` | string | the name of the trigger, as listed below |
| `data` | object | what happened; its shape depends on the trigger |
| `appId` | string | the app that the event is of |
| `region` | string | the region of the app |
| `webhook` | string | the id of the webhook that is being delivered to |
| `eventId` | string | `evt_` and a UUIDv7; one per event, the same for every webhook and every attempt |
| `type` | string | `call` or `meet`, on session events only |

```json
@@BODY@@
```

Values that are absent are left out, never `null`. New fields and new triggers may be added at any time: ignore
what you do not know. Times are unix seconds, but for `user_connection_status_changed`, whose `timestamp` and
`connectedAt` are milliseconds. Ids are strings.

## Telling duplicates

Deliveries are at least once. Deduplicate on `eventId`. The dedupe key of each trigger below serves bodies that
have none; `*` stands for every key of an object.

## Checking the signature

Each delivery is signed after [Standard Webhooks](https://www.standardwebhooks.com/) v1: the header
`webhook-signature` holds `v1,` and the base64 of the HMAC-SHA256 over `webhook-id`, `webhook-timestamp` and the
body, joined by dots. While a secret is rotated it holds two of them, separated by a space. Refuse a timestamp more
than {TIMESTAMP_TOLERANCE_S} s from your clock.

## All triggers

@@OVERVIEW@@
"""


def markdown() -> str:
    """The whole page as Markdown, ending with a newline."""
    body = _pretty(msgspec.json.decode(sample_body("user_unblocked")))
    introduction = _INTRODUCTION.replace("@@BODY@@", body).replace("@@OVERVIEW@@", _overview())
    parts = [introduction]
    for category, title in _CATEGORY_TITLES.items():
        parts.append(f"## {title}\n")
        parts += [_trigger(item) for item in TRIGGERS.values() if item.category == category]
    parts.append("## Objects\n")
    parts.append("What `data` is made of. Fields marked with * are always there.\n")
    parts += [_object(name, definition) for name, definition in _shared_objects()]
    return "\n".join(parts)


def _overview() -> str:
    rows = ["| Trigger | Category | Fired when | |", "|---|---|---|---|"]
    rows += [
        f"| [`{item.name}`](#{item.name}) | {item.category} | {item.description} | "
        f"{'core' if item.core else ''} |"
        for item in sorted(
            TRIGGERS.values(), key=lambda item: [*_CATEGORY_TITLES].index(item.category)
        )
    ]
    return "\n".join(rows)


def _trigger(trigger: Trigger) -> str:
    definition = schema(trigger.name)["$defs"][trigger.data_type.__name__]
    lines = [f"### {trigger.name}", "", trigger.description, ""]
    types = " or ".join(f"`{word}`" for word in session_types(trigger))
    lines += [f"`type`: {types}", ""] if types else []
    lines += [f"`data`: {definition['description']}", "", *_fields(definition), ""]
    lines += ["Dedupe key: " + ", ".join(f"`{path}`" for path in trigger.dedupe_key), ""]
    lines += ["```json", _pretty(sample(trigger.name)), "```", ""]
    return "\n".join(lines)


def _object(name: str, definition: dict[str, Any]) -> str:
    return "\n".join([f"### {name}", "", definition["description"], "", *_fields(definition), ""])


def _shared_objects() -> Iterator[tuple[str, dict[str, Any]]]:
    payloads = {item.data_type.__name__ for item in TRIGGERS.values()}
    found = {
        name: definition
        for trigger in TRIGGERS
        for name, definition in schema(trigger)["$defs"].items()
        if name not in payloads
    }
    yield from sorted(found.items())


def _fields(definition: dict[str, Any]) -> Iterator[str]:
    yield "| Field | Type |"
    yield "|---|---|"
    for name, node in definition["properties"].items():
        mark = "*" if name in definition["required"] else ""
        yield f"| `{name}`{mark} | {_type(node)} |"


def _type(node: dict[str, Any]) -> str:
    if "$ref" in node:
        name = node["$ref"].removeprefix(_REF_PREFIX)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in node:
        return " or ".join(_type(choice) for choice in node["anyOf"])
    if "enum" in node:
        return " or ".join(f"`{word}`" for word in node["enum"])
    if node.get("type") == "array":
        return f"array of {_type(node['items'])}" if node.get("items") else "array"
    if "additionalProperties" in node:
        return f"object, each value {_type(node['additionalProperties'])}"
    kind = str(node.get("type", "any"))
    note = node.get("description") or node.get("format")
    return f"{kind} ({note.rstrip('.')[0].lower()}{note.rstrip('.')[1:]})" if note else kind


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


if __name__ == "__main__":
    sys.stdout.write(markdown())
