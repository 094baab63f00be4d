"""What the viewer sees: a table of the newest deliveries below totals, or one plain line per change. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chathooks.demo.client import Attempt, Delivery

WIDE_COLUMNS_MIN = 112
"""Columns from which on the table has room for the exact time and the last answer."""
ROOMY_COLUMNS_MIN = 120
"""Columns from which on there are wider gaps."""
STORY_LINES_MAX = 3
ROWS_MIN = 3

_MS_PER_S = 1000
_STATE_STYLES = {
    "pending": "cyan",
    "in_flight": "cyan",
    "retrying": "bold yellow",
    "delivered": "green",
    "failed": "bold red",
    "expired": "red",
    "cancelled": "red",
}
_WAITING = ("pending", "in_flight")
_LOST = ("failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the demo."""

    url: str
    deliveries: Sequence[Delivery]
    now_ms: int
    """Unix ms."""
    told: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Who did what in the conversation so far."""
    playing: bool = False
    """The conversation goes on."""
    done: bool = False
    """Every expected delivery has ended."""


def _clock(at_ms: int, form: str) -> str:
    return datetime.fromtimestamp(at_ms / _MS_PER_S).strftime(form)


def _answer(attempt: Attempt) -> str:
    return str(attempt.status) if attempt.status is not None else (attempt.failure or "no answer")


def attempts_text(delivery: Delivery, arrow: str = " → ") -> Text:
    """The answers to all attempts, such as 503 → 503 → 200."""
    text = Text()
    for attempt in delivery.attempts:
        if text:
            text.append(arrow, "dim")
        good = attempt.status is not None and 200 <= attempt.status < 300
        text.append(_answer(attempt), "green" if good else "red")
    return text


def _duration(delivery: Delivery) -> str:
    if not delivery.attempts:
        return ""
    last_ms = delivery.attempts[-1].duration_ms
    return f"{last_ms:.1f} ms" if last_ms < 10 else f"{last_ms:.0f} ms"


def _last_answer(delivery: Delivery) -> Text:
    if not delivery.attempts:
        return Text("waits for its turn", "dim")
    last = delivery.attempts[-1]
    text = " ".join(last.body.split()) or last.explanation
    return Text(text, "dim" if delivery.state == "delivered" else "red")


def totals(deliveries: Sequence[Delivery]) -> Text:
    """Counts of events and of deliveries by state."""
    states = Counter(delivery.state for delivery in deliveries)
    events = len({delivery.event_id for delivery in deliveries})
    waiting = sum(states[name] for name in _WAITING)
    lost = sum(states[name] for name in _LOST)
    text = Text.assemble(
        (f"{events}", "bold"),
        " events  ",
        (f"{len(deliveries)}", "bold"),
        " deliveries  ",
        (f"{states['delivered']}", "bold green"),
        " delivered  ",
        (f"{states['retrying']}", "bold yellow" if states["retrying"] else "dim"),
        " retrying  ",
        (f"{lost}", "bold red" if lost else "dim"),
        " failed",
    )
    if waiting:
        text.append(f"  {waiting} under way", "cyan")
    return text


def hint(view: View) -> Text:
    """What happens next."""
    due = [
        (delivery.next_attempt_at, delivery)
        for delivery in view.deliveries
        if delivery.state == "retrying" and delivery.next_attempt_at is not None
    ]
    if due:
        at_ms, delivery = min(due, key=lambda item: item[0])
        left_s = max(0.0, (at_ms - view.now_ms) / _MS_PER_S)
        return Text.assemble(
            ("next retry in ", "yellow"),
            (f"{left_s:.1f} s", "bold yellow"),
            (
                f": {delivery.webhook} #{delivery.number}, attempt {len(delivery.attempts) + 1}",
                "yellow",
            ),
        )
    if view.playing:
        return Text("the conversation goes on …", "dim")
    if view.done:
        return Text("the conversation has ended and every delivery too", "green")
    return Text("waiting for the last deliveries …", "dim")


def _story(view: View, lines: int) -> list[Text]:
    told = list(view.told[-lines:])
    texts = [Text.assemble((who, "bold magenta"), " ", what) for who, what in told]
    for text in texts:
        text.no_wrap, text.overflow = True, "ellipsis"
    return texts + [Text()] * (lines - len(texts))


def _table(width: int) -> Table:
    wide = width >= WIDE_COLUMNS_MIN
    gap = 1 if width >= ROOMY_COLUMNS_MIN else 0
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, expand=True, show_edge=False
    )
    table.add_column("time", style="dim", no_wrap=True)
    table.add_column("trigger", no_wrap=True, min_width=26)
    table.add_column("webhook", no_wrap=True, style="blue", min_width=14)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=9)
    table.add_column("attempts", no_wrap=True, min_width=15 if wide else 11)
    table.add_column("took", justify="right", no_wrap=True, style="dim")
    if wide:
        table.add_column("last answer", no_wrap=True, overflow="ellipsis", ratio=1)
    return table


def render(view: View, width: int, height: int) -> RenderableType:
    """The picture of one moment for a terminal of `width` columns and `height` lines."""
    wide = width >= WIDE_COLUMNS_MIN
    story_lines = STORY_LINES_MAX if height >= 30 else 1
    # Title, totals and hint, the table's head with its line, two empty lines, the cursor's line and one above.
    rows = max(ROWS_MIN, height - story_lines - 9)
    table = _table(width)
    newest = sorted(
        view.deliveries,
        key=lambda item: (item.state == "retrying", item.changed_at, item.number),
        reverse=True,
    )
    for delivery in newest[:rows]:
        style = _STATE_STYLES.get(delivery.state, "")
        cells: list[str | Text] = [
            _clock(delivery.changed_at, "%H:%M:%S" if wide else "%M:%S"),
            delivery.trigger,
            delivery.webhook,
            str(delivery.number),
            Text(delivery.state.replace("_", " "), style),
            attempts_text(delivery, " → " if wide else "→"),
            _duration(delivery) if wide else _duration(delivery).replace(" ", ""),
        ]
        table.add_row(*cells, *([_last_answer(delivery)] if wide else []))
    title = Text.assemble(
        ("Chathooks demo", "bold"), "  ", (view.url, "cyan"), ("  docs at /docs", "dim")
    )
    return Group(
        title,
        totals(view.deliveries),
        *_story(view, story_lines),
        Text(),
        table,
        Text(),
        hint(view),
    )


def line(delivery: Delivery) -> str:
    """One delivery as a plain line."""
    attempts = attempts_text(delivery).plain
    called = f"{delivery.trigger:<26} {delivery.webhook} #{delivery.number}"
    return (
        f"{_clock(delivery.changed_at, '%H:%M:%S')} {called:<45} {delivery.state:<9} {attempts}"
    ).rstrip()
