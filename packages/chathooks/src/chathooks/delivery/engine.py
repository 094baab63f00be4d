"""The delivery engine: from the feed to the endpoints, in cycles.

A cycle is one transaction: it records the attempts that ended, fans out the next entries of the feed, cancels
what was withdrawn, and claims deliveries for lanes that have room. After its commit the claimed attempts begin,
and memory is brought to where the store is; nothing in memory changes before.

    feed --fan-out--> pending --claim--> in_flight --attempt--> delivered | failed | retrying --due--> claim …

What a crash does at each step:
- before the commit: the cycle never was; attempts that ended are lost to memory and count as in flight;
- after the commit, before or during an attempt, or before its record: the delivery is stored as in flight.
  The next start writes the attempt down as interrupted and makes another at once; it uses up no retry. This is
  the only way in which an acknowledged delivery is sent again (delivery contract §3.2).
While the store cannot record, ended attempts stay in memory and keep their lanes' slots, so nothing piles up.

Who goes next: lanes with work stand in line and take turns; a turn claims at most what the lane's own
concurrency and its fair share of the process allow (`lanes`). One timer waits for the earliest due time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import structlog

from chathooks.delivery.claims import Claim, Moment, expire_turn, take_turn
from chathooks.delivery.cycle import Cycle, EngineLimits, backlog_changes, progress_rows
from chathooks.delivery.endpoints import Endpoints
from chathooks.delivery.fanout import Fanout, Step, Subscription
from chathooks.delivery.following import Follower
from chathooks.delivery.health import Health
from chathooks.delivery.lanes import Lane, Lanes
from chathooks.delivery.loading import load
from chathooks.delivery.queue import DeliveryTransaction, Sweep
from chathooks.delivery.recording import Ended, record, recover
from chathooks.delivery.records import State
from chathooks.delivery.sender import Sender
from chathooks.delivery.starting import Starter, hand_back, pause
from chathooks.delivery.sweeping import Sweeps
from chathooks.delivery.tally import tally, tally_ended, tally_recorded
from chathooks.egress.client import EgressClient
from chathooks.egress.guard import TargetPolicy
from chathooks.kernel.clock import Clock, Timer
from chathooks.kernel.crypto import SecretBox
from chathooks.kernel.errors import SeatLost, StoreUnavailable
from chathooks.kernel.news import EVERYTHING
from chathooks.kernel.transactions import Store, Topic

RECORDS_PER_CYCLE_MAX = 512
TURNS_PER_CYCLE_MAX = 256
CLAIMS_PER_CYCLE_MAX = 256
STORE_RETRY_MS = 500
"""Pause after a cycle that the store could not keep."""
BUSY_ENDED_MIN = 16
"""A cycle that records so many attempts is followed by a pause, so that the next one records more per commit."""
STOP_SPARE_S = 3.0
"""Bound on a graceful stop beyond the time-out of attempts: what their record may take."""

log = structlog.get_logger("delivery")


class Engine:
    """Delivers what the feed holds. `await start()`, later `await stop()`."""

    def __init__(
        self,
        *,
        store: Store[DeliveryTransaction],
        clock: Clock,
        client: EgressClient,
        box: SecretBox,
        targets: TargetPolicy,
        limits: EngineLimits,
        health: Health | None = None,
        shares: Sequence[int] | None = None,
        certain: Callable[[], bool] | None = None,
    ) -> None:
        """
        Args:
            store: what is owed; with `shares`, the session whose seat holds them.
            health: told how deliveries end; its own where None.
            shares: whose lanes it delivers for, while a sequencer fans out; None: all, and it fans out itself.
            certain: whether these are surely its own still (`starting`).
        """
        self._store = store
        self._clock = clock
        self._sender = Sender(client, clock, timeout_s=limits.timeout_s, ended=self._on_ended)
        self._starter = Starter(self._sender.begin, certain)
        self._limits = limits
        self._shares = shares
        self.fanout: Fanout | Follower = (
            Fanout(backlog_max=limits.backlog_max) if shares is None else Follower(clock, shares)
        )
        self.lanes = Lanes()
        self.health = Health() if health is None else health
        self._position = 0
        self._feed_waits = True
        self._due_unknown = False
        """Whether lanes may have fallen due that nobody told of."""
        self._subscriptions: list[Callable[[], None]] = []
        self._sweeps = Sweeps()
        self._ended: deque[Ended] = deque()
        self._endpoints = Endpoints(box, targets)
        self._bell = asyncio.Event()
        self._due_timer: Timer | None = None
        self._pause_timer: Timer | None = None
        self._paused = False
        self._stopping = False
        self._woken: set[int] = set()
        """Lanes to look at anew once the cycle under way is applied."""
        self._busy = False
        self._quiet = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- start and stop ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recover what a crash left in flight, take up the backlog, begin to deliver."""
        now, wall = self._clock.steady_ms(), self._clock.wall_ms()
        heard = {
            Topic.FEED if self._shares is None else Topic.LANES: self._on_feed,
            Topic.WEBHOOK: self._on_webhook,
            Topic.REPLAY: self._on_replay,
        }
        self._subscriptions = [self._store.subscribe(*one) for one in heard.items()]
        recovered = await self._store.write(lambda tx: recover(tx, now, wall, self._shares))
        if recovered:
            log.info("interrupted attempts are made again", count=recovered)
        latest = now + max(self._limits.retry_schedule_ms, default=0)
        loaded = await self._store.write(lambda tx: load(tx, self._shares, now=now, latest=latest))
        loaded.apply(self.fanout.subscriptions, self.lanes)
        self._position = loaded.position
        self._sweeps.add(loaded.sweeps)
        self._ring()
        self._task = asyncio.create_task(self._run(), name="delivery-engine")

    def hold(self) -> None:
        """Begin no more attempts from now on; the first step of a stop."""
        self._stopping = True
        self._starter.stop(self.lanes.by_key.values())
        self._ring()

    async def ended(self) -> None:
        """Wait until the engine has ended; raises what ended it other than a stop.

        A fault after a commit leaves memory behind the store: then only a new start is right.
        """
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Begin no more attempts, let running ones end and record them; the rest stays stored.

        What could not be recorded within STOP_SPARE_S of the last time-out is made again by the next start.
        """
        self.hold()
        if self._task is not None and not self._task.done():
            try:
                await asyncio.wait_for(self._task, self._limits.timeout_s + STOP_SPARE_S)
            except TimeoutError:
                log.error("attempts end unrecorded; the next start makes them again")
        self._let_go()

    async def abandon(self) -> None:
        """Forget everything: the lanes are another's now, who makes what was in flight again."""
        self.hold()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._let_go()

    def _let_go(self) -> None:
        for unsubscribe in self._subscriptions:
            unsubscribe()
        for timer in (self._due_timer, self._pause_timer):
            if timer is not None:
                timer.cancel()

    async def quiet(self) -> None:
        """Wait until nothing is in flight and nothing can be done before a timer or a commit rings."""
        await self._quiet.wait()

    # -- what rings the bell -----------------------------------------------------------------------------

    def _ring(self) -> None:
        self._quiet.clear()
        self._bell.set()

    def go_on(self) -> None:
        """The lanes are certainly its own again."""
        self._ring()

    def _on_feed(self, _key: int) -> None:
        self._feed_waits = True
        self._ring()

    def _on_webhook(self, lane_key: int) -> None:
        if lane_key == EVERYTHING:
            self._endpoints.clear()
            return  # what changed beyond the endpoint itself is in the feed
        self._endpoints.forget(lane_key)
        self.health.changed(lane_key)
        self._wake_lane(lane_key)

    def _on_replay(self, lane_key: int) -> None:
        if lane_key == EVERYTHING:
            self._due_unknown = True
            self._ring()
        self._wake_lane(lane_key)

    def _wake_lane(self, lane_key: int) -> None:
        """Look at a lane's due index and cursor anew."""
        subscription = self.fanout.subscriptions.lanes.get(lane_key)
        if subscription is not None:
            # A cycle whose transaction ran before this news may be applied after it, and would undo it.
            self._woken.add(lane_key)
            self._look_at(subscription)
            self._ring()

    def _look_at(self, subscription: Subscription) -> None:
        lane = self.lanes.of(subscription)
        self._starter.give_back(lane)  # it was claimed by what may hold no longer
        self.lanes.due_at(lane, self._clock.steady_ms())
        self.lanes.want_turn(lane)

    def _on_due(self) -> None:
        self._due_timer = None
        self._ring()

    def _on_pause_over(self) -> None:
        self._paused = False
        self._ring()

    # -- cycles ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if not (self._bell.is_set() or self._has_work() or self.lanes.in_flight):
                self._quiet.set()
            await self._bell.wait()
            self._bell.clear()
            if self._starter.fault is not None:
                raise self._starter.fault
            if self._stopping and not self._ended and self.lanes.in_flight == 0:
                return
            if not self._paused:
                if self._busy:
                    await pause(self._starter)
                await self._cycle()

    def _has_work(self) -> bool:
        if self._ended or self._starter.returned:
            return True
        return not self._stopping and (
            self._feed_waits or self._due_unknown or bool(self._sweeps) or self.lanes.has_turns()
        )

    async def _cycle(self) -> None:
        self._watch_due()
        if not self._has_work():
            return
        ended = list(islice(self._ended, RECORDS_PER_CYCLE_MAX))
        turns = [] if self._stopping else self.lanes.take_turns(TURNS_PER_CYCLE_MAX)
        cycle = Cycle(ended, turns, list(self._starter.returned))
        feed_waits, self._feed_waits = self._feed_waits and not self._stopping, False
        due_unknown, self._due_unknown = self._due_unknown, False
        self._woken.clear()
        try:
            await self._store.write(
                lambda tx: self._transact(tx, cycle, feed_waits, due_unknown), patient=True
            )
        except SeatLost:
            raise
        except Exception as error:
            # Nothing of the cycle was kept and memory is as it was, so it can be tried again.
            if isinstance(error, StoreUnavailable):
                log.warning("the store cannot record; deliveries pause", reason=error.message)
            else:
                log.error("a delivery cycle failed; deliveries pause", exc_info=error)
            self._endpoints.clear()
            self._starter.give_back_all(self.lanes.by_key.values())
            self._feed_waits = self._feed_waits or feed_waits
            self._due_unknown = self._due_unknown or due_unknown
            for lane in turns:
                self.lanes.want_turn(lane)
            self._paused = True
            self._pause_timer = self._clock.call_at(
                self._clock.steady_ms() + STORE_RETRY_MS, self._on_pause_over
            )
            return
        for _ in ended:
            self._ended.popleft()
        del self._starter.returned[: len(cycle.returned)]
        self._busy = len(ended) >= BUSY_ENDED_MIN
        self._apply(cycle)

    def _watch_due(self) -> None:
        """Put due lanes in line and wait for the next with one timer."""
        if self._due_timer is not None:
            self._due_timer.cancel()
        self._due_timer = None
        next_due = self.lanes.fall_due(self._clock.steady_ms())
        if next_due is not None and not self._stopping:
            self._due_timer = self._clock.call_at(next_due, self._on_due)

    # -- inside the transaction: memory is read, never changed --------------------------------------------

    async def _transact(
        self, tx: DeliveryTransaction, cycle: Cycle, feed_waits: bool, due_unknown: bool
    ) -> None:
        cycle.begin()
        wall = self._clock.wall_ms()
        moment = Moment(self._clock.steady_ms(), wall, wall - self._limits.expiry_ms)
        if cycle.ended:
            cycle.recorded = await record(
                tx,
                cycle.ended,
                endpoint_now=self._endpoints.get,
                schedule_ms=self._limits.retry_schedule_ms,
                now=moment.steady_ms,
            )
        lanes = self.fanout.subscriptions.lanes
        cycle.withdrawn = await hand_back(tx, cycle.returned, lanes, moment.steady_ms)
        if feed_waits:
            cycle.step = await self.fanout.step(tx, self._position)
        if due_unknown:
            cycle.due_found = await tx.due_lanes(self._shares)
        if self._sweeps and not self._stopping:
            await self._sweeps.take_piece(tx, cycle, lanes, moment)
        if not self._stopping:
            await self._claim(tx, cycle, moment)
        cycle.backlog_changes = backlog_changes(cycle)
        await tx.save_progress(
            progress_rows(cycle, self.fanout.subscriptions.lanes, self.lanes.by_key)
        )

    async def _claim(self, tx: DeliveryTransaction, cycle: Cycle, moment: Moment) -> None:
        freed = {key: len(numbers) for key, numbers in cycle.gone.items()}
        turns = {lane.key: lane for lane in cycle.turns}
        for key in freed:
            turns.setdefault(key, self.lanes.by_key[key])
        next_numbers: dict[int, int] = {}
        if cycle.step is not None:
            next_numbers = cycle.step.next_numbers
            for key in cycle.step.created:
                if key not in turns:
                    subscription = self.fanout.subscriptions.lanes[key]
                    turns[key] = self.lanes.by_key.get(key) or Lane(subscription)
        if not self._starter.is_certain():
            cycle.starved.extend(turns.values())
            return
        due_now = {lane for lane, due_at in cycle.recorded.due if due_at <= moment.steady_ms}
        planned = -len(cycle.ended) - len(cycle.returned)
        claimed = 0
        for key, lane in turns.items():
            endpoint = await self._endpoints.load(tx, key)
            if endpoint is None:
                continue
            if endpoint.unreadable:
                turn = await expire_turn(tx, lane.subscription, endpoint, moment)
                cycle.claims.append(turn)
                continue
            due = key in due_now or (
                lane.next_due is not None and lane.next_due <= moment.steady_ms
            )
            ahead = 0
            if not (due or lane.subscription.ordered):
                ahead = len(cycle.recorded.delivered.get(key, ()))
            slots = self.lanes.slots(
                lane, endpoint.max_concurrency, freed.get(key, 0), planned, ahead
            )
            slots = min(slots, CLAIMS_PER_CYCLE_MAX - claimed)
            if slots <= 0:
                if lane.in_flight - freed.get(key, 0) < endpoint.max_concurrency:
                    cycle.starved.append(lane)
                continue
            claim = await take_turn(
                tx,
                lane.subscription,
                endpoint,
                slots=slots,
                next_number=next_numbers.get(key) or lane.subscription.next_number,
                due=due,
                moment=moment,
            )
            planned += len(claim.items)
            claimed += len(claim.items)
            cycle.claims.append(claim)

    # -- after the commit --------------------------------------------------------------------------------

    def _apply(self, cycle: Cycle) -> None:
        subscriptions = self.fanout.subscriptions
        self._apply_ended(cycle)
        if cycle.step is not None:
            self._apply_step(cycle.step)
        if cycle.sweep is not None:
            self._apply_sweep(cycle, cycle.sweep)
        for key, change in cycle.backlog_changes.items():
            subscriptions.lanes[key].backlog += change
        for key, _ in cycle.due_found:
            self._wake_lane(key)
        for claim in cycle.claims:
            self._apply_claim(claim)
        for key in self._woken:
            self._look_at(subscriptions.lanes[key])
        for lane in cycle.starved:
            self.lanes.want_turn(self.lanes.of(subscriptions.lanes[lane.key]))
        for key in {*(lane.key for lane in cycle.turns), *cycle.gone}:
            lane_or_none = self.lanes.by_key.get(key)
            if lane_or_none is not None:
                self.lanes.forget_if_idle(lane_or_none)
        self._starter.show()
        self._watch_due()
        # Lanes that only wait for room must not keep the engine turning: an attempt that ends rings.
        if self._stopping or (cycle.progressed() and self._has_work()):
            self._ring()

    def _apply_ended(self, cycle: Cycle) -> None:
        self._sender.tell()
        recorded = cycle.recorded
        tally_recorded(recorded)
        for key, numbers in cycle.gone.items():
            lane = self.lanes.by_key[key]
            self.lanes.ended(lane, len(numbers))
            lane.claimed_first.difference_update(numbers)
        now = self._clock.steady_ms()
        for item in cycle.returned:
            self.lanes.due_at(self.lanes.by_key[item.lane], now)
        tally_ended(settled.state for settled in cycle.withdrawn)
        self.health.recorded(cycle.ended, recorded)
        for key, due_at in recorded.due:
            self.lanes.due_at(self.lanes.of(self.fanout.subscriptions.lanes[key]), due_at)

    def _apply_step(self, step: Step) -> None:
        step.apply(self.fanout.subscriptions)
        self._position = step.position
        self._feed_waits = self._feed_waits or step.more
        if isinstance(self.fanout, Fanout):
            tally(step, self.health)
        self._sweeps.add(step.sweeps)
        for subscription in step.changed:
            self._endpoints.forget(subscription.lane)
            self._wake_lane(subscription.lane)
        for lane in step.woken:
            self._wake_lane(lane)

    def _apply_sweep(self, cycle: Cycle, sweep: Sweep) -> None:
        self._sweeps.done(sweep)
        subscription = self.fanout.subscriptions.lanes[sweep.lane]
        subscription.cursor = max(subscription.cursor, cycle.swept_cursor)
        tally_ended(settled.state for settled in cycle.swept)
        self._wake_lane(sweep.lane)

    def _apply_claim(self, claim: Claim) -> None:
        subscription = claim.subscription
        subscription.cursor = max(subscription.cursor, claim.cursor)
        ends = tally_ended(settled.state for settled in claim.ended)
        if expired := ends[State.EXPIRED]:
            self.health.expire(subscription.lane, expired)
            log.warning(
                "deliveries expired before their turn", lane=subscription.lane, count=expired
            )
        if not claim.items and not claim.due_checked and subscription.lane not in self.lanes.by_key:
            return
        lane = self.lanes.of(subscription)
        if claim.due_checked:
            self.lanes.set_next_due(lane, claim.next_due)
        self.lanes.begun(lane, len(claim.items))
        lane.claimed_first.update(item.number for item in claim.items if not item.due)
        has_room = lane.in_flight < claim.endpoint.max_concurrency
        if claim.endpoint.open and has_room and subscription.cursor < subscription.next_number:
            self.lanes.want_turn(lane)
        self._starter.take(lane, claim.endpoint, claim.items)

    def _on_ended(self, ended: Ended) -> None:
        self._ended.append(ended)
        self._starter.ended(self.lanes.by_key[ended.item.lane])
        if not self._bell.is_set():
            self._ring()

    # -- for the supervisor and for tests ------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Feed position of the last entry fanned out."""
        return self._position

    def loads(self) -> Sequence[tuple[int, int, int]]:
        """(lane, deliveries waiting, in flight) of the lanes that have work."""
        lanes = self.lanes.by_key.values()
        return [(lane.key, lane.subscription.backlog, lane.in_flight) for lane in lanes]

    def backlogs(self) -> Sequence[tuple[int, int, int]]:
        """(lane, deliveries waiting, cursor) of the lanes in which some wait."""
        lanes = [lane.subscription for lane in self.lanes.by_key.values()]
        return [(one.lane, one.backlog, one.cursor) for one in lanes if one.backlog > 0]
