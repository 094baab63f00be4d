"""The table that a run prints and the JSON that it leaves beside it."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.facts import Facts
from benchmarks.measuring import Figure, Ratio
from chathooks import __version__

RESULTS = Path("bench-results")
WHAT = {
    "bare": "bare libcurl loop, tuned",
    "plain": "bare libcurl loop, plain",
    "client": "client alone",
    "sender": "sender: make, sign, send",
    "drain": "backlog drain, end to end",
    "trivial": "trivial JSON route",
    "post": "POST /v3/messages",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark."""

    command: str
    date: str
    version: str
    endpoint: str
    seconds: float
    rounds: int
    connections: int
    facts: Facts
    facts_after: Facts
    figures: list[Figure]


def stamp() -> str:
    """The time of a run, in UTC, as it stands in file names."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


def make(
    *,
    command: str,
    endpoint: str,
    seconds: float,
    rounds: int,
    connections: int,
    facts: tuple[Facts, Facts],
    figures: Sequence[Figure],
) -> Report:
    """A report dated now."""
    return Report(
        command=command,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=__version__,
        endpoint=endpoint,
        seconds=seconds,
        rounds=rounds,
        connections=connections,
        facts=facts[0],
        facts_after=facts[1],
        figures=list(figures),
    )


def write(report: Report) -> Path:
    """Write the report as JSON; answers where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"bench-{stamp()}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return path


def _shown(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def show(report: Report, console: Console) -> None:
    """Print the table."""
    facts = report.facts
    console.print(
        f"{facts.cores} cores ({facts.cpu}), {facts.system}, {facts.python}, SQLite {facts.sqlite}"
    )
    console.print(facts.libcurl.replace("PycURL", "pycurl"))
    after = report.facts_after
    console.print(
        f"fsync p50 {facts.fsync_p50_ms} ms before, {after.fsync_p50_ms} ms after; "
        f"load average {facts.load_average} before; endpoint: {report.endpoint}"
    )
    table = Table(
        title=f"{report.rounds} rounds of {report.seconds:g} s, {report.connections} connections; "
        "ratio: median (lowest to highest)"
    )
    names = ("measured", "per CPU-s", "per s", "against", "per CPU-s", "ratio", "of the plain loop")
    for name in (*names, "control A/A"):
        table.add_column(name, justify="left" if name in ("measured", "against") else "right")
    for figure in report.figures:
        control = _shown(figure.control)
        table.add_row(
            WHAT[figure.name],
            f"{figure.per_cpu_s:,.0f}",
            f"{figure.per_s:,.0f}",
            WHAT[figure.base],
            f"{figure.base_per_cpu_s:,.0f}",
            _shown(figure.ratio),
            _shown(figure.second_ratio) if figure.second_ratio else "",
            f"{control} VOID" if figure.void else control,
        )
    console.print(table)
    for figure in report.figures:
        for key, value in figure.notes.items():
            console.print(f"{WHAT[figure.name]}: {value:g} {key.replace('_', ' ')}")
