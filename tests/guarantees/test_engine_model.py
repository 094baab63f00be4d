"""Any mix of events, webhook changes, failures, crashes and replays keeps the promises: delivery contract §2, §3.

§3.1: each event "is still delivered to every webhook that was enabled and subscribed when it was committed";
§3.2: "After a recorded acknowledgement nothing more is sent, but for an explicit replay";
§3.4: an ordered webhook gets a stream's events "strictly one after the other"; §1: numbers have no gaps.
"""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any, TypeVar

import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from chathooks.delivery.cycle import EngineLimits
from chathooks.kernel.clock import ManualClock
from support import stores
from support.crash.world import TRIGGERS, Hook, World
from support.rig import running
from support.scripted_endpoint import ScriptedEndpoint

T = TypeVar("T")

LONG = os.environ.get("CHATHOOKS_TORTURE") == "1"
EXAMPLES = 3_000 if LONG else 100
STEPS = 60 if LONG else 30
SLOWER_OTHERWISE = 5
OPERATION_S_MAX = 60
NAMES = ("a", "b", "c")
STREAMS = ("group/x", "group/y", None)

names = st.sampled_from(NAMES)
events = st.lists(
    st.tuples(st.sampled_from(TRIGGERS), st.sampled_from(STREAMS)), min_size=1, max_size=6
)


class EngineMachine(RuleBasedStateMachine):
    """Operations in any order, then everything drains and is compared with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.world = World(Path(self.folder.name))
        self.run(self.world.open())

    def run(self, work: Coroutine[Any, Any, T], *, calm: bool = False) -> T:
        """Do it; with `calm` the engine goes as far as it can before the next operation."""

        async def timed() -> T:
            async with asyncio.timeout(OPERATION_S_MAX):
                result = await work
                if calm:
                    await self.world.calm()
                return result

        return self.runner.run(timed())

    def teardown(self) -> None:
        try:
            self.run(self._finish())
        finally:
            self.run(self.world.close())
            self.runner.close()
            if isinstance(stores.current, stores.Postgres):
                stores.current.forget(Path(self.folder.name))
            self.folder.cleanup()

    async def _finish(self) -> None:
        await self.world.drain()
        await self.world.check()

    @initialize(ordered=st.booleans(), retry=st.booleans())
    def begin(self, ordered: bool, retry: bool) -> None:
        self.run(self.world.change("a", Hook(ordered=ordered, retry=retry)))
        self.run(self.world.change("b", Hook(ordered=not ordered, retry=retry)))

    @rule(sent=events, calm=st.booleans())
    def send(self, sent: list[tuple[str, str | None]], calm: bool) -> None:
        self.run(self.world.send(sent), calm=calm)

    @rule(
        name=names,
        ordered=st.booleans(),
        retry=st.booleans(),
        concurrency=st.sampled_from([1, 2, 64]),
        triggers=st.sets(st.sampled_from(TRIGGERS), min_size=1),
    )
    def make(
        self, name: str, ordered: bool, retry: bool, concurrency: int, triggers: set[str]
    ) -> None:
        hook = Hook(
            ordered=ordered, retry=retry, concurrency=concurrency, triggers=frozenset(triggers)
        )
        self.run(self.world.change(name, hook))

    @rule(
        name=names,
        field=st.sampled_from(["enabled", "deleted", "ordered", "retry"]),
        calm=st.booleans(),
    )
    def toggle(self, name: str, field: str, calm: bool) -> None:
        hook = self.world.hooks.get(name)
        if hook is not None:
            changed = replace(hook, **{field: not getattr(hook, field)})  # type: ignore[arg-type]  # all are flags
            self.run(self.world.change(name, changed), calm=calm)

    @rule(name=names, trigger=st.sampled_from(TRIGGERS), calm=st.booleans())
    def toggle_trigger(self, name: str, trigger: str, calm: bool) -> None:
        hook = self.world.hooks.get(name)
        if hook is not None:
            changed = replace(hook, triggers=hook.triggers ^ {trigger})
            self.run(self.world.change(name, changed), calm=calm)

    @rule(name=names, status=st.sampled_from([200, 500]))
    def answer(self, name: str, status: int) -> None:
        self.world.answers[name] = status

    @rule()
    def hold(self) -> None:
        self.world.endpoint.hold()

    @rule()
    def settle(self) -> None:
        self.run(self.world.settle())

    @rule(by_ms=st.sampled_from([500, 9_999, 10_000, 30_000]), calm=st.booleans())
    def advance(self, by_ms: int, calm: bool) -> None:
        async def work() -> None:
            self.world.clock.advance(by_ms)

        self.run(work(), calm=calm)

    @rule(count=st.integers(1, 3), error=st.sampled_from([OperationalError, RuntimeError]))
    def store_fails(self, count: int, error: type[Exception]) -> None:
        self.world.unreliable.failures = count
        self.world.unreliable.error = error

    @rule()
    def crash(self) -> None:
        self.run(self.world.crash())

    @rule()
    def restart(self) -> None:
        self.run(self.world.restart())

    @rule(name=names, number=st.integers(1, 12), calm=st.booleans())
    def replay(self, name: str, number: int, calm: bool) -> None:
        if name in self.world.lanes:
            self.run(self.world.replay(name, number), calm=calm)


def test_any_mix_of_operations_keeps_the_promises(backend: stores.Backend) -> None:
    alone_on_sqlite = isinstance(backend, stores.Sqlite) and not backend.spread
    examples = EXAMPLES if alone_on_sqlite else EXAMPLES // SLOWER_OTHERWISE
    # Stores tell of each failure that is provoked, with a trace back that takes longer to draw than all else.
    with capture_logs():
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            EngineMachine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=not LONG,
                database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                print_blob=True,
            ),
        )


@pytest.mark.anyio
@pytest.mark.parametrize("restarted", [False, True])
async def test_deliveries_that_expired_take_no_place_in_the_backlog(
    tmp_path: Path, clock: ManualClock, restarted: bool
) -> None:
    limits = EngineLimits(backlog_max=5)
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock, limits) as rig:
        lane = await rig.webhook(endpoint.url(), concurrency=1, retry=True)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        await rig.events(12)
        await rig.event("group_created")
        while len(await rig.states(lane)) < 13:
            await rig.event("group_created")
        if restarted:
            stopping = asyncio.ensure_future(rig.stop())
            await asyncio.sleep(0)
            endpoint.release()
            await stopping
            endpoint.hold()
            await rig.restart()
            await endpoint.arrived(2)
        await rig.followed()
        assert rig.engine.fanout.subscriptions.lanes[lane].backlog == 5 - restarted
        endpoint.release()
        await rig.quiet()
        assert list((await rig.states(lane)).values()) == ["delivered"] * 6 + ["expired"] * 7


@pytest.mark.anyio
async def test_an_attempt_cut_off_after_its_webhook_was_disabled_ends_as_cancelled(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    await world.open()
    try:
        await world.change("a", Hook(retry=True))
        world.endpoint.hold()
        await world.send([("message_sent", "group/x")])
        await world.calm()
        await world.change("a", Hook(retry=True, enabled=False))
        await world.calm()
        await world.crash()
        await world.drain()
        await world.check()
        assert await world.rig.states(world.lanes["a"]) == {1: "cancelled"}
    finally:
        await world.close()
