"""Live tails by polling: the delivery log of webhooks, and the feed of events.

A tail outlives the server: once it has begun, it waits for a server that went away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from chathooks.cli.failures import EXIT_UNREACHABLE, CommandFailed
from chathooks.cli.fields import Request
from chathooks.cli.rest import Answer, decode
from chathooks.cli.tables import value_at

POLL_PAGE_ITEMS = 100
POLL_PAGES_MAX = 20
"""Pages of a log read back in one poll; what is further back is left out, and that is said."""
EVENTS_PAGE_ITEMS = 1000
LAST_MAX = POLL_PAGE_ITEMS

ENDED_STATES = ("delivered", "failed", "expired", "cancelled")
_PASSING = frozenset({"ERR_STORE_UNAVAILABLE", "ERR_TOO_MANY_REQUESTS", "ERR_TOO_MANY_CONNECTIONS"})

Send = Callable[[Request], Answer]


class Seen(msgspec.Struct):
    """What a tail reads of a delivery."""

    id: str
    number: int = 0
    state: str = ""
    attempts: Sequence[msgspec.Raw] = ()

    @property
    def progress(self) -> tuple[str, int]:
        """What changes while it is being delivered."""
        return self.state, len(self.attempts)


class _Placed(msgspec.Struct):
    cursor: str


@dataclass(slots=True)
class LogTail:
    """What has been read of one webhook's log."""

    webhook: str
    left_out: bool = False
    """Whether the last poll did not reach all that is new."""
    _begun: bool = False
    _highest: int = 0
    _floor: int = 0
    """The lowest number that must be read again: of what has not ended, else the highest."""
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)

    def poll(self, send: Send, last: int) -> list[msgspec.Raw]:
        """Deliveries that are new or have changed, oldest first; at first the `last` ones.

        Raises CommandFailed.
        """
        found = self._read(send)
        if self._begun:
            news = [item for seen, item in found if self._is_news(seen)]
        else:
            news = [item for _, item in found[:last]]
        self._begun = True
        self._known = {seen.id: seen.progress for seen, _ in found}
        numbers = [seen.number for seen, _ in found if seen.state not in ENDED_STATES]
        self._highest = max([self._highest, *(seen.number for seen, _ in found)])
        self._floor = min([self._highest, *numbers])
        return news[::-1]

    def _read(self, send: Send) -> list[tuple[Seen, msgspec.Raw]]:
        found: list[tuple[Seen, msgspec.Raw]] = []
        path = f"/webhooks/{quote(self.webhook, safe='')}/deliveries"
        query: dict[str, Any] = {"limit": POLL_PAGE_ITEMS}
        self.left_out = False
        for _ in range(POLL_PAGES_MAX):
            answer = send(Request("GET", path, query))
            page: list[tuple[Seen, msgspec.Raw]] = [
                (decode(item, Seen), item) for item in answer.items()
            ]
            found += page
            cursor = value_at(answer.meta, "next.cursor")
            reached = bool(page) and page[-1][0].number <= self._floor
            if not cursor or reached or not self._begun:
                return found
            query = {**query, "cursor": cursor}
        self.left_out = True
        return found

    def _is_news(self, seen: Seen) -> bool:
        if seen.id in self._known:
            return self._known[seen.id] != seen.progress
        return seen.number > self._highest


@dataclass(slots=True)
class EventTail:
    """How far the feed of events has been read."""

    after: str = ""
    triggers: Sequence[str] = ()

    def poll(self, send: Send) -> tuple[list[msgspec.Raw], bool]:
        """The next events and whether there are more at once. Raises CommandFailed."""
        query: dict[str, Any] = {"limit": EVENTS_PAGE_ITEMS}
        if self.after:
            query["after"] = self.after
        if self.triggers:
            query["triggers"] = list(self.triggers)
        answer = send(Request("GET", "/events", query))
        events = answer.items()
        following = value_at(answer.meta, "next.cursor")
        before = self.after
        if following:
            self.after = str(following)
        elif events:
            self.after = decode(events[-1], _Placed).cursor
        return events, bool(following) and self.after != before

    def skip(self, send: Send) -> None:
        """Go to the end of the feed, whatever the triggers there. Raises CommandFailed."""
        whole = EventTail(self.after)
        while whole.poll(send)[1]:
            pass
        self.after = whole.after


def passes(error: CommandFailed) -> bool:
    """Whether waiting may help: nothing answers, or the server says that it cannot now."""
    return error.exit_code == EXIT_UNREACHABLE or error.code in _PASSING


def follow(
    poll: Callable[[], None],
    *,
    wait: Callable[[], None],
    remark: Callable[[str], None],
) -> None:
    """Poll until Ctrl-C; says once when the server went away and once when it is back.

    Args:
        poll: one round; its first failure ends the following, later ones only where waiting cannot help.
        wait: until the next round.
        remark: says something to the person.

    Raises:
        CommandFailed: as `poll` does.
    """
    begun = False
    away = False
    try:
        while True:
            try:
                poll()
            except CommandFailed as error:
                if not begun or not passes(error):
                    raise
                if not away:
                    remark(f"{error.message} Waiting for it; Ctrl-C ends.")
                away = True
            else:
                if away:
                    remark("The server is back.")
                begun, away = True, False
            wait()
    except KeyboardInterrupt:
        return
