"""Play a scenario straight at an endpoint, as an open loop: the next event is due when it is due, answer or not.

Latency counts from when an event was due, so an endpoint that stalls cannot hide what it makes others wait.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import islice

import msgspec

from chathooks_receiver.tools.figures import Latency, Tally
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.pacing import stopped_within
from chathooks_receiver.tools.sender import Result, Sender
from chathooks_receiver.tools.simulation.moments import SimulatedEvent
from chathooks_receiver.tools.simulation.scenarios import events
from chathooks_receiver.tools.simulation.world import STARTS_AT_S, World

IN_FLIGHT_MAX = 512
"""Requests that may be waiting for answers; beyond it sending waits, which is counted as late."""
LATE_S = 0.1
"""An event that is sent later than this after it was due counts as late."""
DUPLICATE_SEED = 0x5EED


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to play: a scenario at `rate` events a second for `duration_s` seconds, from a seed."""

    scenario: str
    seed: int
    rate: float
    duration_s: float
    starts_at_s: int = STARTS_AT_S
    duplicates: float = 0.0
    """Share of events that are sent twice, as a platform does after a lost answer."""

    @property
    def events_total(self) -> int:
        """How many events that makes, without duplicates."""
        return max(1, round(self.rate * self.duration_s))


class Played(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of it. `answers` counts statuses and classes of failure, `triggers` the events that were sent."""

    scenario: str
    seed: int
    events: int
    sent: int
    sent_twice: int
    acknowledged: int
    answers: Mapping[str, int]
    triggers: Mapping[str, int]
    answered_as_duplicate: int
    late: int
    seconds: float
    rate: float
    latency_ms: Latency | None
    interrupted: bool

    @property
    def good(self) -> bool:
        """Whether everything that was sent was acknowledged, and there was no interruption."""
        return self.acknowledged == self.sent and not self.interrupted


class _Run:
    def __init__(self, sender: Sender, identity: Identity, wall_s: Callable[[], float]) -> None:
        self.tally = Tally()
        self.twice = 0
        self.late = 0
        self.triggers: dict[str, int] = {}
        self.slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._sender = sender
        self._identity = identity
        self._wall_s = wall_s

    async def send(
        self,
        event: SimulatedEvent,
        number: int,
        due_s: float,
        *,
        again: bool,
        told: Callable[[SimulatedEvent, Result], None],
    ) -> None:
        try:
            for attempt in (1, 2) if again else (1,):
                request = self._identity.request(
                    event.trigger,
                    event.data,
                    event_id=event.event_id,
                    now_s=self._wall_s(),
                    attempt=attempt,
                    number=number,
                    sequence=event.sequence,
                )
                result = await self._sender.deliver(request)
                waited_s = time.perf_counter() - due_s if attempt == 1 else None
                self.tally.add(result, waited_s)
                self.twice += attempt - 1
                told(event, result)
        finally:
            self.slots.release()


def _nothing(_event: SimulatedEvent, _result: Result) -> None:
    return


async def play(
    load: Load,
    sender: Sender,
    identity: Identity,
    *,
    wall_s: Callable[[], float] = time.time,
    told: Callable[[SimulatedEvent, Result], None] = _nothing,
    stop: asyncio.Event | None = None,
) -> Played:
    """Play until the end or until `stop` is set, wait for what is in flight, and sum up."""
    stop = stop or asyncio.Event()
    run = _Run(sender, identity, wall_s)
    chance = World(load.seed ^ DUPLICATE_SEED).chance
    begun_s = time.perf_counter()
    made = 0
    source = islice(events(load.scenario, load.seed, load.starts_at_s), load.events_total)
    async with asyncio.TaskGroup() as sending:
        for number, event in enumerate(source, start=1):
            due_s = begun_s + (number - 1) / load.rate
            if await stopped_within(stop, due_s - time.perf_counter()):
                break
            await run.slots.acquire()
            run.late += time.perf_counter() - due_s > LATE_S
            made += 1
            run.triggers[event.trigger] = run.triggers.get(event.trigger, 0) + 1
            again = load.duplicates > 0 and chance(load.duplicates)
            sending.create_task(run.send(event, number, due_s, again=again, told=told))
    seconds = time.perf_counter() - begun_s
    return Played(
        scenario=load.scenario,
        seed=load.seed,
        events=made,
        sent=run.tally.count,
        sent_twice=run.twice,
        acknowledged=run.tally.acknowledged,
        answers=dict(sorted(run.tally.outcomes.items())),
        triggers=dict(sorted(run.triggers.items())),
        answered_as_duplicate=run.tally.duplicates,
        late=run.late,
        seconds=round(seconds, 3),
        rate=round(made / seconds, 2) if seconds else 0.0,
        latency_ms=run.tally.latency,
        interrupted=stop.is_set() and made < load.events_total,
    )
