"""How commands fail: one plain message on stderr that says what to do, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from chathooks.kernel.errors import ChathooksError

EXIT_REFUSED = 2
"""Bad input or settings; nothing was done."""
EXIT_FAILED = 1
"""The command ran, and what it looked at is not in order."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn refusals into a message and exit code 2."""
    try:
        yield
    except ChathooksError as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"[bold red]{error.code}[/bold red] ", end="")
        console.print(error.message, markup=False)
        sys.exit(EXIT_REFUSED)
