"""The table that a run prints, the JSON that it leaves beside it, and the table of the documentation."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.facts import Facts
from benchmarks.figures import Row, Spread

RESULTS = Path("bench-results")
PAGE = Path("docs/reference/benchmarks.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
_SHOWN = {"void": "VOID", "missed": "MISSED"}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark."""

    command: str
    date: str
    version: str
    endpoint: str
    seconds: float
    rounds: int
    connections: int
    took_s: float
    facts: Facts
    facts_after: Facts
    rows: list[Row]
    failed: dict[str, str] = {}
    """Why an experiment gave no rows, by its name."""
    skipped: dict[str, str] = {}
    """Why rows were left out, by what they would have measured."""


def stamp() -> str:
    """The time of a run, in UTC, as it stands in file names."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


def write(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def read(path: Path) -> Report:
    """A report that was written. Raises msgspec.DecodeError where the file is none."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def newest(folder: Path = RESULTS) -> Path:
    """The report that was written last. Raises FileNotFoundError where there is none."""
    found = sorted(folder.glob("bench-*.json"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no report; run make bench first")
    return found[-1]


def shown_spread(spread: Spread, unit: str) -> str:
    """The median and, where there was more than one round, lowest and highest."""
    digits = {"ratio": ".2f", "ms": ".2f", "MiB": ",.0f"}.get(unit, ",.0f")
    texts = [format(value, digits) for value in (spread.median, spread.low, spread.high)]
    suffix = "" if unit == "ratio" else f" {unit}"
    if len(spread.rounds) == 1:
        return f"{texts[0]}{suffix}"
    return f"{texts[0]}{suffix} ({texts[1]} to {texts[2]})"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.figure,
        row.name,
        shown_spread(row.value, row.unit),
        row.target,
        _SHOWN.get(row.verdict, row.verdict),
        "" if row.control is None else shown_spread(row.control, "ratio"),
    )


HEAD = ("", "measured", "median (lowest to highest)", "target", "verdict", "control A/A")


def machine(report: Report) -> str:
    """The machine, in a sentence."""
    facts, after = report.facts, report.facts_after
    return (
        f"{facts.cores} cores ({facts.cpu}), {facts.system}, {facts.python}, SQLite {facts.sqlite}, "
        f"{facts.libcurl.replace('PycURL', 'pycurl')}; fsync p50 {facts.fsync_p50_ms} ms before, "
        f"{after.fsync_p50_ms} ms after; load average {facts.load_average} before, "
        f"{after.load_average} after; endpoint: {report.endpoint}"
    )


def noted(row: Row) -> str:
    """The further numbers of a row, in a line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:,g}" for name, value in row.notes.items())


def show(report: Report, console: Console) -> None:
    """Print the table."""
    console.print(machine(report))
    table = Table(title=f"{report.rounds} rounds of {report.seconds:g} s")
    for place, name in enumerate(HEAD):
        table.add_column(name, justify="right" if place in (2, 5) else "left")
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in report.rows:
        if row.notes:
            console.print(f"{row.figure} {row.name}: {noted(row)}")
    for name, reason in report.failed.items():
        console.print(f"{name} gave no figures: {reason}", markup=False)
    for name, reason in report.skipped.items():
        console.print(f"{name} was left out: {reason}", markup=False)


def merged_rows(reports: Sequence[Report]) -> list[Row]:
    """The rows of several runs in the order of figures; of a row that several have, the last one's."""
    rows = {(row.figure, row.name): row for report in reports for row in report.rows}
    return sorted(rows.values(), key=lambda row: row.figure)


def markdown(reports: Sequence[Report]) -> str:
    """The table for the documentation, with the runs that it comes from."""
    lines = []
    for report in reports:
        took = f"{report.took_s / 60:.0f} minutes"
        runs = f"{report.rounds} rounds of {report.seconds:g} s"
        lines.append(f"`{report.command}`, {report.date}, {runs}, {took}.")
        lines.append(f"{machine(report)}.")
        lines.append("")
    lines.append("| " + " | ".join(name or "figure" for name in HEAD) + " |")
    lines.append("|" + "---|" * len(HEAD))
    rows = merged_rows(reports)
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    lines.append("")
    lines += [f"- {row.figure}, {row.name}: {noted(row)}." for row in rows if row.notes]
    return "\n".join(lines) + "\n"


def put_between_marks(page: str, table: str) -> str:
    """The page with the table between its two markers. Raises ValueError where it lacks them."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{table}\n{END}{tail}"
