"""`chathooks-receiver check`: certify an endpoint."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.terminal import out, print_json, printable, progress_bar, remark
from chathooks_receiver.tools.checks.catalogue import CHECKS, CHECKS_BY_ID
from chathooks_receiver.tools.checks.certify import (
    GRADES,
    TIME_MAX_S,
    Judgement,
    Report,
    certify,
    choose,
)
from chathooks_receiver.tools.checks.contract import Check, Limits, Probe
from chathooks_receiver.tools.checks.junit import junit
from chathooks_receiver.tools.connection import ANSWER_TIMEOUT_S
from chathooks_receiver.tools.failures import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_UNREACHABLE,
    ToolFailed,
)
from chathooks_receiver.tools.identity import identity
from chathooks_receiver.tools.pacing import run_until_stopped
from chathooks_receiver.tools.target import parse_target

_MARKS = {"passed": "[green]✓[/green]", "failed": "[red]✗[/red]", "skipped": "[dim]–[/dim]"}
_GRADE_WORDS = {
    "A": "does everything that a sender may expect.",
    "B": "is fit for production; small things are left.",
    "C": "works, but a requirement is not met.",
    "D": "works, but several requirements are not met.",
    "F": "is not fit for production: a critical requirement is not met.",
}


def _list_checks(as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "id": check.id,
                    "title": check.title,
                    "severity": check.severity,
                    "section": check.section,
                    "advice": check.advice,
                }
                for check in CHECKS
            ]
        )
        return
    console = out()
    for check in CHECKS:
        console.print(f"{check.id:<20} {check.severity:<9} {check.title}", markup=False)


def _show(report: Report) -> None:
    console = out()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for item in report.judgements:
        detail = Text(printable(item.detail))
        if item.advice:
            detail.append(f"\n→ {item.advice}", style="yellow")
        table.add_row(_MARKS[item.state], item.id, item.severity, detail)
    console.print(table)
    counts = f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped"
    if report.grade is None:
        console.print(f"\nNo grade: nothing could be judged ({counts}).")
        return
    console.print(f"\n[bold]Grade {report.grade}[/bold]: the endpoint {_GRADE_WORDS[report.grade]}")
    console.print(f"{counts}.", markup=False)
    if not report.complete:
        remark("Not every check came to run; give more time with --max-time.")


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ToolFailed(
            "ERR_JUNIT_FILE",
            f"{path} cannot be written: {error.strerror or error}.",
            advice="--junit takes a path in a folder that exists.",
            exit_code=EXIT_FAILED,
        ) from None


def _certify(probe: Probe, checks: list[Check], max_time: float) -> tuple[Report, bool]:
    with progress_bar("checking", len(checks)) as bar:

        def told(check: Check, judgement: Judgement | None) -> None:
            if judgement is None:
                bar.label(check.id)
            else:
                bar.step()

        async def work(stop: asyncio.Event) -> tuple[Report, bool]:
            try:
                report = await certify(probe, checks, time_max_s=max_time, told=told, stop=stop)
            finally:
                await probe.close()
            return report, stop.is_set()

        return run_until_stopped(work)


def _exit_code(report: Report, at_least: str) -> int:
    if report.grade is None or any(
        item.id == "reachable" and item.state == "failed" for item in report.judgements
    ):
        return EXIT_UNREACHABLE
    wanted = [*GRADES].index(at_least)  # type: ignore[arg-type] # -- checked to be one of them
    return 0 if GRADES.index(report.grade) <= wanted else EXIT_FAILED


Url = Annotated[str | None, typer.Argument(help="URL of the endpoint.", show_default=False)]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Run only this check; may be repeated.", autocompletion=o.names(CHECKS_BY_ID)
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        help="Leave this check out; may be repeated.",
        autocompletion=o.names(CHECKS_BY_ID),
    ),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="The endpoint is on this machine: ask for neither https nor a public address.",
    ),
]
AtLeast = Annotated[
    str, typer.Option("--at-least", help="Grade that is needed for exit code 0, A to F.")
]
LoadRequests = Annotated[
    int,
    typer.Option("--load-requests", help="Deliveries of the load check.", min=1, max=100_000),
]
LoadConnections = Annotated[
    int,
    typer.Option("--load-connections", help="Connections of the load check.", min=1, max=500),
]
MaxTime = Annotated[
    float,
    typer.Option("--max-time", help="Seconds that all checks may take.", min=1, max=3_600),
]
JunitFile = Annotated[
    Path | None,
    typer.Option("--junit", help="Write the report as JUnit XML, too.", metavar="FILE"),
]
List = Annotated[bool, typer.Option("--list", help="List the checks.")]


def check(
    url: Url = None,
    username: o.Username = None,
    password: o.Password = None,
    secret: o.Secret = None,
    as_: o.As = "chathooks",
    only: Only = None,
    skip: Skip = None,
    local: Local = False,
    at_least: AtLeast = "B",
    load_requests: LoadRequests = 200,
    load_connections: LoadConnections = 16,
    max_time: MaxTime = TIME_MAX_S,
    junit_file: JunitFile = None,
    timeout: o.Timeout = ANSWER_TIMEOUT_S,
    ca_file: o.CaFile = None,
    list_: List = False,
    as_json: o.Json = False,
) -> None:
    """Certify an endpoint against the requirements and best practices of chat webhooks.

    Sends it some hundred requests, good and bad ones, and reports what it got wrong, how to fix it, and a grade from A to F.
    Give it an endpoint that may get made-up events. Ends with 0 for the grade of --at-least or better, with 3 where it cannot be
    reached.

    Examples:

      chathooks-receiver check https://shop.example/webhook --username shop --secret whsec_…
      chathooks-receiver check http://localhost:3000/hook --local --username shop
      chathooks-receiver check https://shop.example/webhook --only in-time --only under-load
      chathooks-receiver check https://shop.example/webhook --junit report.xml --at-least A
    """
    if list_:
        _list_checks(as_json)
        return
    if url is None:
        raise ToolFailed("ERR_URL", "No endpoint is named.", advice="Give its URL.")
    if at_least not in GRADES:
        raise ToolFailed(
            "ERR_GRADE", f"{at_least!r} is no grade.", advice="--at-least takes A, B, C, D or F."
        )
    checks = choose(only or [], skip or [])
    probe = Probe(
        parse_target(url, ca_file),
        identity(username=username, password=password, secret=secret, platform=o.platform(as_)),
        Limits(
            timeout_s=timeout,
            load_requests=load_requests,
            load_connections=load_connections,
            local=local,
        ),
    )
    report, interrupted = _certify(probe, checks, max_time)
    if junit_file is not None:
        _write(junit_file, junit(report))
    if as_json:
        print_json(report)
    else:
        _show(report)
    code = EXIT_INTERRUPTED if interrupted else _exit_code(report, at_least)
    if code:
        raise typer.Exit(code)
