"""One cycle of the engine: what it is given, and what its transaction did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from chathooks.delivery.claims import Claim
from chathooks.delivery.fanout import Step, Subscription
from chathooks.delivery.lanes import Lane
from chathooks.delivery.policy import RETRY_SCHEDULE_MS
from chathooks.delivery.queue import Candidate, Settled, Sweep
from chathooks.delivery.recording import Ended, Recorded

ATTEMPT_TIMEOUT_S = 2.0
"""From the start of an attempt to the arrival of the answer's headers (delivery contract §2)."""
EXPIRY_HOURS = 72
BACKLOG_MAX = 1_000_000
"""Deliveries that may wait per webhook."""

_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """What an operator may set of the engine."""

    timeout_s: float = ATTEMPT_TIMEOUT_S
    retry_schedule_ms: tuple[int, ...] = RETRY_SCHEDULE_MS
    expiry_ms: int = EXPIRY_HOURS * _MS_PER_HOUR
    backlog_max: int = BACKLOG_MAX


@dataclass(slots=True)
class Cycle:
    """One cycle: what it was given, and what its transaction did."""

    ended: list[Ended]
    turns: list[Lane]
    returned: list[Candidate] = field(default_factory=list)
    """Claimed ahead and handed back."""
    gone: dict[int, list[int]] = field(init=False)
    """By lane, the numbers of `ended` and `returned`."""
    withdrawn: list[Settled] = field(default_factory=list)
    """Of `returned`, what ended as cancelled."""
    recorded: Recorded = field(default_factory=Recorded)
    step: Step | None = None
    claims: list[Claim] = field(default_factory=list)
    starved: list[Lane] = field(default_factory=list)
    """Lanes that had no room among all attempts, or whose turn came after the cycle was full."""
    sweep: Sweep | None = None
    swept: list[Settled] = field(default_factory=list)
    swept_cursor: int = 0
    due_found: list[tuple[int, int]] = field(default_factory=list)
    """(lane, earliest due time) where all lanes were looked at."""
    backlog_changes: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gone: dict[int, list[int]] = {}
        for item in chain((one.item for one in self.ended), self.returned):
            if item.lane in gone:
                gone[item.lane].append(item.number)
            else:
                gone[item.lane] = [item.number]
        self.gone = gone

    def begin(self) -> None:
        """Forget what a transaction did that was not kept: the database may ask for the cycle to be run again."""
        self.withdrawn = []
        self.recorded = Recorded()
        self.step = None
        self.claims = []
        self.starved = []
        self.sweep = None
        self.swept = []
        self.swept_cursor = 0
        self.due_found = []
        self.backlog_changes = {}

    def progressed(self) -> bool:
        """Whether the cycle changed anything that may make more work possible."""
        return bool(
            self.ended
            or self.returned
            or self.step is not None
            or self.sweep is not None
            or self.due_found
            or len(self.turns) > len(self.starved)  # the line got shorter: others come next
            or any(claim.items or claim.ended or claim.due_checked for claim in self.claims)
        )


def backlog_changes(cycle: Cycle) -> dict[int, int]:
    """By lane, how many more deliveries wait after a cycle, those that fan-out made aside."""
    changes: dict[int, int] = {}
    for claim in cycle.claims:
        if claim.left:
            changes[claim.subscription.lane] = -claim.left
    waits_again = chain(
        (item.lane for item in cycle.returned if not item.replay),
        (one.lane for one in cycle.recorded.waiting),
    )
    for lane in waits_again:
        changes[lane] = changes.get(lane, 0) + 1
    for settled in chain(cycle.withdrawn, cycle.swept):
        changes[settled.lane] = changes.get(settled.lane, 0) - 1
    return changes


def progress_rows(
    cycle: Cycle, subscriptions: Mapping[int, Subscription], lanes: Mapping[int, Lane]
) -> list[tuple[int, int, int, int, int]]:
    """What is saved of lanes that a cycle worked on: (cursor, head, waiting, seen, lane)."""
    cursors = {claim.subscription.lane: claim.cursor for claim in cycle.claims}
    if cycle.sweep is not None:
        key = cycle.sweep.lane
        cursors[key] = max(cursors.get(key, subscriptions[key].cursor), cycle.swept_cursor)
    begun: dict[int, list[int]] = {}
    for claim in cycle.claims:
        begun[claim.subscription.lane] = [item.number for item in claim.items if not item.due]
    gone, changes = cycle.gone, cycle.backlog_changes
    rows = []
    for key in {*cursors, *gone}:
        subscription = subscriptions[key]
        cursor = cursors.get(key, subscription.cursor)
        lane = lanes.get(key)
        first = begun.get(key, [])
        if lane is not None:
            first = [*first, *lane.claimed_first.difference(gone.get(key, ()))]
        head = min(first, default=cursor)
        waiting = subscription.backlog + changes.get(key, 0)
        rows.append((cursor, head, waiting, subscription.created, key))
    return rows
