"""What replays ask of a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chathooks.delivery.queue import ReplayFilter
from chathooks.delivery.webhook_store import StoredWebhook
from chathooks.kernel.transactions import Notifying


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRow:
    """A replay of many that goes on after its call; times in unix ms."""

    replay: int
    lane: int
    app: int
    webhook_id: str
    webhook_deleted: bool
    created_at: int
    wanted: ReplayFilter
    first_number: int
    next_number: int
    """Numbers below it were looked at."""
    stop_number: int
    """Ends before it."""
    replayed: int
    ended_at: int | None
    stopped: bool

    @property
    def state(self) -> str:
        """`running`, `done` or `stopped`."""
        if self.ended_at is None:
            return "running"
        return "stopped" if self.stopped else "done"


class ReplayTransaction(Notifying, Protocol):
    """The port of replays. All lists are bounded by their `limit`."""

    async def find_webhook(self, app: int, webhook_id: str) -> StoredWebhook | None: ...
    async def replayable_one(self, lane: int, number: int) -> tuple[int, bool, int, bool] | None:
        """(app, webhook deleted, state, event kept) of a delivery."""

    async def replayable(
        self, lane: int, start: int, stop: int, wanted: ReplayFilter, limit: int
    ) -> tuple[list[tuple[int, int]], int]:
        """(number, bytes of the event's data) of deliveries that the filter matches and whose event is kept, in order.

        At most `limit` of those from `start` to before `stop`; with them the number up to which all were found.
        """

    async def make_replay(self, lane: int, numbers: Sequence[int], due_at: int) -> None:
        """Make deliveries that ended due at a steady time."""

    async def numbers_of_lane(self, lane: int) -> tuple[int, int]:
        """Lowest and highest number kept of a lane; zeros where there is none."""

    async def created_from(self, lane: int, number: int) -> int | None:
        """Commit time (unix ms) of the event of the first delivery from a number on."""

    async def recent_attempt_us(self, lane: int, attempts: int) -> int | None:
        """Mean duration in µs of a lane's latest attempts; None where there is none."""

    async def replays_waiting(self, lane: int, limit: int) -> int:
        """Replays among the `limit` deliveries of the lane that fall due first."""

    async def insert_replay(self, new: ReplayRow) -> int: ...
    async def find_replay(self, replay: int) -> ReplayRow | None: ...
    async def replays_below(self, lane: int, below: int, limit: int) -> list[ReplayRow]:
        """Replays of a lane with smaller keys, the latest first."""

    async def running_replays(self, limit: int) -> list[int]: ...
    async def running_of_lane(self, lane: int) -> int: ...
    async def advance_replay(self, row: ReplayRow) -> None:
        """Keep how far a replay is."""

    async def prune_replays(self, before_ms: int, limit: int) -> int:
        """Forget the oldest replays that ended before a time."""
