"""Shares: how the lanes are spread over the nodes of a cluster, and who leads.

Every lane belongs to one of LANE_SHARES shares for good. A share belongs to one node at a time, or to none for a moment
(`membership`). LEAD is a share like the others, without lanes: its holder sequences the feed and keeps the schedules.

A node that has fewer lane shares than its part takes free ones; one that has more gives some back. So whoever joins or
leaves, all come to rest with parts that differ by one at most, and nobody has to be told by another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chathooks.delivery.membership import Roster

LEAD = 0
LANE_SHARES = 64
"""Nodes that can work at the same time, and the steps in which work moves between them."""
LOOKS_UNTIL_STALE = 5
"""A seat that has not beaten for so many looks in a row, a second apart, is taken to be dead."""


CERTAIN_MS = 4_000
"""So long after a beat nobody can have been taken for dead: looks are a second apart."""


def share_of(lane: int) -> int:
    """The share that a lane belongs to."""
    return lane % LANE_SHARES + 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What a node does after a look."""

    take: tuple[int, ...] = ()
    give: int = 0
    """How many lane shares to give back."""


def plan(roster: Roster, *, stale: Iterable[int] = ()) -> Plan:
    """What the node at `roster.me` takes and gives.

    Args:
        roster: who is there and what everybody has.
        stale: seats that are taken to be dead.
    """
    dead = set(stale)
    workers = sorted(one.seat for one in roster.seats if one.works and one.seat not in dead)
    if roster.me not in workers:
        return Plan()
    owned = sum(one.seat == roster.me and one.share != LEAD for one in roster.shares)
    free = [one.share for one in roster.shares if one.seat is None]
    take = [LEAD] if LEAD in free else []
    # The remainder goes to the oldest seats, so that parts add up and nothing is passed to and fro.
    part, rest = divmod(LANE_SHARES, len(workers))
    part += workers.index(roster.me) < rest
    lanes = [share for share in free if share != LEAD]
    take += lanes[: max(0, part - owned)]
    return Plan(tuple(take), max(0, owned - part))


@dataclass(slots=True)
class Watch:
    """Tells which seats do not beat any more. Only looks count: no clock has a part in it."""

    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By seat: its beat, and for how many looks it has been the same."""

    def look(self, beats: Mapping[int, int]) -> set[int]:
        """Note the beats of all seats but one's own; answers those that are stale."""
        stale = set()
        seen = {}
        for seat, beat in beats.items():
            before, looks = self._seen.get(seat, (beat, -1))
            looks = looks + 1 if before == beat else 0
            seen[seat] = (beat, looks)
            if looks >= LOOKS_UNTIL_STALE:
                stale.add(seat)
        self._seen = seen
        return stale

    def interrupted(self) -> None:
        """The database was away: nobody could beat meanwhile."""
        self._seen.clear()
