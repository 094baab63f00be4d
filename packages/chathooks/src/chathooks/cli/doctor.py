"""`chathooks doctor`: are the settings, the store, the clock and the endpoints in order?"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from chathooks.app.settings import load_settings
from chathooks.cli.failures import EXIT_FAILED

if TYPE_CHECKING:
    from chathooks.app.findings import Check

_MARKS = {
    "ok": "[green]ok[/green]",
    "warning": "[yellow]warning[/yellow]",
    "failed": "[red]failed[/red]",
}


def _print(checks: list["Check"]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for check in checks:
        console.print(f"{_MARKS[check.state]:<26} {check.name}: ", end="")
        console.print(check.message, markup=False)
        if check.advice:
            console.print(f"        → {check.advice}", markup=False)


def doctor(
    data_dir: Annotated[str | None, typer.Option(help="Folder of the store and keys.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the settings, the data directory, the store, NATS, the clock, and that each endpoint can be reached.

    Nothing is changed and no event is sent: an endpoint is resolved, judged and connected to. Exit code 0: all in order;
    1: something is not; 2: the settings cannot be read.

    Examples:

      chathooks doctor

      chathooks doctor --json --data-dir /var/lib/chathooks
    """
    # Imported here, so that commands that call a server do not load one.
    import uvloop

    from chathooks.app.checks import run_checks

    settings = load_settings({"data_dir": data_dir}, os.environ, config)
    checks = uvloop.run(run_checks(settings))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(checks), indent=2).decode() + "\n")
    else:
        _print(checks)
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(EXIT_FAILED)
