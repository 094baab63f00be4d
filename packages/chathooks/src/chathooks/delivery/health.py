"""What the engine notes of each lane's health as deliveries end; alerts are judged from it (`alerts`).

A few dictionary operations per delivery that ended, nothing per attempt. In memory only: a restart begins anew.
Replays leave health alone (delivery contract §2). At most one entry per lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chathooks.delivery.recording import Ended, Recorded
from chathooks.delivery.records import State

_DELIVERED = int(State.DELIVERED)
_FAILED = int(State.FAILED)


@dataclass(slots=True)
class Health:
    """Counters by lane."""

    failed_in_row: dict[int, int] = field(default_factory=dict)
    """Deliveries that failed since the last one that was delivered, or since the webhook was changed."""
    acknowledged: set[int] = field(default_factory=set)
    """Lanes with an acknowledged delivery since the last `take`."""
    expired: dict[int, int] = field(default_factory=dict)
    """Deliveries that expired since the last `take`."""

    def recorded(self, ended: Sequence[Ended], recorded: Recorded) -> None:
        """Attempts were recorded: `ended` in the order in which they ended, and what became of their deliveries."""
        if not recorded.others:
            for lane in recorded.delivered:
                self._delivered(lane)
            return
        others = zip(recorded.others, recorded.settled, strict=True)
        other = next(others, None)
        for one in ended:
            if other is None or one is not other[0]:
                self._delivered(one.item.lane)
                continue
            delivery = other[1]
            other = next(others, None)
            if delivery.due_at is not None or one.item.replay:
                continue
            lane = delivery.lane
            if delivery.state == _DELIVERED:
                self._delivered(lane)
            elif delivery.state == _FAILED:
                self.failed_in_row[lane] = self.failed_in_row.get(lane, 0) + 1

    def _delivered(self, lane: int) -> None:
        self.acknowledged.add(lane)
        if self.failed_in_row:
            self.failed_in_row.pop(lane, None)

    def expire(self, lane: int, count: int) -> None:
        """Deliveries ended as expired."""
        self.expired[lane] = self.expired.get(lane, 0) + count

    def changed(self, lane: int) -> None:
        """The webhook was changed: what failed before says nothing of it now."""
        self.failed_in_row.pop(lane, None)

    def take(self) -> tuple[set[int], dict[int, int]]:
        """Lanes acknowledged and deliveries expired since the last call; counting begins anew."""
        taken = self.acknowledged, self.expired
        self.acknowledged, self.expired = set(), {}
        return taken
