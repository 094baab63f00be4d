"""Begins the attempts that were claimed; what a lane has no slot for yet waits here, claimed ahead.

A lane that works off a backlog would otherwise stand still from an attempt's end to the commit that claims the next
delivery. So a cycle claims for such a lane as many deliveries beyond its free slots as it recorded acknowledgements
for: they are in flight for the store, and each attempt that ends begins the next of them at once. Commits get fewer
and bigger with it. A lane that is not answered, or in which a retry or a replay is due, claims nothing ahead.

What waits here was never sent. When the webhook changes, the engine stops or the store cannot record, it is handed back
to the store: its attempt counts as not begun, and the due index finds it. A crash leaves it in flight, as if it had been begun.

In a cluster nothing begins while it is not certain that the lanes are still this engine's: a process that stood still
for long must not send what another has sent meanwhile. What it had claimed is handed back, if there is anything to hand back to.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from chathooks.delivery.fanout import Subscription
from chathooks.delivery.lanes import Lane
from chathooks.delivery.payload import Endpoint
from chathooks.delivery.queue import Candidate, DeliveryTransaction, Settled
from chathooks.delivery.records import State
from chathooks.kernel import telemetry

BUSY_PACE_S = 0.002
BUSY_PACES_MAX = 3
AHEAD_MIN = 64
"""While so many are claimed ahead a pause goes on, up to BUSY_PACES_MAX paces: slots are filled without a cycle."""

Begin = Callable[[Subscription, Endpoint, Candidate], None]


class Starter:
    """Begins attempts as their lanes have slots."""

    def __init__(self, begin: Begin, certain: Callable[[], bool] | None = None) -> None:
        """
        Args:
            begin: begins one attempt.
            certain: whether the lanes are surely this engine's still; None: always.
        """
        self._begin = begin
        self._certain = certain
        self._stopped = False
        self._shown = 0
        self.running = 0
        """Attempts of all lanes that began and have not ended."""
        self.waiting = 0
        """Deliveries of all lanes that are claimed ahead."""
        self.fault: Exception | None = None
        """What kept a claimed attempt from beginning: the engine ends with it, as who told of an end cannot."""
        self.returned: list[Candidate] = []
        """Claimed and never begun; to be handed back in the next cycle."""

    def is_certain(self) -> bool:
        """Whether the lanes are surely this engine's still."""
        return self._certain is None or self._certain()

    def take(self, lane: Lane, endpoint: Endpoint, items: Sequence[Candidate]) -> None:
        """Begin what was claimed, as soon as the lane has slots."""
        lane.endpoint = endpoint
        lane.ahead.extend(items)
        self.waiting += len(items)
        self._fill(lane)
        if self._stopped:
            self.give_back(lane)

    def ended(self, lane: Lane) -> None:
        """An attempt of the lane ended: its slot is free for the next one."""
        lane.running -= 1
        self.running -= 1
        if lane.ahead:
            try:
                self._fill(lane)
            except Exception as error:
                self.fault = error

    def _fill(self, lane: Lane) -> None:
        endpoint = lane.endpoint
        if endpoint is None or lane.filling:
            return
        if not self.is_certain():
            self.give_back(lane)
            return
        lane.filling = True  # an attempt that needs no sending ends before `begin` returns
        ahead, begin, subscription = lane.ahead, self._begin, lane.subscription
        try:
            while ahead and lane.running < endpoint.max_concurrency:
                lane.running += 1
                self.running += 1
                self.waiting -= 1
                begin(subscription, endpoint, ahead.popleft())
        finally:
            lane.filling = False

    def give_back(self, lane: Lane) -> None:
        """Begin no more of what the lane has claimed ahead."""
        self.returned += lane.ahead
        self.waiting -= len(lane.ahead)
        lane.ahead.clear()

    def give_back_all(self, lanes: Iterable[Lane]) -> None:
        """Begin no more of what any lane has claimed ahead."""
        for lane in lanes:
            self.give_back(lane)

    def show(self) -> None:
        """Bring the gauge up to date; a process may have several."""
        telemetry.ATTEMPTS_IN_FLIGHT.inc(self.running - self._shown)
        self._shown = self.running

    def stop(self, lanes: Iterable[Lane]) -> None:
        """Begin no more attempts but those that have their slot already."""
        self._stopped = True
        self.give_back_all(lanes)


async def pause(starter: Starter) -> None:
    """Let more attempts end before the next cycle, so that its commit records more."""
    for _ in range(BUSY_PACES_MAX):
        await asyncio.sleep(BUSY_PACE_S)
        if starter.waiting < AHEAD_MIN:
            return


async def hand_back(
    tx: DeliveryTransaction,
    returned: Sequence[Candidate],
    subscriptions: dict[int, Subscription],
    now: int,
) -> list[Settled]:
    """Let deliveries that were claimed ahead wait again; answers those that ended as cancelled instead.

    What was withdrawn meanwhile ends here, since the lane's sweep may have passed it while it was in flight.

    Args:
        tx: the cycle's transaction.
        returned: deliveries whose attempt did not begin.
        subscriptions: by lane.
        now: steady ms.
    """
    if not returned:
        return []
    waiting: list[tuple[int, int]] = []
    cancelled: list[Settled] = []
    for item in returned:
        withdrawn = subscriptions[item.lane].is_withdrawn(item.number, item.trigger_number)
        if withdrawn and not item.replay and item.ordered_stream is None:
            cancelled.append(
                Settled(int(State.CANCELLED), item.failures, None, None, item.lane, item.number)
            )
        waiting.append((item.lane, item.number))
    await tx.hand_back(waiting, now)
    await tx.settle(cancelled)
    return cancelled
