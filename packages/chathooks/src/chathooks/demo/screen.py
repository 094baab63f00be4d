"""Where the demo is shown: redrawn in place on a terminal, line by line elsewhere."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live

from chathooks.demo.client import Delivery
from chathooks.demo.table import View, line, render

PICTURE_COLUMNS = 120
PICTURE_LINES = 27

_FOREIGN = re.compile(r"@font-face \{\{.*?\}\}\s*|<!--.*?-->\s*", re.DOTALL)


class Screen(Protocol):
    """What the demo tells."""

    def say(self, text: str) -> None:
        """Tell something in between; may hold rich's markup."""

    def told(self, who: str, what: str) -> None:
        """A step of the conversation was taken."""

    def update(self, view: View, changed: Sequence[Delivery]) -> None:
        """This is how things stand; `changed` is what is new in it."""

    def close(self) -> None:
        """Leave the last picture as it is; what is told afterwards comes below it."""


class PlainScreen:
    """One line per change: for logs, pipes and what comes after the table."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console
        self._printed: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Print the text, however long, as one line, so that commands can be copied."""
        self._console.print(text, soft_wrap=True, highlight=False)

    def told(self, who: str, what: str) -> None:
        """Print the step."""
        self._console.print(f"{who} {what}", soft_wrap=True, highlight=False, markup=False)

    def update(self, view: View, changed: Sequence[Delivery]) -> None:
        """Print each change that an attempt made."""
        for delivery in changed:
            text = line(delivery)
            if delivery.attempts and self._printed.get(delivery.id) != text:
                self._printed[delivery.id] = text
                self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def command(self, text: str) -> None:
        """Print a command so that it can be copied."""
        self._console.print(f"  {text}", soft_wrap=True, highlight=False, markup=False)

    def close(self) -> None:
        """Nothing to do."""


class LiveScreen:
    """A table that is redrawn in place, at the size that the terminal has at the moment."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`, a terminal."""
        self._console = console
        self._plain = PlainScreen(console)
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Print above the table while there is one."""
        self._plain.say(text)

    def told(self, who: str, what: str) -> None:
        """The table shows it with the next update."""

    def update(self, view: View, changed: Sequence[Delivery]) -> None:
        """Redraw the table."""
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        width, height = self._console.size
        self._live.update(render(view, width, height), refresh=True)

    def close(self) -> None:
        """Stop redrawing."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def save_picture(view: View, path: Path) -> None:
    """Write the table as an SVG file that refers to nothing outside itself. Raises OSError.

    `docs/images/demo.svg` is made by `chathooks demo --once --picture docs/images/demo.svg`.
    """
    # A private name of rich: only the picture, and not the demo, may depend on it.
    from rich._export_format import CONSOLE_SVG_FORMAT

    console = Console(
        record=True,
        file=io.StringIO(),
        width=PICTURE_COLUMNS,
        height=PICTURE_LINES,
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(render(view, PICTURE_COLUMNS, PICTURE_LINES))
    template = _FOREIGN.sub("", CONSOLE_SVG_FORMAT)
    picture = console.export_svg(title="make demo", code_format=template, unique_id="demo")
    path.write_text(picture, "utf-8")
