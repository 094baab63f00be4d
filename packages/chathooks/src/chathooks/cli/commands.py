"""Commands that call the API, as data, and the Typer commands that are made of them."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import typer

from chathooks.cli.failures import EXIT_FAILED
from chathooks.cli.fields import Field, Values, fill
from chathooks.cli.pages import LIST_FIELDS, Paging, list_all
from chathooks.cli.session import ACTING, CONNECTION_FIELDS, MANAGEMENT_FIELDS, Session
from chathooks.cli.tables import OUTCOMES, View, outcomes, show_list, value_at

Run = Callable[[Session, Values], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: what it takes, the call it makes, and how the answer is shown."""

    name: str
    summary: str
    examples: tuple[str, ...]
    """Complete command lines."""
    method: str = "GET"
    path: str = ""
    fields: tuple[Field, ...] = ()
    view: View | None = None
    paging: Paging | None = None
    """Set where the answer is a list."""
    batch: bool = False
    """The answer has a result per item."""
    acts_for: bool = False
    """The call can be made on behalf of a user."""
    change: bool = False
    """At least one option must be given."""
    one_of: tuple[str, ...] = ()
    """Of these fields exactly one is given."""
    at_most_one_of: tuple[str, ...] = ()
    managed: bool = False
    """Calls the management API, with the management key and secret."""
    remark: str = ""
    """Said on stderr after it was done."""
    run: Run | None = None
    """Does it instead of the one call."""

    def all_fields(self) -> tuple[Field, ...]:
        """Its fields and those of its kind."""
        return (
            *self.fields,
            *(LIST_FIELDS if self.paging is not None else ()),
            *((ACTING,) if self.acts_for else ()),
            *(MANAGEMENT_FIELDS if self.managed else CONNECTION_FIELDS),
        )

    def help(self) -> str:
        """Summary and examples."""
        return "\n\n".join([self.summary, "Examples:", *(f"  {line}" for line in self.examples)])


def _flag_of(command: Command, name: str) -> str:
    found = next(item for item in command.fields if item.name == name)
    return found.flags[0] if found.flags else name.upper()


def check_choice(command: Command, values: Values) -> None:
    """Raises typer.BadParameter where options exclude one another, or none is given of which one must be."""
    for names, least in ((command.one_of, 1), (command.at_most_one_of, 0)):
        given = [name for name in names if values.get(name)]
        if names and not least <= len(given) <= 1:
            flags = " and ".join(_flag_of(command, name) for name in names)
            raise typer.BadParameter(f"Give {'exactly' if least else 'at most'} one of {flags}.")


def perform(command: Command, session: Session, values: Values) -> None:
    """Make the command's call and show the answer. Raises CommandFailed, typer.BadParameter, typer.Exit."""
    request = fill(command.method, command.path, command.fields, values)
    if command.change and not request.body:
        raise typer.BadParameter("Nothing to change: give at least one option.")
    if command.paging is not None:
        list_all(session, request, command.paging, command.view or OUTCOMES, values)
        return
    answer = session.send(request)
    if command.batch:
        show_batch(session, answer)
        return
    session.show(answer, command.view)
    if command.remark:
        session.remark(command.remark)
    if command.view is not None and command.view.results:
        _check_results(outcomes(value_at(answer.value(), command.view.results)))


def show_batch(session: Session, answer: Any) -> None:
    """Show a result per item; exit code 1 where one was refused. Raises typer.Exit."""
    rows = outcomes(answer.value())
    if session.json:
        session.print_json(answer.data)
    else:
        show_list(session.console, rows, OUTCOMES)
    _check_results(rows)


def _check_results(rows: list[dict[str, Any]]) -> None:
    if not all(row["success"] for row in rows):
        raise typer.Exit(EXIT_FAILED)


def callback(command: Command) -> Callable[..., None]:
    """The function that Typer calls, with the command's fields as its parameters."""

    def call(**values: Any) -> None:
        check_choice(command, values)
        session = Session.open(values)
        try:
            if command.run is not None:
                command.run(session, values)
            else:
                perform(command, session, values)
        finally:
            session.rest.close()

    call.__name__ = command.name.replace("-", "_")
    call.__doc__ = command.help()
    parameters = [item.parameter() for item in command.all_fields()]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # -- read by Typer
    return call


def add(app: typer.Typer, commands: Iterable[Command]) -> None:
    """Add commands to a Typer app."""
    for command in commands:
        app.command(command.name)(callback(command))


def group(app: typer.Typer, name: str, summary: str, commands: Iterable[Command]) -> None:
    """Add a group of commands to a Typer app."""
    below = typer.Typer(name=name, help=summary, no_args_is_help=True, rich_markup_mode="rich")
    add(below, commands)
    app.add_typer(below)
