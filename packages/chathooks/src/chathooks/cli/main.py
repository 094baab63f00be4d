"""The `chathooks` command."""

import sys

import typer

from chathooks import __version__
from chathooks.cli.demo import demo
from chathooks.cli.doctor import doctor
from chathooks.cli.failures import explained
from chathooks.cli.serve import serve

app = typer.Typer(
    name="chathooks",
    help="Open, self-hosted chat webhook platform.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        sys.stdout.write(f"chathooks {__version__}\n")
        raise typer.Exit


app.command()(serve)
app.command()(demo)
app.command()(doctor)


def main() -> None:
    """Run the command; refusals become one plain message and exit code 2."""
    with explained():
        app()
