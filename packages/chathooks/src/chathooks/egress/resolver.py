"""Names to addresses over c-ares, on the event loop, without threads.

libcurl's own resolver runs on a small pool of threads that cannot be cancelled, so a handful of names whose
servers never answer would stop everybody's deliveries. Here a pending look-up is a few hundred bytes:

* the look-ups under way are bounded in total and per lane (the last two labels of the name), so that one domain
  cannot take all places;
* a name whose look-up timed out is suspect for a while, and all suspects together share one small lane;
* asking twice for a name under way adds a waiter, not a look-up; a waiter that gives up leaves the look-up
  running, so that a slow answer serves the next attempt from the cache.

Answers are kept for their TTL within named limits, failures for a short while.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pycares

from chathooks.egress.cares import CaresChannel
from chathooks.egress.failures import FailureKind

TTL_S_MIN = 5.0
TTL_S_MAX = 300.0
NOT_FOUND_TTL_S = 2.0
FAILED_TTL_S = 1.0
CACHE_NAMES_MAX = 10_000
ADDRESSES_MAX = 16
LOOKUPS_MAX = 512
LANE_LOOKUPS_MAX = 16
SUSPECT_LOOKUPS_MAX = 32
SUSPECT_S = 60.0
CHANNEL_S_MAX = 15.0

_SUSPECT_LANE = "\0suspects"
_NOT_FOUND = frozenset({pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA})


class Answer:
    """What is known of a name until `expires_s` (monotonic seconds). Never changed once made."""

    __slots__ = ("addresses", "detail", "expires_s", "failure")

    def __init__(
        self,
        addresses: tuple[str, ...],
        failure: FailureKind | None,
        detail: str,
        expires_s: float,
    ) -> None:
        self.addresses = addresses
        self.failure = failure
        self.detail = detail
        self.expires_s = expires_s


Waiter = Callable[[Answer], None]


class _Lookup:
    __slots__ = ("lane", "name", "waiters")

    def __init__(self, name: str, lane: str) -> None:
        self.name = name
        self.lane = lane
        self.waiters: list[Waiter] = []


class Resolver:
    """Resolves host names for one event loop.

    Args:
        servers: name-servers as `address` or `address:port`; None for those of resolv.conf.
        ttl_s_min, ttl_s_max: limits put on the TTL of answers, seconds.
        lookups_max, lane_lookups_max, suspect_lookups_max: look-ups under way at most, in total, per lane, and
            for all names that timed out lately.
        channel_s_max: how long c-ares may go by its own cache and by the resolv.conf it has read, seconds.
        monotonic: steady seconds.
    """

    def __init__(
        self,
        servers: Sequence[str] | None = None,
        *,
        ttl_s_min: float = TTL_S_MIN,
        ttl_s_max: float = TTL_S_MAX,
        lookups_max: int = LOOKUPS_MAX,
        lane_lookups_max: int = LANE_LOOKUPS_MAX,
        suspect_lookups_max: int = SUSPECT_LOOKUPS_MAX,
        channel_s_max: float = CHANNEL_S_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = servers
        self._ttl_s_min = ttl_s_min
        self._ttl_s_max = ttl_s_max
        self._lookups_max = lookups_max
        self._lane_max = lane_lookups_max
        self._suspect_max = suspect_lookups_max
        self._channel_s_max = channel_s_max
        self.now_s = monotonic
        """The clock that `Answer.expires_s` is read on, in seconds."""
        self._cache: dict[str, Answer] = {}
        self._suspects: dict[str, float] = {}
        self._under_way: dict[str, _Lookup] = {}
        self._asked_total = 0
        self._asked: dict[str, int] = {}
        self._queues: dict[str, deque[_Lookup]] = {}
        self._channel: CaresChannel | None = None
        self._channel_until_s = 0.0
        self._retired: list[CaresChannel] = []
        self._closed = False

    @property
    def lookups_under_way(self) -> int:
        """Look-ups handed to the name-servers and not yet answered."""
        return self._asked_total

    def cached(self, name: str) -> Answer | None:
        """The answer kept for `name`, unless it has expired."""
        answer = self._cache.get(name)
        if answer is not None and answer.expires_s > self.now_s():
            return answer
        return None

    def lookup(self, name: str, waiter: Waiter) -> Callable[[], None]:
        """Resolve `name` and call `waiter` once, on the loop, possibly before this returns.

        Returns a function that withdraws the waiter. Failures are answers too; nothing is raised. The caller
        keeps its own deadline: a look-up that takes longer serves whoever asks next.
        """
        answer = self.cached(name)
        if answer is None and self._closed:
            answer = Answer((), FailureKind.interrupted, "the resolver is closed", 0.0)
        if answer is not None:
            waiter(answer)
            return _nothing
        lookup = self._under_way.get(name)
        if lookup is None:
            lookup = self._under_way[name] = _Lookup(name, self._lane_of(name))
            lookup.waiters.append(waiter)
            self._queues.setdefault(lookup.lane, deque()).append(lookup)
            self._start_waiting(lookup.lane)
        else:
            lookup.waiters.append(waiter)
        return lambda: self._withdraw(lookup, waiter)

    def close(self) -> None:
        """Answer whoever waits, release the sockets; harmless when called twice."""
        if self._closed:
            return
        self._closed = True
        for channel in (*self._retired, self._channel):
            if channel is not None:
                channel.close()
        gone = Answer((), FailureKind.interrupted, "the resolver was closed", 0.0)
        for lookup in list(self._under_way.values()):
            self._settle(lookup, gone)
        self._cache.clear()

    # --- places -----------------------------------------------------------------------------------

    def _lane_of(self, name: str) -> str:
        until_s = self._suspects.get(name)
        if until_s is not None:
            if until_s > self.now_s():
                return _SUSPECT_LANE
            del self._suspects[name]
        return ".".join(name.rsplit(".", 2)[-2:])

    def _start_waiting(self, lane: str) -> None:
        queue = self._queues.get(lane)
        if queue is None:
            return
        lane_max = self._suspect_max if lane == _SUSPECT_LANE else self._lane_max
        while (
            queue and self._asked_total < self._lookups_max and self._asked.get(lane, 0) < lane_max
        ):
            lookup = queue.popleft()
            if lookup.waiters:
                self._ask(lookup)
            else:
                self._under_way.pop(lookup.name, None)
        if not queue:
            self._queues.pop(lane, None)

    def _withdraw(self, lookup: _Lookup, waiter: Waiter) -> None:
        if waiter in lookup.waiters:
            lookup.waiters.remove(waiter)

    # --- c-ares -----------------------------------------------------------------------------------

    def _ask(self, lookup: _Lookup) -> None:
        lane = lookup.lane
        self._asked_total += 1
        self._asked[lane] = self._asked.get(lane, 0) + 1

        def answered(result: pycares.AddrInfoResult | None, error: int | None) -> None:
            self._answered(lookup, result, error)

        try:
            self._young_channel().ask(lookup.name, answered)
        except (pycares.AresError, ValueError) as exc:
            self._answered(lookup, None, None, str(exc))

    def _young_channel(self) -> CaresChannel:
        now_s = self.now_s()
        channel = self._channel
        if channel is None or now_s >= self._channel_until_s:
            if channel is not None:
                self._retired = [old for old in self._retired if not old.closed]
                self._retired.append(channel)
                channel.retire()
            channel = CaresChannel(asyncio.get_running_loop(), self._servers)
            self._channel = channel
            self._channel_until_s = now_s + self._channel_s_max
        return channel

    def _answered(
        self,
        lookup: _Lookup,
        result: pycares.AddrInfoResult | None,
        error: int | None,
        detail: str = "",
    ) -> None:
        lane = lookup.lane
        self._asked_total -= 1
        left = self._asked[lane] - 1
        if left:
            self._asked[lane] = left
        else:
            del self._asked[lane]
        if self._closed:
            return
        if self._under_way.get(lookup.name) is lookup:
            self._settle(lookup, self._judge(lookup.name, result, error, detail))
        self._start_waiting(lane)
        for other in list(self._queues):
            if self._asked_total >= self._lookups_max:
                break
            self._start_waiting(other)

    def _judge(
        self, name: str, result: pycares.AddrInfoResult | None, error: int | None, detail: str
    ) -> Answer:
        now_s = self.now_s()
        if result is not None and result.nodes:
            addresses: dict[str, None] = {}
            ttl_s = self._ttl_s_max
            for node in result.nodes[:ADDRESSES_MAX]:
                addresses[_text(node.addr[0])] = None
                ttl_s = min(ttl_s, node.ttl)
            for cname in result.cnames:
                ttl_s = min(ttl_s, cname.ttl)
            self._suspects.pop(name, None)
            answer = Answer(tuple(addresses), None, "", now_s + max(ttl_s, self._ttl_s_min))
        else:
            if error is not None:
                detail = _text(pycares.errno.strerror(error))
            if result is not None or error in _NOT_FOUND:
                kind, ttl_s = FailureKind.dns_not_found, NOT_FOUND_TTL_S
            elif error == pycares.errno.ARES_ETIMEOUT:
                kind, ttl_s = FailureKind.timeout_dns, FAILED_TTL_S
                _bound(self._suspects, CACHE_NAMES_MAX)
                self._suspects[name] = now_s + SUSPECT_S
            else:
                kind, ttl_s = FailureKind.dns_failed, FAILED_TTL_S
            answer = Answer((), kind, detail, now_s + ttl_s)
        self._cache.pop(name, None)
        _bound(self._cache, CACHE_NAMES_MAX)
        self._cache[name] = answer
        return answer

    def _settle(self, lookup: _Lookup, answer: Answer) -> None:
        self._under_way.pop(lookup.name, None)
        waiters, lookup.waiters = lookup.waiters, []
        for waiter in waiters:
            waiter(answer)


def _bound(table: dict[str, Any], names_max: int) -> None:
    """Make room for one more, dropping the oldest."""
    while len(table) >= names_max:
        del table[next(iter(table))]


def _text(address: str | bytes) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address


def _nothing() -> None:
    """Withdraws a waiter that was answered at once."""
