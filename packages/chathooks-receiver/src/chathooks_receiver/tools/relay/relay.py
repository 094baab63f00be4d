"""The relay: reads the feed, keeps what it reads, forwards it in order, again and again until it is acknowledged.

    server ──/v3/events──▶ reader ──one transaction──▶ spool ──▶ forwarder ──POST──▶ target

The two halves know nothing of each other but the file between them. While the laptop sleeps, the server is away or
the target is down, nothing is lost: the server keeps its events for days, and the file keeps what was read.

* No answer of the target (down, restarting): everything waits, in order, and is tried again with growing pauses.
* An answer that is no 2xx: this event is tried again after 10 s and 30 s, as a platform does; others go on. After
  the last attempt it is kept as failed, to be sent again with `--again`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from chathooks_receiver.testing import SignedRequest
from chathooks_receiver.tools.failures import EXIT_UNREACHABLE, ToolFailed
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.pacing import stopped_within
from chathooks_receiver.tools.relay.feed import Page
from chathooks_receiver.tools.relay.spool import CURSOR, Spool, Waiting
from chathooks_receiver.tools.sender import Result

FORWARD_BATCH = 50
POLL_S = 1.0
RETRY_SCHEDULE_S = (10.0, 30.0)
"""After an answer that is no acknowledgement (delivery contract §2)."""
DOWN_PAUSES_S = (0.5, 1.0, 2.0, 5.0)
"""While nothing answers; the last one repeats."""
PASSING_CODES = frozenset({"ERR_STORE_UNAVAILABLE", "ERR_TOO_MANY_REQUESTS"})
MS_PER_S = 1_000

Fate: TypeAlias = Literal["forwarded", "retrying", "failed", "waiting"]


class Target(Protocol):
    """Where events go."""

    async def deliver(self, request: SignedRequest) -> Result:
        """One attempt; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long to wait, in seconds."""

    poll_s: float = POLL_S
    retries_s: Sequence[float] = RETRY_SCHEDULE_S
    down_s: Sequence[float] = DOWN_PAUSES_S


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told what happens."""

    attempt: Callable[[Waiting, Result, Fate], None]
    server: Callable[[ToolFailed | None], None]
    """The server cannot be reached, or (None) can again."""


class Relay:
    """Runs until it is stopped; can be started again at any time, on the same spool."""

    def __init__(
        self,
        spool: Spool,
        read: Callable[[str], Page],
        target: Target,
        identity: Identity,
        watch: Watch,
        *,
        pace: Pace | None = None,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """`read` gets the page behind a cursor, in a thread; what it raises as ToolFailed is waited out where that helps."""
        self._spool = spool
        self._read = read
        self._target = target
        self._identity = identity
        self._watch = watch
        self._pace = pace or Pace()
        self._wall_s = wall_s
        self._arrived = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Read and forward until `stop`. Raises ToolFailed where the server refuses for good, or the disk is full."""
        over = asyncio.Event()
        working = [
            asyncio.create_task(self._reads(over)),
            asyncio.create_task(self._forwards(over)),
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((*working, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Both halves end their attempt or page, and then themselves; a failure of either is raised.
            over.set()
            self._arrived.set()
            stopping.cancel()
            ended = await asyncio.gather(*working, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _reads(self, over: asyncio.Event) -> None:
        away = False
        pauses = 0
        while not over.is_set():
            after = self._spool.read(CURSOR) or ""
            try:
                page = await asyncio.to_thread(self._read, after)
            except ToolFailed as error:
                if error.exit_code != EXIT_UNREACHABLE and error.code not in PASSING_CODES:
                    raise
                if not away:
                    self._watch.server(error)
                away = True
                pause_s = self._pace.down_s[min(pauses, len(self._pace.down_s) - 1)]
                pauses += 1
                await stopped_within(over, pause_s)
                continue
            if away:
                self._watch.server(None)
            away, pauses = False, 0
            self._keep(page, after)
            if not page.more:
                await stopped_within(over, self._pace.poll_s)

    def _keep(self, page: Page, after: str) -> None:
        if page.cursor != after:
            self._spool.keep(
                [(event.event_id, event.trigger, bytes(event.data)) for event in page.events],
                page.cursor,
            )
            self._arrived.set()

    async def _forwards(self, over: asyncio.Event) -> None:
        pauses = 0
        while not over.is_set():
            self._arrived.clear()
            due = self._spool.due(int(self._wall_s() * MS_PER_S), FORWARD_BATCH)
            for event in due:
                if over.is_set():
                    return
                if await self._forward(event):
                    pauses = 0
                    continue
                pause_s = self._pace.down_s[min(pauses, len(self._pace.down_s) - 1)]
                pauses += 1
                await stopped_within(over, pause_s)
                break
            if not due:
                await self._rest(over)

    async def _rest(self, over: asyncio.Event) -> None:
        """Until something has arrived, or the next retry is due."""
        next_ms = self._spool.next_due_ms()
        wait_s = None if next_ms is None else max(0.0, next_ms / MS_PER_S - self._wall_s())
        if over.is_set():
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        except TimeoutError:
            return

    async def _forward(self, event: Waiting) -> bool:
        """Whether the target answered at all."""
        attempt = event.attempts + 1
        request = self._identity.request(
            event.trigger,
            event.data,
            event_id=event.event_id,
            now_s=self._wall_s(),
            attempt=attempt,
            number=event.number,
        )
        result = await self._target.deliver(request)
        if result.acknowledged:
            self._spool.forwarded(event.number)
            self._watch.attempt(event, result, "forwarded")
            return True
        if result.status is None and result.failure != "timeout_response":
            self._watch.attempt(event, result, "waiting")
            return False
        retries = self._pace.retries_s
        over = attempt > len(retries)
        pause_s = 0.0 if over else retries[attempt - 1]
        self._spool.refused(
            event.number,
            attempts=attempt,
            due_at_ms=int((self._wall_s() + pause_s) * MS_PER_S),
            failed=over,
        )
        self._watch.attempt(event, result, "failed" if over else "retrying")
        return True
