"""The command line of `chathooks-receiver`."""

import sys
from collections.abc import Sequence
from importlib.metadata import version as installed_version

import typer

from chathooks_receiver.cli.check_command import check
from chathooks_receiver.cli.faulty_command import faulty
from chathooks_receiver.cli.listen_command import listen
from chathooks_receiver.cli.service_commands import log, serve
from chathooks_receiver.cli.simulate_command import simulate
from chathooks_receiver.cli.terminal import explained
from chathooks_receiver.cli.trigger_command import trigger

app = typer.Typer(
    name="chathooks-receiver",
    help="Receive chat webhooks, and prove that an endpoint does.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        sys.stdout.write(f"chathooks-receiver {installed_version('chathooks-receiver')}\n")
        raise typer.Exit


app.command()(serve)
app.command()(log)
app.command()(trigger)
app.command()(simulate)
app.command()(check)
app.command()(faulty)
app.command()(listen)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the process, or of `arguments`; failures become one plain message and an exit code."""
    with explained():
        app(arguments)
