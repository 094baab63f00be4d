"""Answers as tables: which columns a list has, as data, and how tables and single objects are drawn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chathooks.cli.text import excerpt, moment, plain, printable

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


def record(item: Mapping[str, Any], skipped: Iterable[str] = ()) -> Table:
    """Name and value of each field; objects as JSON."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(no_wrap=True, style="bold")
    drawn.add_column(overflow="fold")
    for name, value in item.items():
        if name in skipped:
            continue
        if name.endswith("At") and isinstance(value, int):
            shown = styled(f"{moment(value)} UTC")
        elif isinstance(value, dict) or (
            isinstance(value, list) and not all(isinstance(entry, str) for entry in value)
        ):
            shown = Text(_indented(value))
        else:
            shown = styled(plain(value))
        drawn.add_row(printable(name), shown)
    return drawn


def _indented(value: Any) -> str:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return "\n".join(printable(line) for line in text.splitlines())


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
    parts = (view.parts if view is not None else None) or {}
    console.print(record(item, parts))
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
    )
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
        Column("text", "data.text", excerpt),
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
