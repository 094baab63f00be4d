"""What commands print: answers on stdout, everything else on stderr. Nothing from elsewhere can steer the terminal."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chathooks_receiver.tools.failures import ToolFailed

# C0 and C1 controls, and the marks that turn the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def printable(text: str) -> str:
    """The text on one line, with `\N{REPLACEMENT CHARACTER}` for every character that steers a terminal."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", _LINE_ENDS.sub(" ", text))


def out() -> Console:
    """Where answers go."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Where remarks, errors and progress go."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def remark(text: str) -> None:
    """Say something to the person."""
    err().print(printable(text), markup=False)


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_json_line(value: object) -> None:
    """Print one JSON document on one line, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def explain(error: ToolFailed) -> None:
    """Print code, message, details and advice of a failure."""
    console = err()
    console.print(f"[bold red]{printable(error.code)}[/bold red] ", end="")
    console.print(printable(error.message), markup=False)
    for name, problem in error.details.items():
        console.print(f"  {printable(name)}: {printable(problem)}", markup=False)
    if error.advice:
        console.print(f"  → {printable(error.advice)}", markup=False)


@contextmanager
def explained() -> Iterator[None]:
    """Turn failures into a message and an exit code."""
    try:
        yield
    except ToolFailed as error:
        explain(error)
        sys.exit(error.exit_code)


class Bar:
    """A progress bar on stderr, shown only at a terminal."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total)

    def step(self) -> None:
        """One more is done."""
        self._progress.advance(self._task)

    def label(self, what: str) -> None:
        """Say what is being done."""
        self._progress.update(self._task, description=printable(what))


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Bar]:
    """A bar while the block runs."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Bar(progress, what, total)
