"""How commands fail: one plain message on stderr that says what to do, and an exit code."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from chathooks.cli.text import printable
from chathooks.kernel.errors import ChathooksError

EXIT_REFUSED = 2
"""Bad input or settings; nothing was done."""
EXIT_FAILED = 1
"""The command ran, and what it looked at is not in order; or the API refused the call."""
EXIT_UNREACHABLE = 3
"""The server did not answer."""


class CommandFailed(ChathooksError):
    """A command that ends with a message, and with advice on what to do next.

    Args:
        code: as in the API's errors, or one of the command's own.
        message: what happened.
        details: names of offending fields and what is wrong with each.
        advice: what to do next; may be empty.
        exit_code: what the process ends with.
    """

    def __init__(
        self,
        code: str,
        message: str,
        details: Mapping[str, str] | None = None,
        *,
        advice: str = "",
        exit_code: int = EXIT_FAILED,
    ) -> None:
        super().__init__(code, message, details)
        self.advice = advice
        self.exit_code = exit_code


def explain(error: ChathooksError) -> None:
    """Print code, message, details and advice of an error on stderr."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]{printable(error.code)}[/bold red] ", end="")
    console.print(printable(error.message), markup=False)
    if not isinstance(error, CommandFailed):
        return
    for name, problem in error.details.items():
        console.print(f"  {printable(name)}: {printable(problem)}", markup=False)
    if error.advice:
        console.print(f"  → {printable(error.advice)}", markup=False)


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors into a message and an exit code: `CommandFailed`'s own, 2 for any other refusal."""
    try:
        yield
    except ChathooksError as error:
        explain(error)
        sys.exit(error.exit_code if isinstance(error, CommandFailed) else EXIT_REFUSED)
