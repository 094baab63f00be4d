"""A sequencer and several engines that share the lanes of one store, in the place of a single engine.

What tests ask of an engine is asked of all of them; so the promises that hold for one engine are tested on several.
"""

import asyncio
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chathooks.delivery.engine import Engine
from chathooks.delivery.health import Health
from chathooks.delivery.sequencer import Sequencer
from chathooks.delivery.shares import LANE_SHARES
from support import stores

ENGINES = 2


class Spread:
    """Engines that deliver for every other share, behind one sequencer."""

    def __init__(self, *, path: Path, **parts: Any) -> None:
        """
        Args:
            path: names the store.
            parts: of each engine.
        """
        self._path = path
        self.health = Health()
        self.engines: list[Engine] = []
        self._parts = parts
        self._stores: list[Any] = []
        self._task: asyncio.Task[Any] | None = None

    async def _session(self) -> Any:
        """Where one of them writes: a session of its own, if there can be several."""
        if not isinstance(stores.current, stores.Cluster):
            return self._parts["store"]
        commands = self._parts["store"]
        store = await stores.current.open_lanes(self._path)
        if hasattr(commands, "beside"):
            store = commands.beside(store)
        self._stores.append(store)
        return store

    async def start(self) -> None:
        parts, limit = self._parts, self._parts["limits"].backlog_max
        self.sequencer = Sequencer(
            await self._session(), parts["clock"], self.health, backlog_max=limit
        )
        shares = range(1, LANE_SHARES + 1)
        for place in range(ENGINES):
            its = {**parts, "store": await self._session()}
            self.engines.append(Engine(**its, health=self.health, shares=shares[place::ENGINES]))
        for engine in self.engines:
            await engine.start()
        await self.sequencer.start()
        self._task = asyncio.create_task(self._all())

    async def _all(self) -> None:
        """Cancelled, it ends all of them as a killed process does."""
        tasks = [*(engine._task for engine in self.engines), self.sequencer._task]
        try:
            await asyncio.gather(*(task for task in tasks if task is not None))
        except asyncio.CancelledError:
            for task in tasks:
                if task is not None:
                    task.cancel()
            await asyncio.gather(*(t for t in tasks if t is not None), return_exceptions=True)
            await self._close()
            raise

    async def _close(self) -> None:
        for store in self._stores:
            await store.close()

    async def stop(self) -> None:
        self.hold()
        await self.sequencer.stop()
        await asyncio.gather(*(engine.stop() for engine in self.engines))
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._close()

    def hold(self) -> None:
        for engine in self.engines:
            engine.hold()

    async def ended(self) -> None:
        assert self._task is not None
        await asyncio.shield(self._task)

    async def quiet(self) -> None:
        """Wait until the feed is fanned out, followed, and nothing can be done before a timer rings."""
        while True:
            await self.sequencer.quiet()
            for engine in self.engines:
                await engine.quiet()
            if not self._has_work() and all(engine._quiet.is_set() for engine in self.engines):
                return
            await asyncio.sleep(0)

    async def followed(self) -> None:
        """Wait until every engine knows all that was fanned out."""
        await self.sequencer.quiet()
        while any(engine.position < self.sequencer.position for engine in self.engines):  # noqa: ASYNC110 -- an engine has no event for it
            await asyncio.sleep(0)

    def _has_work(self) -> bool:
        return (
            not self.sequencer._quiet.is_set()
            or any(not store._idle.is_set() for store in self._stores)
            or any(engine._has_work() for engine in self.engines)
            or any(engine.position < self.sequencer.position for engine in self.engines)
        )

    @property
    def position(self) -> int:
        return self.sequencer.position

    def backlogs(self) -> Sequence[tuple[int, int, int]]:
        return [row for engine in self.engines for row in engine.backlogs()]

    @property
    def fanout(self) -> Any:
        lanes: Mapping[int, Any] = ChainMap(
            *(engine.fanout.subscriptions.lanes for engine in self.engines)
        )
        return SimpleNamespace(subscriptions=SimpleNamespace(lanes=lanes))

    @property
    def lanes(self) -> Any:
        return SimpleNamespace(
            by_key=ChainMap(*(engine.lanes.by_key for engine in self.engines)),
            in_flight=sum(engine.lanes.in_flight for engine in self.engines),
        )

    @property
    def _paused(self) -> bool:
        paused = [engine._paused for engine in self.engines]
        return any(paused) or not self.sequencer._pause_over.is_set()

    @property
    def _bell(self) -> Any:
        rings = [self.sequencer._bell, *(engine._bell for engine in self.engines)]
        return SimpleNamespace(is_set=lambda: any(bell.is_set() for bell in rings))
