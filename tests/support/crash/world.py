"""The engine on a real store with a real client, beside a model that says what it must have done.

Operations go to both. The model knows the feed alone: which events and webhook changes there were, in which
order. `check` compares the store and the requests that arrived with it.
"""

import asyncio
import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import STORE_RETRY_MS
from chathooks.delivery.policy import RETRY_SCHEDULE_MS
from chathooks.delivery.records import LIVE_STATES, State
from chathooks.delivery.replay import Replay
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.errors import ChathooksError
from support.rig import Rig
from support.scripted_endpoint import Received, ScriptedEndpoint
from support.stores import Store, rows

ATTEMPTS_PER_RUN_MAX = 1 + len(RETRY_SCHEDULE_MS)
"""Attempts that count of a delivery or a replay of it (delivery contract §2)."""
DRAIN_STEPS_MAX = 12
"""Every delivery ends within two retries and a pause or two; more steps mean that something is stuck."""
PAST_ANY_DUE_TIME_MS = 30_001
WAIT_S = 10.0
PAUSE_LOOKED_AT_EVERY_S = 0.01
ENDPOINT_HOLDS_S_MAX = 30.0
"""An endpoint that holds its answers back must not time out on a slow machine: the model would not know."""
TRIGGERS = ("message_sent", "message_edited", "group_created")


@dataclass(frozen=True)
class Hook:
    """A webhook as its last change left it."""

    enabled: bool = True
    deleted: bool = False
    ordered: bool = False
    retry: bool = False
    concurrency: int = 64
    triggers: frozenset[str] = frozenset(TRIGGERS)

    def wants(self, trigger: str) -> bool:
        return self.enabled and not self.deleted and trigger in self.triggers


@dataclass
class Expected:
    """A delivery that must exist."""

    event_id: str
    stream: str | None
    trigger: str
    ordered: bool
    may_be_cancelled: bool = False
    replays: int = 0


class DeliveryRow(NamedTuple):
    number: int
    state: int
    attempt: int
    event_id: str


class AttemptRow(NamedTuple):
    number: int
    attempt: int
    status: int | None
    failure: str | None


@dataclass
class Seen:
    """A request, with its place among all beginnings and ends of requests."""

    request: Received
    began: int
    ended: int | None = None


class _Arrivals(list[Received]):
    """Requests as they arrive."""

    def __init__(self, tell: Callable[[Received], None]) -> None:
        super().__init__()
        self._tell = tell

    def append(self, request: Received) -> None:
        self._tell(request)
        super().append(request)


class UnreliableStore:
    """The store as the engine sees it; `failures` of its next transactions do all their work and are undone."""

    def __init__(self, store: Store, first: "UnreliableStore | None" = None) -> None:
        self._store = store
        self._first = first or self
        self.failures = 0
        self.error: type[Exception] = sqlite3.OperationalError
        self.read = store.read
        self.close = store.close
        self._idle = store._idle
        self.subscribe = store.subscribe

    async def write(
        self, command: Callable[[Any], Awaitable[Any]], *, patient: bool = False
    ) -> Any:
        first = self._first
        if first.failures == 0:
            return await self._store.write(command, patient=patient)
        first.failures -= 1

        async def undone(tx: Any) -> None:
            await command(tx)
            raise first.error("this transaction fails")

        return await self._store.write(undone)

    def beside(self, store: Store) -> "UnreliableStore":
        """Another session, whose transactions fail as this one's do."""
        return UnreliableStore(store, self)


@dataclass
class World:
    """The engine, the endpoint of all webhooks, and the model."""

    path: Path
    clock: ManualClock = field(default_factory=ManualClock)
    endpoint: ScriptedEndpoint = field(default_factory=ScriptedEndpoint)
    hooks: dict[str, Hook] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    expected: dict[str, list[Expected]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    async def open(self) -> None:
        self._ticks = itertools.count()
        self.endpoint.answer = self._answer
        self.endpoint.requests = _Arrivals(self._began)
        await self.endpoint.__aenter__()
        limits = EngineLimits(timeout_s=ENDPOINT_HOLDS_S_MAX)
        self.rig = Rig(self.path / "world.sqlite3", self.clock, limits)
        await self._start()

    async def close(self) -> None:
        self.endpoint.release()
        await self._stop()
        await self.endpoint.__aexit__()

    async def _start(self) -> None:
        await self.rig.open()
        self.store = self.rig.store
        self.unreliable = UnreliableStore(self.store)
        self.rig.store = self.unreliable  # type: ignore[assignment]  # the engine asks no more of it
        await self.rig.start()
        self.rig.store = self.store
        self.rig.replay = Replay(self.store, self.clock)

    # -- the endpoint ------------------------------------------------------------------------------------

    def _began(self, request: Received) -> None:
        self.seen.append(Seen(request, next(self._ticks)))

    def _answer(self, request: Received) -> int:
        for seen in self.seen:
            if seen.request is request and seen.ended is None:
                seen.ended = next(self._ticks)
        return self.answers.get(request.path.removeprefix("/"), 200)

    # -- operations --------------------------------------------------------------------------------------

    async def change(self, name: str, hook: Hook) -> None:
        """Make or change a webhook."""
        old = self.hooks.get(name)
        self.lanes[name] = await self.rig.webhook(
            self.endpoint.url(f"/{name}"),
            webhook_id=name,
            triggers=sorted(hook.triggers),
            enabled=hook.enabled,
            deleted=hook.deleted,
            retry=hook.retry,
            ordered=hook.ordered,
            concurrency=hook.concurrency,
        )
        self.hooks[name] = hook
        for delivery in self.expected[name]:
            if old is not None and old.wants(delivery.trigger) and not hook.wants(delivery.trigger):
                delivery.may_be_cancelled = True

    async def send(self, events: list[tuple[str, str | None]]) -> None:
        """Append events, (trigger, stream) each, in this order."""
        made = await asyncio.gather(
            *(self.rig.event(trigger, stream=stream) for trigger, stream in events)
        )
        for event_id, (trigger, stream) in zip(made, events, strict=True):
            for name, hook in self.hooks.items():
                if hook.wants(trigger):
                    self.expected[name].append(Expected(event_id, stream, trigger, hook.ordered))

    async def replay(self, name: str, number: int) -> bool:
        """Replay a delivery; False where it was refused."""
        if not 1 <= number <= len(self.expected[name]):
            return False
        try:
            await self.rig.replay.one(1, self.lanes[name], number)
        except ChathooksError:
            return False
        self.expected[name][number - 1].replays += 1
        return True

    async def crash(self) -> None:
        """Kill the engine, whatever is in flight, and start it again."""
        await self.rig.crash()
        for seen in self.seen:
            if seen.ended is None:
                seen.ended = next(self._ticks)
        self.endpoint.release()
        await self._start()

    async def restart(self) -> None:
        """Stop gracefully while attempts are running, and start again."""
        await self._stop()
        await self._start()

    async def _stop(self) -> None:
        """Stop gracefully; pauses of a failing store pass meanwhile."""
        self.unreliable.failures = 0
        stopping = asyncio.ensure_future(self.rig.stop())
        await asyncio.sleep(0)
        self.endpoint.release()
        while not (await asyncio.wait({stopping}, timeout=PAUSE_LOOKED_AT_EVERY_S))[0]:
            if self.rig.engine._paused:
                self.clock.advance(STORE_RETRY_MS)
        await stopping

    async def settle(self) -> None:
        """Let everything that can be done now be done; pauses of a failing store pass meanwhile."""
        self.endpoint.release()
        engine = self.rig.engine
        quiet = asyncio.ensure_future(engine.quiet())
        try:
            async with asyncio.timeout(WAIT_S):
                while not (await asyncio.wait({quiet}, timeout=PAUSE_LOOKED_AT_EVERY_S))[0]:
                    if engine._paused:
                        self.clock.advance(STORE_RETRY_MS)
        except TimeoutError:
            raise AssertionError("the engine does not come to rest") from None
        finally:
            quiet.cancel()
        await self._check_backlogs()

    async def _check_backlogs(self) -> None:
        """The backlog that the engine goes by is the number of deliveries that wait."""
        waiting = dict(
            await self._rows(
                "SELECT lane, COUNT(*) FROM deliveries WHERE state IN (0, 2, 7) AND replay = 0 "
                "GROUP BY lane"
            )
        )
        for lane, subscription in self.rig.engine.fanout.subscriptions.lanes.items():
            assert subscription.backlog == waiting.get(lane, 0), lane

    async def calm(self) -> None:
        """Let the engine do what it can while the endpoint goes on holding its answers back."""
        async with asyncio.timeout(WAIT_S):
            while not self._is_calm():  # noqa: ASYNC110 -- the engine has no event for it
                await asyncio.sleep(PAUSE_LOOKED_AT_EVERY_S)

    def _is_calm(self) -> bool:
        engine = self.rig.engine
        if engine._paused:
            return True
        under_way = sum(seen.ended is None for seen in self.seen)
        return (
            not engine._bell.is_set()
            and not engine._has_work()
            and self.store._idle.is_set()
            and engine.lanes.in_flight == under_way
        )

    # -- what must hold ----------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Let every endpoint answer 200 and all due times pass; everything must end."""
        self.answers.clear()
        for _ in range(DRAIN_STEPS_MAX):
            await self.settle()
            if not await self._live():
                return
            self.clock.advance(PAST_ANY_DUE_TIME_MS)
        raise AssertionError(f"deliveries that never end: {await self._live()}")

    async def _live(self) -> list[tuple[Any, ...]]:
        states = ", ".join(str(int(state)) for state in LIVE_STATES)
        return await self._rows(
            "SELECT lane, number, state, due_at, ordered_stream, replay FROM deliveries "
            f"WHERE state IN ({states})"
        )

    async def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return await rows(self.store, sql, *parameters)

    async def check(self) -> None:
        """Compare the store and the requests with the model. Everything must have ended."""
        for name, lane in self.lanes.items():
            rows = await self._rows(
                "SELECT number, state, attempt, event_id FROM deliveries JOIN feed USING (position) "
                "WHERE lane = ? ORDER BY number",
                lane,
            )
            logged = await self._rows(
                "SELECT number, attempt, status, failure FROM attempts WHERE lane = ? ORDER BY 1, 2",
                lane,
            )
            deliveries = [DeliveryRow(*row) for row in rows]
            expected = self.expected[name]
            assert [row.event_id for row in deliveries] == [one.event_id for one in expected]
            assert [row.number for row in deliveries] == list(range(1, len(expected) + 1))
            attempts = defaultdict(list)
            for row in map(AttemptRow._make, logged):
                attempts[row.number].append(row)
            requests = self._requests(name)
            for delivery, one in zip(deliveries, expected, strict=True):
                check_delivery(delivery, one, attempts[delivery.number], requests[delivery.number])
            check_order(expected, requests)

    def _requests(self, name: str) -> dict[int, list[Seen]]:
        found = defaultdict(list)
        for seen in self.seen:
            if seen.request.path == f"/{name}":
                found[seen.request.number].append(seen)
        return found


def is_replay(seen: Seen) -> bool:
    return "chathooks-replay" in seen.request.headers


def check_delivery(
    delivery: DeliveryRow, expected: Expected, attempts: list[AttemptRow], requests: list[Seen]
) -> None:
    """One delivery: its log is complete, its attempts are bounded, its state is what the endpoint said."""
    about = (delivery, expected, attempts, [seen.request.headers for seen in requests])
    assert [row.attempt for row in attempts] == list(range(1, delivery.attempt + 1)), about
    by_attempt = {seen.request.attempt: seen for seen in requests}
    assert len(by_attempt) == len(requests), about
    assert {seen.request.event.event_id for seen in requests} <= {expected.event_id}, about
    counting = [row for row in attempts if row.failure != "interrupted"]
    assert len(counting) <= ATTEMPTS_PER_RUN_MAX * (1 + expected.replays), about
    acknowledged = False
    for row in attempts:
        seen = by_attempt.get(row.attempt)
        if acknowledged:
            assert seen is None or is_replay(seen), about
        if row.failure == "interrupted":
            continue
        assert seen is not None, about
        assert row.status == seen.request.answered, about
        acknowledged = row.failure is None
        assert acknowledged == (row.status == 200), about
    state = State(delivery.state)
    if state is State.CANCELLED:
        assert expected.may_be_cancelled, about
        return
    assert counting, about
    assert state is (State.DELIVERED if counting[-1].failure is None else State.FAILED), about
    assert attempts[-1].failure != "interrupted", about


def check_order(expected: list[Expected], requests: dict[int, list[Seen]]) -> None:
    """Events of a stream that an ordered webhook got begin only when the one before has ended (§3.4)."""
    last_end: dict[str, tuple[int, int]] = {}
    for number, one in enumerate(expected, 1):
        first_runs = [seen for seen in requests[number] if not is_replay(seen)]
        if not one.ordered or one.stream is None or not first_runs:
            continue
        before, end = last_end.get(one.stream, (0, -1))
        begins = min(seen.began for seen in first_runs)
        assert begins > end, f"number {number} began before number {before} of its stream ended"
        ends = [seen.ended for seen in first_runs]
        last_end[one.stream] = (number, max(-1 if end is None else end for end in ends))
