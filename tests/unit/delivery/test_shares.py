"""Who takes and gives which shares: whatever happens, all are had by somebody, evenly, and then nothing moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chathooks.delivery.membership import Roster, Seat, Share
from chathooks.delivery.shares import (
    LANE_SHARES,
    LEAD,
    LOOKS_UNTIL_STALE,
    Plan,
    Watch,
    plan,
    share_of,
)

ROUNDS_UNTIL_REST = 4


class World:
    """Shares and seats as the store has them; nodes act on what they saw, one at a time."""

    def __init__(self) -> None:
        self.owner: dict[int, int | None] = dict.fromkeys(range(LANE_SHARES + 1))
        self.seats: list[int] = []
        self.latest = 0

    def join(self) -> int:
        self.latest += 1
        self.seats.append(self.latest)
        return self.latest

    def depose(self, seat: int) -> None:
        self.seats.remove(seat)
        for share, owner in self.owner.items():
            if owner == seat:
                self.owner[share] = None

    def roster(self, me: int) -> Roster:
        return Roster(
            me,
            tuple(Seat(seat, f"node{seat}", True, 0) for seat in self.seats),
            tuple(Share(share, owner, 0) for share, owner in self.owner.items()),
        )

    def act(self, me: int, todo: Plan) -> None:
        mine = [share for share, owner in self.owner.items() if owner == me and share != LEAD]
        for share in mine[: todo.give]:
            self.owner[share] = None
        for share in todo.take:
            if self.owner[share] is None:
                self.owner[share] = me

    def parts(self) -> list[int]:
        owners = [owner for share, owner in self.owner.items() if share != LEAD]
        return [owners.count(seat) for seat in self.seats]

    def rest(self) -> None:
        for _ in range(ROUNDS_UNTIL_REST):
            for seat in self.seats:
                self.act(seat, plan(self.roster(seat)))


class SharesMachine(RuleBasedStateMachine):
    """Nodes come, go, and act on looks that may be old."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule()
    def a_node_joins(self) -> None:
        if len(self.world.seats) < LANE_SHARES:
            self.world.join()

    @rule(place=st.integers(0, 7))
    def a_node_dies(self, place: int) -> None:
        if self.world.seats:
            self.world.depose(self.world.seats[place % len(self.world.seats)])

    @rule(order=st.permutations(range(5)))
    def all_act_on_the_same_old_look(self, order: list[int]) -> None:
        seats = self.world.seats
        acting = [seats[place % len(seats)] for place in order] if seats else []
        plans = [(seat, plan(self.world.roster(seat))) for seat in dict.fromkeys(acting)]
        for seat, todo in plans:
            self.world.act(seat, todo)

    @invariant()
    def they_come_to_rest_with_even_parts(self) -> None:
        if not self.world.seats:
            return
        self.world.rest()
        parts = self.world.parts()
        assert sum(parts) == LANE_SHARES
        assert max(parts) - min(parts) <= 1
        assert self.world.owner[LEAD] is not None
        for seat in self.world.seats:
            assert plan(self.world.roster(seat)) == Plan()


TestAnyComingAndGoingComesToRest = SharesMachine.TestCase


@given(st.integers(1, 2**62))
def test_every_lane_has_a_share(lane: int) -> None:
    assert share_of(lane) in range(1, LANE_SHARES + 1)


def test_a_node_counts_on_its_part_as_soon_as_another_is_dead() -> None:
    world = World()
    me, other = world.join(), world.join()
    world.rest()
    assert world.parts() == [LANE_SHARES // 2] * 2
    # Deposed in the same turn: its shares are not free yet in this look, but they will be in the next.
    assert plan(world.roster(me), stale={other}) == Plan()
    world.depose(other)
    assert len(plan(world.roster(me)).take) >= LANE_SHARES // 2


def test_who_has_no_seat_or_does_not_work_takes_nothing() -> None:
    world = World()
    world.join()
    assert plan(world.roster(99)) == Plan()
    idle = Roster(1, (Seat(1, "api", False, 0),), world.roster(1).shares)
    assert plan(idle) == Plan()


@pytest.mark.parametrize("looks", [LOOKS_UNTIL_STALE - 1, LOOKS_UNTIL_STALE])
def test_a_seat_is_stale_after_looks_without_a_beat(looks: int) -> None:
    watch = Watch()
    assert watch.look({7: 1}) == set()
    stale: set[int] = set()
    for _ in range(looks):
        stale = watch.look({7: 1})
    assert stale == ({7} if looks == LOOKS_UNTIL_STALE else set())
    assert watch.look({7: 2}) == set()


def test_time_without_a_database_counts_against_nobody() -> None:
    watch = Watch()
    for _ in range(LOOKS_UNTIL_STALE):
        watch.look({7: 1})
    watch.interrupted()
    assert watch.look({7: 1}) == set()
