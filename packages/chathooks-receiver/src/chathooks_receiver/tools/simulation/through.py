"""Play a scenario through a server: its moments as calls of the REST API, so that the server fires the events itself."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import msgspec

from chathooks_receiver.tools.failures import EXIT_UNREACHABLE, ToolFailed
from chathooks_receiver.tools.figures import Latency, latency_of
from chathooks_receiver.tools.pacing import stopped_within
from chathooks_receiver.tools.rest import Rest
from chathooks_receiver.tools.simulation.direct import Load
from chathooks_receiver.tools.simulation.moments import ApiCall, Moment
from chathooks_receiver.tools.simulation.scenarios import SCENARIOS
from chathooks_receiver.tools.simulation.world import World

MOMENTS_PER_CALL_MAX = 200
"""Moments without a call that are passed over before the scenario counts as having none for the API."""

_MESSAGE = re.compile(r"\{m:(\d+)\}")


class PlayedThrough(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of it. `answers` counts "200" and error codes; `passed_over` moments that no API call can cause."""

    scenario: str
    seed: int
    calls: int
    answers: Mapping[str, int]
    passed_over: int
    not_possible: int
    """Moments about messages or groups that the server does not have, since an earlier call was refused."""
    seconds: float
    latency_ms: Latency | None
    interrupted: bool

    @property
    def good(self) -> bool:
        """Whether every call was carried out."""
        return set(self.answers) <= {"200"} and not self.interrupted


class _Made(msgspec.Struct):
    id: str


class Player:
    """Makes the calls of moments one after the other, since each may need what the one before made."""

    def __init__(self, rest: Rest) -> None:
        """`rest` is the server to call, with a fullAccess key."""
        self._rest = rest
        self._ids: dict[str, str] = {}

    def people(self, world: World) -> None:
        """Make the people of the world known to the server. Raises ToolFailed."""
        for person in world.people:
            try:
                self._rest.call("POST", "/users", body={"uid": person.uid, "name": person.name})
            except ToolFailed as error:
                if error.code != "ERR_UID_ALREADY_EXISTS":
                    raise

    def path(self, call: ApiCall) -> str | None:
        """The path with the server's ids, percent-encoded; None where a message was never made."""
        known = all(mark in self._ids for mark in _MESSAGE.findall(call.path))
        if not known:
            return None
        return quote(_MESSAGE.sub(lambda found: self._ids[found[1]], call.path))

    def make(self, call: ApiCall, path: str) -> None:
        """Make one call. Raises ToolFailed."""
        answer = self._rest.call(call.method, path, body=call.body, on_behalf_of=call.by)
        if call.makes_message is not None:
            self._ids[call.makes_message] = answer.read(_Made).id


def _calls(moments: Iterator[Moment], total: int) -> Iterator[ApiCall | None]:
    """The calls in order, and None for each moment without one; ends after `total` calls."""
    made = idle = 0
    for moment in moments:
        idle = 0 if moment.call else idle + 1
        if idle > MOMENTS_PER_CALL_MAX:
            return
        made += moment.call is not None
        yield moment.call
        if made == total:
            return


async def play_through(
    load: Load, rest: Rest, *, told: Callable[[str], None], stop: asyncio.Event
) -> PlayedThrough:
    """Play `load` as calls: at most `rate` calls a second, as many as the duration holds.

    `told` hears the outcome of each call. Raises ToolFailed where the server cannot be reached or used at all.
    """
    world = World(load.seed, load.starts_at_s)
    player = Player(rest)
    await asyncio.to_thread(player.people, world)
    answers: Counter[str] = Counter()
    durations_s: list[float] = []
    passed_over = not_possible = 0
    begun_s = time.perf_counter()
    for call in _calls(SCENARIOS[load.scenario](world), load.events_total):
        if call is None:
            passed_over += 1
            continue
        path = player.path(call)
        if path is None:
            not_possible += 1
            continue
        due_s = begun_s + answers.total() / load.rate
        if await stopped_within(stop, due_s - time.perf_counter()):
            break
        started_s = time.perf_counter()
        try:
            await asyncio.to_thread(player.make, call, path)
        except ToolFailed as error:
            if error.exit_code == EXIT_UNREACHABLE:
                raise
            outcome = error.code
        else:
            outcome = "200"
        durations_s.append(time.perf_counter() - started_s)
        answers[outcome] += 1
        told(outcome)
    return PlayedThrough(
        scenario=load.scenario,
        seed=load.seed,
        calls=answers.total(),
        answers=dict(sorted(answers.items())),
        passed_over=passed_over,
        not_possible=not_possible,
        seconds=round(time.perf_counter() - begun_s, 3),
        latency_ms=latency_of(durations_s),
        interrupted=stop.is_set(),
    )
