"""Answers as tables: which columns a list has, as data, and how tables and single objects are drawn."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chathooks.cli.text import excerpt, moment, plain, printable

JSON_LINE_CHARS_MAX = 60
"""Longer JSON is shown over several lines."""

_STATE_STYLES: Mapping[str, str] = {
    "delivered": "green",
    "pending": "cyan",
    "in_flight": "cyan",
    "retrying": "yellow",
    "failed": "red",
    "expired": "red",
    "cancelled": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, the dotted place of its value (a number is a place in a list), and how it is shown."""

    title: str
    place: str
    show: Callable[[Any], str] = plain
    whole: bool = False
    """Never broken over lines."""


@dataclass(frozen=True, slots=True)
class View:
    """How a kind of object is shown."""

    columns: tuple[Column, ...]
    parts: Mapping[str, tuple[Column, ...]] | None = None
    """Lists within a single object that have tables of their own."""
    hidden: tuple[str, ...] = ()
    """Dotted places that a single object is shown without."""
    results: str = ""
    """Field of a single object that has a result per item."""


def value_at(item: Any, place: str) -> Any:
    """The value at a dotted place, None where there is none."""
    for name in place.split("."):
        if isinstance(item, Mapping):
            item = item.get(name)
        elif isinstance(item, list) and name.lstrip("-").isdigit():
            index = int(name)
            item = item[index] if -len(item) <= index < len(item) else None
        else:
            return None
    return item


def count(value: Any) -> str:
    """How many entries a list has."""
    return str(len(value)) if isinstance(value, list | dict) else ""


def milliseconds(value: Any) -> str:
    """A duration."""
    return f"{value:.0f} ms" if isinstance(value, int | float) else plain(value)


def percent(value: Any) -> str:
    """A part of one."""
    return f"{value:.0%}" if isinstance(value, int | float) else plain(value)


def styled(text: str) -> Text:
    """A cell; states of deliveries have their colours."""
    return Text(text, style=_STATE_STYLES.get(text, ""))


def table(items: Iterable[Any], columns: Sequence[Column]) -> Table:
    """A table that folds long values instead of cutting them."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column.title, overflow="fold", no_wrap=column.whole)
    for item in items:
        drawn.add_row(*(styled(column.show(value_at(item, column.place))) for column in columns))
    return drawn


def message_text(data: Any) -> str:
    """The text of a message, else what happened or which files it has."""
    text = value_at(data, "text") or value_at(data, "action")
    if text:
        return excerpt(text)
    files = value_at(data, "attachments") or []
    return excerpt([str(value_at(file, "url")) for file in files])


def record(item: Mapping[str, Any], hidden: Iterable[str] = ()) -> Table:
    """Name and value of each field; those of objects by dotted names, what is deeper as JSON."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(no_wrap=True, style="bold")
    drawn.add_column(overflow="fold")
    for name, value in _flat(item):
        if name not in hidden:
            drawn.add_row(printable(name), _shown(name, value))
    return drawn


def _flat(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}.{below}", inner) for below, inner in value.items())
        else:
            yield name, value


def _shown(name: str, value: Any) -> Text:
    if name.endswith("At") and isinstance(value, int) and not isinstance(value, bool):
        return Text(f"{moment(value)} UTC")
    text = plain(value)
    if len(text) > JSON_LINE_CHARS_MAX and isinstance(value, dict | list):
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        return Text("\n".join(printable(line) for line in text.splitlines()))
    return styled(text)


def show_list(console: Console, items: Sequence[Any], view: View) -> None:
    """Print a list as a table."""
    if items:
        console.print(table(items, view.columns))
    else:
        console.print("None.")


def show_one(console: Console, item: Any, view: View | None = None) -> None:
    """Print a single object; an answer that only says that something was done as that sentence."""
    if not isinstance(item, Mapping):
        console.print(excerpt(item), markup=False)
        return
    if set(item) == {"success", "message"}:
        console.print(plain(item["message"]), markup=False)
        return
    view = view or View(())
    parts = view.parts or {}
    apart = (*parts, view.results) if view.results else tuple(parts)
    main = {name: value for name, value in item.items() if name not in apart}
    console.print(record(main, view.hidden))
    if view.results and item.get(view.results):
        console.print()
        console.print(table(outcomes(item[view.results]), OUTCOMES.columns))
    for name, columns in parts.items():
        entries = item.get(name)
        if entries:
            console.print()
            console.print(table(entries, columns))


def outcomes(answer: Any) -> list[dict[str, Any]]:
    """Results of a batch, by name or by array and name, as rows `{item, success, message}`."""
    rows = []
    for name, result in answer.items() if isinstance(answer, Mapping) else ():
        if not isinstance(result, Mapping):
            continue
        if "success" not in result:
            rows += [{**row, "item": f"{name}: {row['item']}"} for row in outcomes(result)]
            continue
        error = result.get("error") or {}
        done = bool(result["success"])
        message = result.get("message", "done") if done else value_at(error, "message")
        rows.append({"item": name, "success": done, "message": message, "code": error.get("code")})
    return rows


USERS = View(
    (
        Column("uid", "uid"),
        Column("name", "name"),
        Column("role", "role"),
        Column("status", "status"),
        Column("created (UTC)", "createdAt", moment, whole=True),
    )
)
GROUPS = View(
    (
        Column("guid", "guid"),
        Column("name", "name"),
        Column("type", "type", whole=True),
        Column("owner", "owner"),
        Column("members", "membersCount"),
        Column("created (UTC)", "createdAt", moment, whole=True),
    ),
    results="members",
)
MEMBERS = View(
    (
        Column("uid", "uid"),
        Column("name", "name"),
        Column("scope", "scope", whole=True),
        Column("joined (UTC)", "joinedAt", moment, whole=True),
    )
)
MESSAGES = View(
    (
        Column("id", "id", whole=True),
        Column("sent (UTC)", "sentAt", moment, whole=True),
        Column("from", "sender"),
        Column("to", "receiver"),
        Column("type", "type"),
        Column("text", "data", message_text),
    ),
    hidden=("data.entities",),
)
THREADS = View(
    (
        Column("message", "id", whole=True),
        Column("changed (UTC)", "updatedAt", moment, whole=True),
        Column("from", "sender"),
        Column("to", "receiver"),
        Column("replies", "replyCount"),
        Column("text", "data", message_text),
        Column("last reply", "lastReply.data", message_text),
    )
)
REACTIONS = View(
    (
        Column("reaction", "reaction"),
        Column("by", "uid"),
        Column("at (UTC)", "reactedAt", moment, whole=True),
    )
)
APPS = View(
    (
        Column("id", "id"),
        Column("name", "name"),
        Column("region", "region", whole=True),
        Column("state", "state", whole=True),
        Column("created (UTC)", "createdAt", moment, whole=True),
    )
)
API_KEYS = View(
    (
        Column("key", "apiKey", whole=True),
        Column("name", "name"),
        Column("scope", "scope", whole=True),
        Column("created (UTC)", "createdAt", moment, whole=True),
    )
)
TOKENS = View(
    (
        Column("token", "authToken", whole=True),
        Column("platform", "platform"),
        Column("created (UTC)", "createdAt", moment, whole=True),
    )
)
NEW_KEYS = View((Column("scope", "scope", whole=True), Column("key", "apiKey", whole=True)))
REPLAYS = View(
    (
        Column("id", "id", whole=True),
        Column("state", "state", whole=True),
        Column("progress", "progress", percent, whole=True),
        Column("replayed", "replayed"),
        Column("created (UTC)", "createdAt", moment, whole=True),
    )
)
WEBHOOKS = View(
    (
        Column("id", "id"),
        Column("URL", "webhookURL"),
        Column("enabled", "enabled"),
        Column("retries", "retryOnFailure"),
        Column("ordered", "ordered"),
        Column("triggers", "triggers", count),
    )
)
TRIGGERS = View(
    (
        Column("name", "name", whole=True),
        Column("category", "category"),
        Column("description", "description"),
    )
)
DELIVERIES = View(
    (
        Column("id", "id"),
        Column("trigger", "trigger"),
        Column("state", "state", whole=True),
        Column("attempts", "attempts", count),
        Column("status", "attempts.-1.status"),
        Column("created (UTC)", "createdAt", moment, whole=True),
    ),
    {
        "attempts": (
            Column("attempt", "number"),
            Column("started (UTC)", "startedAt", moment, whole=True),
            Column("took", "durationMs", milliseconds, whole=True),
            Column("status", "status"),
            Column("explanation", "explanation"),
        )
    },
)
FIRED = View(
    (
        Column("webhook", "webhook"),
        Column("state", "state", whole=True),
        Column("status", "attempts.-1.status"),
        Column("took", "attempts.-1.durationMs", milliseconds, whole=True),
        Column("explanation", "attempts.-1.explanation"),
    )
)
EVENTS = View(
    (
        Column("event id", "eventId"),
        Column("trigger", "trigger"),
        Column("created (UTC)", "createdAt", moment, whole=True),
        Column("cursor", "cursor"),
    )
)
OUTCOMES = View(
    (
        Column("item", "item"),
        Column("done", "success"),
        Column("code", "code"),
        Column("message", "message"),
    )
)
