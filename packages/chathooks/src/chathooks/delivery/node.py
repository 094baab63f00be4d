"""A node of a cluster: has a seat, delivers for the shares it has, and fans out and keeps the schedules if it leads.

    open a seat --look every second--> take, give, depose --> engines for the lane shares, a sequencer for LEAD
         ^                                                        |
         +------------- seat lost: forget everything <------------+

A look shows that this node is well (its beat) and answers who else is. What follows from it is decided by `shares`.
Each time shares are taken an engine begins for them; to give some back, the engine that has them ends in order and
another begins for the rest. So whoever joins or leaves disturbs only what changes hands.

The seat is the session's (docs/adr/0008): as long as the session lives nobody takes what the node has. A node that was
stopped for long, or cut off, finds its session ended: it forgets its engines at once, nothing of them is recorded any
more, and begins anew with another seat. What it had in flight is made again by whoever has the shares now; those are
the duplicates that the contract allows (delivery contract §3.2).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from chathooks.delivery.engine import Engine
from chathooks.delivery.health import Health
from chathooks.delivery.membership import MembershipTransaction, Roster
from chathooks.delivery.queue import DeliveryTransaction
from chathooks.delivery.sequencer import Sequencer
from chathooks.delivery.shares import CERTAIN_MS, LEAD, Watch, plan
from chathooks.kernel import telemetry
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import SeatLost, StartRefused, StoreUnavailable
from chathooks.kernel.transactions import Store

LOOK_EVERY_MS = 1_000
OPEN_AGAIN_MS = 1_000
"""Pause after a seat could not be had."""

log = structlog.get_logger("node")


class NodeTransaction(DeliveryTransaction, MembershipTransaction, Protocol):
    """What a node asks of a transaction on its seat."""


class LaneStore(Store[NodeTransaction], Protocol):
    """The writing session whose seat has the shares."""

    async def close(self) -> None:
        """Give back the seat and all that it has."""


class Scheduled(Protocol):
    """Work that one node of the cluster does for all."""

    def start(self) -> None: ...
    async def stop(self) -> None:
        """End what is under way, or undo it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How a node gets what it runs."""

    open_lanes: Callable[[], Awaitable[LaneStore]]
    """Raises StartRefused or StoreUnavailable."""
    make_engine: Callable[[LaneStore, Sequence[int], Callable[[], bool]], Engine]
    """Of a session, shares, and whether these are surely the session's still."""
    make_sequencer: Callable[[LaneStore], Sequencer]
    schedules: Scheduled


class Node:
    """A node. `await start()`, later `await stop()`."""

    def __init__(self, parts: Parts, clock: Clock, health: Health) -> None:
        """
        Args:
            parts: what the node runs.
            clock: times its looks.
            health: what its engines note of their lanes.
        """
        self.health = health
        self._parts = parts
        self._clock = clock
        self._watch = Watch()
        self._engines: list[tuple[Engine, list[int]]] = []
        self._sequencer: Sequencer | None = None
        self._stale: set[int] = set()
        self._certain_until_ms = 0
        self._looked = asyncio.Event()
        self._shifting = asyncio.Lock()
        """Held while shares, or engines for them, change."""
        self._stopping = False
        self._store: LaneStore | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None]
        self._task: asyncio.Task[None] | None = None

    # -- start and stop ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take a seat, then shares as they are to be had. Raises StartRefused."""
        store = self._store = await self._parts.open_lanes()
        self._task = asyncio.create_task(self._run(store), name="node")

    def hold(self) -> None:
        """Begin no more attempts from now on; the first step of a stop."""
        self._stopping = True
        for engine, _ in self._engines:
            engine.hold()

    async def stop(self) -> None:
        """Let running attempts end and record them, then give everything back."""
        self.hold()
        async with (
            self._shifting
        ):  # what is under way ends whole: an engine that gives is among none
            pass
        await self._end_lead()
        await asyncio.gather(*(engine.stop() for engine, _ in self._engines))
        for task in (*self._tasks, self._task):
            if task is not None:
                task.cancel()
        await asyncio.gather(
            *(task for task in (*self._tasks, self._task) if task is not None),
            return_exceptions=True,
        )
        if self._store is not None:
            await self._store.close()

    async def ended(self) -> None:
        """Wait until the node has ended by itself; raises what ended it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    # -- with a seat, and without ------------------------------------------------------------------------

    async def _run(self, store: LaneStore) -> None:
        while True:
            try:
                await self._serve(store)
            except SeatLost:
                log.warning("this node was taken for dead and lost its seat; it begins anew")
            await self._forget_everything(store)
            store = self._store = await self._open_again()

    async def _serve(self, store: LaneStore) -> None:
        """Look, and do what follows, until the seat is lost or something breaks; raises it."""
        self._watch = Watch()
        self._broken = asyncio.get_running_loop().create_future()
        self._guard(self._look_forever(store))
        self._guard(self._shift_forever(store))
        await self._broken

    def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside; an end with an exception ends the serving."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _forget_everything(self, store: LaneStore) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end_lead()
        for engine, _ in self._engines:
            await engine.abandon()
        self._engines.clear()
        self._show()
        await store.close()

    async def _open_again(self) -> LaneStore:
        while True:
            try:
                return await self._parts.open_lanes()
            except (StartRefused, StoreUnavailable) as error:
                log.warning("no seat is to be had; trying again", reason=error.message)
            await self._wait(OPEN_AGAIN_MS)

    async def _wait(self, ms: int) -> None:
        bell = asyncio.Event()
        timer = self._clock.call_at(self._clock.steady_ms() + ms, bell.set)
        try:
            await bell.wait()
        finally:
            timer.cancel()

    # -- looks ---------------------------------------------------------------------------------------------

    async def _look_forever(self, store: LaneStore) -> None:
        while True:
            began_ms = self._clock.steady_ms()
            try:
                roster = await store.write(_look)
            except StoreUnavailable:
                # Nobody can beat while the database is away, so nobody is to be taken for dead because of it.
                self._watch.interrupted()
            else:
                beats = {one.seat: one.beat for one in roster.seats if one.seat != roster.me}
                self._stale = self._watch.look(beats)
                was_certain = self._is_certain()
                self._certain_until_ms = began_ms + CERTAIN_MS
                for engine, _ in () if was_certain else tuple(self._engines):
                    engine.go_on()
                self._looked.set()
            await self._wait(LOOK_EVERY_MS)

    def _is_certain(self) -> bool:
        """Whether nobody can have taken this node's shares: it beat a short time ago."""
        return self._clock.steady_ms() < self._certain_until_ms

    async def _shift_forever(self, store: LaneStore) -> None:
        while True:
            await self._looked.wait()
            self._looked.clear()
            if self._stopping:
                continue
            try:
                async with self._shifting:
                    await self._shift(store, self._stale)
            except StoreUnavailable as error:
                log.warning("shares are looked after later", reason=error.message)

    async def _shift(self, store: LaneStore, stale: set[int]) -> None:
        # Read here and now, as this alone changes what the node has: a look that was made while an engine was ending
        # still has its shares for ours, and they may be another's by now.
        roster = await store.write(_roster)
        for seat in stale:
            if await store.write(lambda tx, seat=seat: tx.depose(seat)):  # type: ignore[misc]
                log.warning("a node was dead; its work is taken over", seat=seat)
        await self._begin([one.share for one in roster.shares if one.seat == roster.me], store)
        todo = plan(roster, stale=stale)
        if todo.give:
            await self._give(store, todo.give)
        if todo.take:
            taken = await store.write(lambda tx: tx.take_shares(todo.take))
            await self._begin(taken, store)

    async def _begin(self, shares: Sequence[int], store: LaneStore) -> None:
        """Begin what these shares of ours ask for, where it is not under way: an earlier try may have failed."""
        if LEAD in shares and self._sequencer is None and not self._stopping:
            await self._begin_lead(store)
        served = {share for _, some in self._engines for share in some}
        lanes = [share for share in shares if share != LEAD and share not in served]
        if lanes and not self._stopping:
            engine = self._parts.make_engine(store, lanes, self._is_certain)
            try:
                await engine.start()
            except BaseException:
                await engine.abandon()
                raise
            self._engines.append((engine, lanes))
            self._guard(engine.ended())
            log.info("delivering for more shares", count=len(lanes), node_has=self._show())

    async def _begin_lead(self, store: LaneStore) -> None:
        sequencer = self._parts.make_sequencer(store)
        await sequencer.start()
        self._sequencer = sequencer
        self._guard(sequencer.ended())
        self._parts.schedules.start()
        telemetry.NODE_LEADS.set(1)
        log.info("this node leads: it fans out and keeps the schedules")

    async def _end_lead(self) -> None:
        if self._sequencer is None:
            return
        sequencer, self._sequencer = self._sequencer, None
        await self._parts.schedules.stop()
        await sequencer.stop()
        telemetry.NODE_LEADS.set(0)

    async def _give(self, store: LaneStore, count: int) -> None:
        """Give back so many lane shares, disturbing as few engines as possible."""
        while count > 0 and self._engines:
            self._engines.sort(key=lambda one: len(one[1]))
            place = next((n for n, (_, some) in enumerate(self._engines) if len(some) >= count), -1)
            engine, shares = self._engines.pop(place)
            await engine.stop()
            given, kept = shares[:count], shares[count:]
            count -= len(given)
            await store.write(lambda tx, given=given: tx.give_shares(given))  # type: ignore[misc]
            log.info("gave shares to others", count=len(given))
            await self._begin(kept, store)
        self._show()

    def _show(self) -> int:
        owned = sum(len(some) for _, some in self._engines)
        telemetry.NODE_SHARES.set(owned)
        return owned

    # -- for the supervision -------------------------------------------------------------------------------

    def backlogs(self) -> list[tuple[int, int, int]]:
        """(lane, deliveries waiting, cursor) of this node's lanes that have work."""
        return [row for engine, _ in self._engines for row in engine.backlogs()]

    def loads(self) -> list[tuple[int, int, int]]:
        """(lane, deliveries waiting, in flight) of this node's lanes."""
        return [row for engine, _ in self._engines for row in engine.loads()]


async def _look(tx: NodeTransaction) -> Roster:
    await tx.beat()
    return await tx.roster()


async def _roster(tx: NodeTransaction) -> Roster:
    return await tx.roster()
