"""The bell: carries news of commits between the nodes of a cluster, and has everything looked at where it may have failed.

News are no truth, only a reason to look at the database sooner. So nothing waits for NATS and nothing is kept for it:
what is lost on the way is found by a sweep, at the latest after SWEEP_EVERY_S (docs/adr/0009).
"""

import asyncio
import random
from pathlib import Path
from typing import Self

import nats.errors
import structlog
from nats.aio.msg import Msg

from chathooks.adapters.nats import addresses, stream
from chathooks.adapters.nats.line import CLOSE_S_MAX, FAULTS, Line
from chathooks.adapters.nats.messages import Gathered, UnreadableNews, decode
from chathooks.kernel.clock import Clock, Timer
from chathooks.kernel.news import News
from chathooks.kernel.telemetry import BELL_PUBLISHED, BELL_RECEIVED, BELL_RECONNECTS, BELL_SWEPT
from chathooks.kernel.transactions import Topic

SWEEP_EVERY_S = 10
"""Whatever was missed is looked at within this time."""
SWEEP_AFTER_MS = (7_000, 9_000)
"""Bounds of the time between two sweeps, so that nodes do not sweep in step."""
START_S_MAX = 10.0
"""How long a start waits for a NATS that is not there yet."""
AGAIN_S_MIN = 0.1
AGAIN_S_MAX = 2.0
UNREADABLE_SWEEP_MS = 1_000
ORIGIN_BITS = 64

log = structlog.get_logger("bell")


class NatsBell:
    """Of one node; made by `open`."""

    def __init__(
        self, where: addresses.Addresses, store_name: str, news: News, *,
        node: str, clock: Clock, randomness: random.Random,
    ) -> None:  # fmt: skip
        self._where = where
        self._stream = stream.stream_name(store_name)
        self._news = news
        self._node = node
        self._clock = clock
        self._randomness = randomness
        # A node that starts again counts from 1 again, and the stream would take its news for duplicates.
        self._origin = f"{node}-{randomness.getrandbits(ORIGIN_BITS):016x}"
        self._counter = 0
        self._gathered = Gathered()
        self._wake = asyncio.Event()
        self._found: stream.Found | None = None
        self._last = 0
        self._warned = False
        self._unreadable_at_ms: int | None = None
        self._closed = False
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._line: Line | None = None

    @classmethod
    async def open(
        cls, url: str, store_name: str, news: News, *,
        node: str, clock: Clock, randomness: random.Random, ca_file: Path | None = None,
    ) -> Self:  # fmt: skip
        """Connect, and be the relay of `news` until closed.

        Args:
            url: see `addresses.read`.
            store_name: what identifies the database, the same on all nodes; clusters that share a NATS differ in it.
            news: gets what other nodes notify; its relay is set.
            node: for people; need not be unique.
            clock: its timers sweep.
            randomness: spreads sweeps and reconnects.
            ca_file: PEM certificates to trust instead of the system's; TLS is asked for.

        Raises:
            StartRefused: `ERR_NATS`, NATS refuses, or has no JetStream. One that cannot be reached within START_S_MAX is
                no reason not to start: nothing that is owed is in it.
        """
        where = addresses.read(url, ca_file)
        bell = cls(where, store_name, news, node=node, clock=clock, randomness=randomness)
        bell._line = await bell._first_line()
        if bell._line is None:
            log.warning(
                "NATS cannot be reached; news come by looking until it can", nats=str(where)
            )
        bell._task = asyncio.create_task(bell._run(bell._line), name="bell")
        news.relay = bell.publish
        bell._arm()
        return bell

    async def close(self) -> None:
        """Send what is gathered, end the consumer and the connection; news stay in this process from now on."""
        self._closed = True
        if self._news.relay == self.publish:
            self._news.relay = None
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._line is not None:
            # Not in the task: one that is cancelled before it began does nothing at all.
            await self._leave(self._line)

    def publish(self, topic: Topic, key: int) -> None:
        """Tell the other nodes, soon: what comes in one turn of the loop goes as one message. Never raises."""
        if self._closed:
            return
        self._gathered.add(topic, key)
        self._wake.set()

    async def _open_line(self) -> Line:
        return await Line.open(
            self._where, self._stream, f"chathooks {self._node}", self._start, self._hear
        )

    async def _first_line(self) -> Line | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_S_MAX
        while True:
            try:
                return await self._open_line()
            except FAULTS as error:
                # What the server said no to, it will say no to again.
                there = isinstance(error, (nats.errors.Error, stream.JetStreamRefused))
                away = isinstance(error, (nats.errors.NoServersError, nats.errors.TimeoutError))
                if there and not away:
                    raise stream.refusal(error, str(self._where)) from None
                if loop.time() + AGAIN_S_MAX > deadline:
                    return None
            await asyncio.sleep(AGAIN_S_MIN)

    def _start(self, found: stream.Found) -> int:
        """The sequence to go on from: after the last seen, where the stream still is the one it was."""
        before, self._found = self._found, found
        if before is None or before.created != found.created or found.last < self._last:
            self._last = found.last
        return self._last + 1

    async def _run(self, line: Line | None) -> None:
        while True:
            if line is not None:
                await self._serve(line)
            self._line = line = await self._next_line()
            BELL_RECONNECTS.inc()
            log.info("the bell is back", nats=str(self._where))
            # What was sent when the line went may be lost: the others look at everything too.
            self._gathered.add_everything()
            self._wake.set()
            self._sweep("reconnected")

    async def _serve(self, line: Line) -> None:
        """Send on a line until it is lost."""
        sender = asyncio.create_task(self._send(line), name="bell sender")
        try:
            why = await line.until_lost()
        finally:
            sender.cancel()
            await asyncio.wait([sender])
        log.warning("the bell is lost; sweeps go on", nats=str(self._where), why=why)
        await line.close()

    async def _leave(self, line: Line) -> None:
        try:
            if self._gathered and not line.lost.is_set():
                async with asyncio.timeout(CLOSE_S_MAX):
                    await self._send_gathered(line)
        except FAULTS as error:
            log.debug("the last news were not sent", error=type(error).__name__)
        await line.close()

    async def _next_line(self) -> Line:
        wait_s = AGAIN_S_MIN
        while True:
            await asyncio.sleep(wait_s * self._randomness.uniform(0.5, 1.0))
            try:
                return await self._open_line()
            except FAULTS as error:
                log.debug("no bell yet", error=type(error).__name__)
                # No news come or go: what one node makes of another's work would wait for a timer at each of the two.
                self._sweep("away")
            wait_s = min(AGAIN_S_MAX, wait_s * 2)

    async def _send(self, line: Line) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._send_gathered(line)
        except FAULTS as error:
            log.debug("news were not sent", error=type(error).__name__)
            line.lost.set()

    async def _send_gathered(self, line: Line) -> None:
        self._counter += 1
        await line.publish(self._gathered.take(), f"{self._origin}:{self._counter}")
        BELL_PUBLISHED.inc()

    def _hear(self, message: Msg) -> None:
        headers = message.headers or {}
        if not message.reply:
            # A heartbeat, or another word of the server: where the consumer is.
            last = headers.get("Nats-Last-Stream", "")
            if last.isdecimal():
                self._arrived(int(last), new=False)
            return
        try:
            self._arrived(message.metadata.sequence.stream, new=True)
        except (nats.errors.Error, ValueError, IndexError):
            self._unreadable("a message that is not of the stream")
            return
        if headers.get("Nats-Msg-Id", "").startswith(f"{self._origin}:"):
            return
        BELL_RECEIVED.inc()
        try:
            for topic, key in decode(message.data):
                self._news.ring(topic, key)
        except UnreadableNews as error:
            self._unreadable(str(error))

    def _arrived(self, sequence: int, *, new: bool) -> None:
        expected = self._last + 1 if new else self._last
        if sequence > expected:
            log.info("the stream dropped news", missing=sequence - expected)
            self._sweep("gap")
        self._last = max(self._last, sequence)

    def _unreadable(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            log.warning("the bell got what it cannot read; further ones are not told", what=what)
        now_ms = self._clock.steady_ms()
        if self._unreadable_at_ms is None or now_ms - self._unreadable_at_ms >= UNREADABLE_SWEEP_MS:
            self._unreadable_at_ms = now_ms
            self._sweep("unreadable")

    def _arm(self) -> None:
        after_ms = self._randomness.randint(*SWEEP_AFTER_MS)
        self._timer = self._clock.call_at(self._clock.steady_ms() + after_ms, self._on_timer)

    def _on_timer(self) -> None:
        self._arm()
        self._sweep("timer")

    def _sweep(self, why: str) -> None:
        BELL_SWEPT.labels(why).inc()
        self._news.ring_everything()
