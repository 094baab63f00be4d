"""A spool on local disk before any sink: events are accepted while the sink is down, and follow when it is back.

`put` returns when the event is on disk (SQLite, `synchronous=FULL`). A task drains the spool into the sink: events of one
stream strictly in the order they came, different streams side by side; an event leaves the spool after the sink has
it, so a crash in between makes a second copy and loses none. While the sink refuses, one event is tried with back-off
and the rest wait.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from chathooks_receiver.database import Database, DatabaseUnavailable, named_statements
from chathooks_receiver.intake import Arrival, arrival_of
from chathooks_receiver.sinks import Sink, SinkUnavailable, told

EVENTS_MAX = 1_000_000
"""How many events may wait; more are refused with 503, so that the disk does not fill."""
WINDOW_EVENTS = 512
"""How many waiting events are looked at at once."""
CONCURRENCY_MAX = 64
PUT_TIMEOUT_S = 10.0
BACK_OFF_FIRST_S = 0.2
BACK_OFF_MAX_S = 30.0
CLOSE_TIMEOUT_S = 3.0

_SQL = named_statements(Path(__file__).with_name("spool.sql"))

log = logging.getLogger(__name__)


class SpoolSink:
    """The spool in the file `path`, before `sink`; one process a file."""

    def __init__(
        self,
        sink: Sink,
        path: Path | str,
        *,
        events_max: int = EVENTS_MAX,
        back_off_first_s: float = BACK_OFF_FIRST_S,
        back_off_max_s: float = BACK_OFF_MAX_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Keep the sink. The back-off doubles from `back_off_first_s` to `back_off_max_s` seconds."""
        self._sink = sink
        self._database = Database(Path(path), _SQL["schema"], synchronous="FULL")
        self._events_max = events_max
        self._back_off_first_s = back_off_first_s
        self._back_off_max_s = back_off_max_s
        self._now_s = now_s
        self._depth = 0
        self._sink_is_open = False
        self._work = asyncio.Event()
        self._drained = asyncio.Event()
        self._drainer: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """How many events wait in the spool."""
        return self._depth

    def oldest_age_s(self) -> float:
        """For how many seconds the oldest event waits; 0 for an empty spool. Raises `DatabaseUnavailable`."""
        ((oldest_ms,),) = self._database.read(_SQL["oldest"])
        return 0.0 if oldest_ms is None else max(0.0, self._now_s() - oldest_ms / 1000)

    async def open(self) -> None:
        """Open the spool and begin to drain; the sink may be down. Raises `SinkUnavailable` for the spool alone."""
        try:
            await self._database.open()
            ((self._depth,),) = self._database.read(_SQL["count"])
        except DatabaseUnavailable as error:
            raise SinkUnavailable(str(error)) from None
        if self._depth:
            self._work.set()
        else:
            self._drained.set()
        self._drainer = asyncio.get_running_loop().create_task(self._drain())

    async def put(self, arrival: Arrival) -> bool:
        """Write the event to the spool. False if it waits there already. Raises `SinkUnavailable`."""
        if self._depth >= self._events_max:
            raise SinkUnavailable(f"The spool is full: {self._events_max} events wait.")
        headers = msgspec.json.encode(arrival.headers)
        row = (arrival.digest, arrival.stream, arrival.received_at_ms, headers, arrival.body)
        try:
            new = await self._database.write(_SQL["insert"], row) == 1
        except DatabaseUnavailable as error:
            raise SinkUnavailable(str(error)) from None
        if new:
            self._depth += 1
            self._drained.clear()
            self._work.set()
        return new

    async def drained(self) -> None:
        """Return once the spool is empty."""
        await self._drained.wait()

    async def close(self) -> None:
        """Stop draining (what is under way has three seconds), close the sink and the spool. The rest stays on disk."""
        if self._drainer is not None:
            self._drainer.cancel()
            await asyncio.wait({self._drainer}, timeout=CLOSE_TIMEOUT_S)
            self._drainer = None
        if self._sink_is_open:
            self._sink_is_open = False
            await self._sink.close()
        await self._database.close()

    async def _drain(self) -> None:
        back_off_s = self._back_off_first_s
        while True:
            await self._work.wait()
            try:
                if not self._sink_is_open:
                    await self._sink.open()
                    self._sink_is_open = True
                await self._pass()
                back_off_s = self._back_off_first_s
            except Exception as error:
                log.warning("The spool waits %.1f s for its sink: %s", back_off_s, told(error))
                await asyncio.sleep(back_off_s)
                back_off_s = min(back_off_s * 2, self._back_off_max_s)

    async def _pass(self) -> None:
        """Hand over what waits, until nothing does. Raises what the sink raises, with all workers ended."""
        while True:
            rows = self._database.read(_SQL["after"], (0, WINDOW_EVENTS))
            if not rows:
                self._work.clear()
                self._drained.set()
                return
            lanes: dict[str, deque[tuple[int, Arrival]]] = {}
            for number, received_at_ms, headers, body in rows:
                arrival = arrival_of(body, msgspec.json.decode(headers), received_at_ms)
                lanes.setdefault(arrival.stream, deque()).append((number, arrival))
            # The first event alone: while the sink refuses, it is not stormed with all that waits.
            first = next(iter(lanes.values()))
            await self._hand_over(*first.popleft())
            gate = asyncio.Semaphore(CONCURRENCY_MAX)
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._run_lane(lane, gate))

    async def _run_lane(self, lane: deque[tuple[int, Arrival]], gate: asyncio.Semaphore) -> None:
        async with gate:
            while lane:
                await self._hand_over(*lane.popleft())

    async def _hand_over(self, number: int, arrival: Arrival) -> None:
        async with asyncio.timeout(PUT_TIMEOUT_S):
            await self._sink.put(arrival)
        await self._database.write(_SQL["delete"], (number,))
        self._depth -= 1
