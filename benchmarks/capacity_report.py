"""What a run of `benchmarks.capacity` found: as JSON, on the screen, and as the tables of the documentation."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.facts import Facts

PAGE = Path("docs/explain/capacity.md")

Costs = dict[str, float]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: what was measured on which store, and its numbers by name."""

    part: str
    name: str
    store: str
    costs: Costs


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    command: str
    date: str
    facts: Facts
    load_average_after: float
    rows: list[Measured]
    skipped: dict[str, str]
    failed: dict[str, str]


HEADINGS = {
    "events": "Messages through the API, 64 clients",
    "deliveries": "A stored backlog appended, then delivered",
    "body": "The same with 16 KiB more in each event",
    "endpoints": "Webhooks that get nothing",
    "retries": "Deliveries that wait for their next attempt",
    "commands": "Messages by commands, without HTTP",
    "sequencer": "Fan-out by one sequencer",
}
_NAMES = {
    "own_us": "CPU of the process, µs",
    "server_us": "CPU of PostgreSQL, µs",
    "append_us": "CPU to append, µs",
    "own_cpu_s": "",
}
"""How numbers are called in the documentation; empty: they are not shown."""


def shown(costs: Costs) -> str:
    """The numbers in a line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:,g}" for name, value in costs.items())


def show(capacity: Capacity, console: Console) -> None:
    """Print the table."""
    table = Table(title=f"{capacity.facts.cores} cores ({capacity.facts.cpu}), {capacity.date}")
    for name in ("part", "measured", "store", "costs"):
        table.add_column(name)
    for row in capacity.rows:
        table.add_row(row.part, row.name, row.store, shown(row.costs))
    console.print(table)
    for name, reason in capacity.skipped.items():
        console.print(f"{name} was left out: {reason}", markup=False)


def _called(name: str) -> str:
    return _NAMES.get(name, name.replace("_per_s", " per s").replace("_", " "))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _part(rows: Sequence[Measured]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.costs if _called(name)))
    head = ["", "store", *(_called(name) for name in names)]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * len(names)]
    for row in rows:
        cells = [row.name, row.store, *(_number(row.costs.get(name)) for name in names)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def markdown(capacity: Capacity) -> str:
    """The tables, with the run that they come from."""
    facts = capacity.facts
    lines = [
        f"`{capacity.command}`, {capacity.date}.",
        f"{facts.cores} cores ({facts.cpu}) that other programs shared, {facts.system}, {facts.python}, SQLite "
        f"{facts.sqlite}; fsync p50 {facts.fsync_p50_ms} ms; load average {facts.load_average} before, "
        f"{capacity.load_average_after} after.",
    ]
    for part, heading in HEADINGS.items():
        rows = [row for row in capacity.rows if row.part == part]
        if rows:
            lines += ["", f"**{heading}**", "", *_part(rows)]
    return "\n".join(lines) + "\n"
