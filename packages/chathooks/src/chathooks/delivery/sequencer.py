"""The sequencer: fan-out for a cluster, by one process at a time.

It does what an engine that is alone does at the head of its cycle: applies webhook changes and makes deliveries with
their numbers, in feed order. Engines find what it made by the positions that it leaves at their lanes (`following`).

Its place in the feed and all numbers are in the store and change in the transaction of the step, on the session whose
seat holds LEAD. A sequencer that was stopped for long finds its session dead and what it had begun undone; its
successor goes on from the last step that was committed.
"""

import asyncio
from collections.abc import Callable

import structlog

from chathooks.delivery.fanout import Fanout, Step
from chathooks.delivery.health import Health
from chathooks.delivery.queue import DeliveryTransaction
from chathooks.delivery.tally import tally
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import SeatLost, StoreUnavailable
from chathooks.kernel.transactions import Store, Topic

STORE_RETRY_MS = 500
"""Pause after a step that the store could not keep."""

log = structlog.get_logger("delivery")


class Sequencer:
    """Fans out the feed for all engines. `await start()`, later `await stop()`."""

    def __init__(
        self,
        store: Store[DeliveryTransaction],
        clock: Clock,
        health: Health,
        *,
        backlog_max: int,
    ) -> None:
        """
        Args:
            store: the session whose seat holds LEAD.
            clock: times what is tried again.
            health: told of what expired at once.
            backlog_max: deliveries that may wait per webhook.
        """
        self._store = store
        self._clock = clock
        self._health = health
        self._fanout = Fanout(backlog_max=backlog_max, alone=False)
        self._position = 0
        self._bell = asyncio.Event()
        self._quiet = asyncio.Event()
        self._pause_over = asyncio.Event()
        self._pause_over.set()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def position(self) -> int:
        """Feed position of the last entry fanned out."""
        return self._position

    async def start(self) -> None:
        """Load what the last sequencer left, begin to fan out."""
        self._unsubscribe = self._store.subscribe(Topic.FEED, self._on_feed)
        try:
            await self._store.write(self._load)
        except BaseException:
            self._unsubscribe()
            raise
        self._bell.set()
        self._task = asyncio.create_task(self._run(), name="sequencer")

    async def _load(self, tx: DeliveryTransaction) -> None:
        self._position = await tx.fanout_position()
        subscriptions = self._fanout.subscriptions
        subscriptions.load(await tx.load_lanes(None))
        for lane, backlog in await tx.backlogs():
            subscriptions.lanes[lane].backlog = backlog

    async def stop(self) -> None:
        """Finish the step under way."""
        self._stopping = True
        self._bell.set()
        self._pause_over.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def ended(self) -> None:
        """Wait until it has ended; raises what ended it other than a stop."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def quiet(self) -> None:
        """Wait until the whole feed is fanned out."""
        await self._quiet.wait()

    def _on_feed(self, _key: int) -> None:
        self._quiet.clear()
        self._bell.set()

    async def _run(self) -> None:
        while not self._stopping:
            if not self._bell.is_set():
                self._quiet.set()
            await self._bell.wait()
            self._quiet.clear()
            self._bell.clear()
            more = True
            while more and not self._stopping:
                more = await self._step()

    async def _step(self) -> bool:
        """Take one step; whether there may be another at once."""
        try:
            step = await self._store.write(self._transact, patient=True)
        except SeatLost:
            raise
        except Exception as error:
            if isinstance(error, StoreUnavailable):
                log.warning("the store cannot record; fan-out pauses", reason=error.message)
            else:
                log.error("a step of fan-out failed; it pauses", exc_info=error)
            await self._pause()
            return True
        if step is None:
            return False
        self._apply(step)
        return step.more

    async def _pause(self) -> None:
        self._pause_over.clear()
        timer = self._clock.call_at(self._clock.steady_ms() + STORE_RETRY_MS, self._pause_over.set)
        try:
            await self._pause_over.wait()
        finally:
            timer.cancel()

    async def _transact(self, tx: DeliveryTransaction) -> Step | None:
        step = await self._fanout.step(tx, self._position)
        if step is not None:
            tx.notify(Topic.LANES)
        return step

    def _apply(self, step: Step) -> None:
        step.apply(self._fanout.subscriptions)
        self._position = step.position
        tally(step, self._health)
