"""Lanes: what the engine knows of each webhook that has work, and how much it may do at once.

Each webhook has its own lane: its own place in its backlog, its own concurrency limit. All lanes share the
attempts that the process can have in flight; while those are plenty a lane is bounded by its own limit alone,
and when they get scarce each lane keeps a fair share, so a hundred hanging endpoints hold their shares and no
more (delivery contract §3.3).
"""

import heapq
from collections import OrderedDict, deque

from chathooks.delivery.fanout import Subscription
from chathooks.delivery.payload import Endpoint
from chathooks.delivery.queue import Candidate

ATTEMPTS_IN_FLIGHT_MAX = 2048
"""Beyond it lanes are held to their fair share."""
ATTEMPTS_IN_FLIGHT_HARD_MAX = 8192
"""Never exceeded; sockets and memory are bounded by it."""
FAIR_SHARE_MIN = 2
AHEAD_PER_LANE_MAX = 192
"""Deliveries that a lane may have claimed beyond its slots."""
AHEAD_IN_FLIGHT_MAX = ATTEMPTS_IN_FLIGHT_MAX // 2
"""With so many claimed by all lanes, none claims ahead."""


class Lane:
    """A lane with work, in memory. Rebuilt from the store at start."""

    __slots__ = (
        "ahead",
        "claimed_first",
        "endpoint",
        "filling",
        "in_flight",
        "key",
        "next_due",
        "running",
        "subscription",
    )

    def __init__(self, subscription: Subscription) -> None:
        self.key = subscription.lane
        self.subscription = subscription
        self.in_flight = 0
        """As the store has it: claimed, and not recorded as ended."""
        self.running = 0
        """Attempts that began and have not ended."""
        self.ahead: deque[Candidate] = deque()
        """Claimed, waiting for a slot (`starting`)."""
        self.endpoint: Endpoint | None = None
        """What the latest claim sends to."""
        self.filling = False
        self.claimed_first: set[int] = set()
        """Numbers in flight that came from the cursor."""
        self.next_due: int | None = None
        """Earliest entry of the lane in the due index, steady ms."""

    @property
    def head(self) -> int:
        """Every first attempt below this number has ended."""
        return min(self.claimed_first, default=self.subscription.cursor)


class Lanes:
    """The lanes with work, whose turn it is, and which are due when."""

    def __init__(self) -> None:
        self.by_key: dict[int, Lane] = {}
        self.in_flight = 0
        self._turns: OrderedDict[int, Lane] = OrderedDict()
        self._due: list[tuple[int, int]] = []
        self._busy = 0

    def of(self, subscription: Subscription) -> Lane:
        """The subscription's lane, made where it has none yet."""
        lane = self.by_key.get(subscription.lane)
        if lane is None:
            lane = self.by_key[subscription.lane] = Lane(subscription)
        return lane

    def has_turns(self) -> bool:
        """Whether some lane may have something to claim."""
        return bool(self._turns)

    def want_turn(self, lane: Lane) -> None:
        """Put the lane in line; harmless when it is in line already."""
        self._turns.setdefault(lane.key, lane)

    def take_turns(self, limit: int) -> list[Lane]:
        """The next lanes in line, taken out of it."""
        return [self._turns.popitem(last=False)[1] for _ in range(min(limit, len(self._turns)))]

    def due_at(self, lane: Lane, due_at: int) -> None:
        """Note that an entry of the lane's due index falls due."""
        if lane.next_due is None or due_at < lane.next_due:
            lane.next_due = due_at
            heapq.heappush(self._due, (due_at, lane.key))

    def set_next_due(self, lane: Lane, due_at: int | None) -> None:
        """Correct a lane's earliest due time after claiming from its due index."""
        lane.next_due = None
        if due_at is not None:
            self.due_at(lane, due_at)

    def fall_due(self, now: int) -> int | None:
        """Put every lane with a due entry in line; answers when the next one falls due (steady ms)."""
        while self._due:
            due_at, key = self._due[0]
            lane = self.by_key.get(key)
            if lane is None or lane.next_due != due_at:
                heapq.heappop(self._due)
            elif due_at <= now:
                heapq.heappop(self._due)
                self.want_turn(lane)
            else:
                return due_at
        return None

    def slots(self, lane: Lane, concurrency: int, freed: int, planned: int, ahead: int = 0) -> int:
        """How many deliveries a lane may claim now.

        Args:
            lane: the lane.
            concurrency: its webhook's `maxConcurrency`.
            freed: attempts of it that end in this cycle.
            planned: deliveries of all lanes that this cycle claims, less those that end in it.
            ahead: how many it may have beyond its concurrency while all lanes have few.
        """
        own = concurrency - (lane.in_flight - freed)
        total = self.in_flight + planned
        if total >= ATTEMPTS_IN_FLIGHT_HARD_MAX:
            return 0
        if total < AHEAD_IN_FLIGHT_MAX:
            own += min(ahead, AHEAD_PER_LANE_MAX)
        if total >= ATTEMPTS_IN_FLIGHT_MAX:
            share = max(FAIR_SHARE_MIN, ATTEMPTS_IN_FLIGHT_MAX // max(1, self._busy))
            own = min(own, share - (lane.in_flight - freed))
        return max(0, min(own, ATTEMPTS_IN_FLIGHT_HARD_MAX - total))

    def begun(self, lane: Lane, count: int) -> None:
        """Count attempts that began."""
        if count and not lane.in_flight:
            self._busy += 1
        lane.in_flight += count
        self.in_flight += count

    def ended(self, lane: Lane, count: int) -> None:
        """Count attempts that ended."""
        lane.in_flight -= count
        self.in_flight -= count
        if count and not lane.in_flight:
            self._busy -= 1

    def forget_if_idle(self, lane: Lane) -> None:
        """Drop a lane that has nothing to do; it is made anew when it has."""
        if (
            lane.in_flight == 0
            and lane.next_due is None
            and lane.subscription.backlog <= 0
            and lane.key not in self._turns
        ):
            self.by_key.pop(lane.key, None)
