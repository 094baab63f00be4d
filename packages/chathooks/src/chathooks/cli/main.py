"""The `chathooks` command."""

import sys
from collections.abc import Sequence

import typer

from chathooks import __version__
from chathooks.cli.app_commands import APP_GROUPS
from chathooks.cli.chat_commands import CHAT_GROUPS
from chathooks.cli.commands import add, group
from chathooks.cli.delivery_commands import DELIVERY_GROUPS
from chathooks.cli.demo import demo
from chathooks.cli.doctor import doctor
from chathooks.cli.failures import explained
from chathooks.cli.migrate import migrate
from chathooks.cli.serve import serve
from chathooks.cli.webhook_commands import TRIGGER, WEBHOOK_GROUPS

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
app.add_typer(migrate, name="migrate")
add(app, [TRIGGER])
for _name, _summary, _commands in (*APP_GROUPS, *CHAT_GROUPS, *WEBHOOK_GROUPS, *DELIVERY_GROUPS):
    group(app, _name, _summary, _commands)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command of the process, or of `arguments`; failures become one plain message and an exit code."""
    with explained():
        app(arguments)
