"""One steady clock on many machines, whatever their wall clocks and the database's do (docs/adr/0005)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.app.anchor import AHEAD_JITTER_MS, AnchorKeeper, anchored_clock
from chathooks.app.cluster_clock import (
    BOOTS_KEPT_MAX,
    CLOCKS_APART_MS_MAX,
    DRIFT_ROUNDS,
    ClusterAnchorKeeper,
    cluster_clock,
)
from chathooks.kernel.clock import SystemClock

pytestmark = pytest.mark.anyio

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
ROUND_MS = 5_000


@dataclass
class Database:
    """A store with the clock of a database, which is moved by hand."""

    store: SqliteStore
    now_ms: int = START_MS
    round_trip_ms: int = 0
    machines: list["Machine"] = field(default_factory=list)

    async def write(
        self, command: Callable[[Any], Awaitable[Any]], *, patient: bool = False
    ) -> Any:
        return await self.store.write(lambda tx: command(_WithClock(tx, self)), patient=patient)

    def pass_ms(self, ms: int) -> None:
        """Time passes everywhere."""
        self.now_ms += ms
        for machine in self.machines:
            machine.wall += ms
            machine.up += ms

    def machine(self, boot: str, *, wall: int = START_MS, up: int = 5_000) -> "Machine":
        machine = Machine(self, boot, wall, up)
        self.machines.append(machine)
        return machine


class _WithClock:
    def __init__(self, tx: Any, database: Database) -> None:
        self._tx = tx
        self._database = database

    async def database_now_ms(self) -> int:
        # The answer is on its way for as long as the question was.
        self._database.pass_ms(self._database.round_trip_ms // 2)
        now_ms = self._database.now_ms
        self._database.pass_ms(self._database.round_trip_ms // 2)
        return now_ms

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


@dataclass
class Machine:
    """A machine of the cluster whose clocks are moved by hand."""

    database: Database
    boot: str
    wall: int
    up: int

    def reboot(self) -> None:
        self.boot += "+"
        self.up = 0

    def clock(self, **anchor: Any) -> SystemClock:
        machine = self

        class OnMachine(SystemClock):
            @staticmethod
            def monotonic_ms() -> int:
                return machine.up

            def wall_ms(self) -> int:
                return machine.wall

            def steady_ms(self) -> int:
                return machine.up + self._offset_ms

        return OnMachine(**anchor)

    async def start(self) -> tuple[SystemClock, ClusterAnchorKeeper]:
        """A process on this machine, which has noted once where it stands."""
        clock = await cluster_clock(self.database, boot=self.boot, make=self.clock)
        keeper = ClusterAnchorKeeper(self.database, clock, boot=self.boot)
        await keeper.keep()
        return clock, keeper


@pytest.fixture
def database(store: SqliteStore) -> Database:
    return Database(store)


def behind(one: SystemClock, other: SystemClock) -> int:
    """By how much a clock is behind another."""
    return other.steady_ms() - one.steady_ms()


async def test_processes_of_one_machine_read_the_very_same_clock(database: Database) -> None:
    machine = database.machine("a")
    first, _ = await machine.start()
    database.pass_ms(MINUTE_MS)
    machine.wall += HOUR_MS
    second, _ = await machine.start()
    assert first.steady_ms() == second.steady_ms()


@pytest.mark.parametrize("wrong_ms", [0, HOUR_MS, -HOUR_MS])
@pytest.mark.parametrize("round_trip_ms", [0, 30])
async def test_a_machine_that_joins_stands_where_the_others_do_whatever_its_own_clocks_say(
    database: Database, wrong_ms: int, round_trip_ms: int
) -> None:
    database.round_trip_ms = round_trip_ms
    first, _ = await database.machine("a").start()
    database.pass_ms(MINUTE_MS)
    other = database.machine("b", wall=START_MS + wrong_ms, up=987_654_321)
    second, _ = await other.start()
    assert 0 <= behind(second, first) < CLOCKS_APART_MS_MAX


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
async def test_a_step_of_the_databases_clock_moves_no_machine_and_none_that_joins(
    database: Database, step_ms: int
) -> None:
    first, keeper = await database.machine("a").start()
    before = first.steady_ms()
    database.pass_ms(MINUTE_MS)
    database.now_ms += step_ms
    assert first.steady_ms() == before + MINUTE_MS
    database.pass_ms(ROUND_MS)
    await keeper.keep()
    second, _ = await database.machine("b").start()
    assert 0 <= behind(second, first) < CLOCKS_APART_MS_MAX


async def test_the_latest_note_knows_of_a_step_that_an_earlier_one_does_not(
    database: Database,
) -> None:
    first, _ = await database.machine("a").start()
    _, keeper = await database.machine("b").start()
    database.now_ms -= HOUR_MS
    database.pass_ms(1_000)
    await keeper.keep()
    third, _ = await database.machine("c").start()
    assert 0 <= behind(third, first) < CLOCKS_APART_MS_MAX


async def test_a_machine_that_reboots_finds_its_place_again(database: Database) -> None:
    machine = database.machine("a", wall=START_MS - HOUR_MS)
    first, keeper = await database.machine("b").start()
    await machine.start()
    machine.reboot()
    database.pass_ms(MINUTE_MS)
    await keeper.keep()
    again, _ = await machine.start()
    assert 0 <= behind(again, first) < CLOCKS_APART_MS_MAX


async def test_machines_that_all_reboot_go_on_by_the_databases_clock(database: Database) -> None:
    machines = [database.machine(name) for name in "ab"]
    clocks = [(await machine.start())[0] for machine in machines]
    before = max(clock.steady_ms() for clock in clocks)
    for machine in machines:
        machine.reboot()
        machine.wall = 0
    database.pass_ms(MINUTE_MS)
    after = [(await machine.start())[0].steady_ms() for machine in machines]
    for steady in after:
        assert MINUTE_MS - CLOCKS_APART_MS_MAX < steady - before <= MINUTE_MS


async def test_a_database_that_lost_its_time_does_not_take_the_steady_clock_back(
    database: Database,
) -> None:
    machine = database.machine("a")
    clock, keeper = await machine.start()
    database.pass_ms(HOUR_MS)
    await keeper.keep()
    before = clock.steady_ms()
    machine.reboot()
    database.now_ms = 0
    assert (await machine.start())[0].steady_ms() >= before


async def test_machines_that_come_and_go_do_not_fall_behind_one_after_the_other(
    database: Database,
) -> None:
    database.round_trip_ms = 10
    first, keeper = await database.machine("a").start()
    for place in range(20):
        later, _ = await database.machine(f"b{place}").start()
        assert 0 <= behind(later, first) < CLOCKS_APART_MS_MAX
        database.pass_ms(ROUND_MS)
        await keeper.keep()


async def test_a_delay_begun_behind_does_not_end_early_ahead(database: Database) -> None:
    database.round_trip_ms = 30
    ahead, _ = await database.machine("a").start()
    late, _ = await database.machine("b").start()

    class Reading(SystemClock):
        """The rounded reading comes from the machine itself: only the margin is looked at."""

    apart = Reading(anchor_monotonic_ms=0, anchor_steady_ms=0, apart_ms=CLOCKS_APART_MS_MAX)
    plain = Reading(anchor_monotonic_ms=0, anchor_steady_ms=0)
    margin = apart.steady_ms_up() - plain.steady_ms_up()
    assert margin >= CLOCKS_APART_MS_MAX - 1
    assert late.steady_ms() + margin >= ahead.steady_ms()


async def test_a_cluster_goes_on_where_the_process_that_was_alone_left_off(
    database: Database,
) -> None:
    machine = database.machine("a")
    alone = await anchored_clock(database.store, boot="a", make=machine.clock)
    await AnchorKeeper(database.store, alone).keep()
    same, _ = await machine.start()
    assert same.steady_ms() == alone.steady_ms()
    other, _ = await database.machine("b").start()
    assert 0 <= behind(other, alone) < CLOCKS_APART_MS_MAX


async def test_a_process_that_is_alone_goes_on_where_the_cluster_left_off(
    database: Database,
) -> None:
    await database.machine("a").start()
    machine = database.machine("b")
    clock, keeper = await machine.start()
    database.pass_ms(MINUTE_MS)
    await keeper.keep()
    alone = await anchored_clock(database.store, boot="b", make=machine.clock)
    assert alone.steady_ms() == clock.steady_ms()


async def test_a_machine_without_a_boot_id_finds_its_place_at_every_start(
    database: Database,
) -> None:
    first, keeper = await database.machine("a").start()
    nameless = database.machine("")
    await nameless.start()
    nameless.up = 0
    database.pass_ms(MINUTE_MS)
    await keeper.keep()
    again, _ = await nameless.start()
    assert 0 <= behind(again, first) < CLOCKS_APART_MS_MAX


async def test_a_machine_whose_clock_stood_still_is_told_of_once(database: Database) -> None:
    slow = database.machine("a")
    _, keeper = await database.machine("b").start()
    clock, slow_keeper = await slow.start()
    with structlog.testing.capture_logs() as lines:
        database.now_ms += HOUR_MS  # the database's clock is stepped: nobody's fault
        for _ in range(DRIFT_ROUNDS + 2):
            database.pass_ms(ROUND_MS)
            await slow_keeper.keep()
            await keeper.keep()
        assert lines == []
        slow.up -= MINUTE_MS
        for _ in range(DRIFT_ROUNDS + 2):
            database.pass_ms(ROUND_MS)
            await keeper.keep()
            await slow_keeper.keep()
    (line,) = [line for line in lines if line["ahead_ms"] < 0]
    assert line["log_level"] == "warning"
    assert abs(line["ahead_ms"] + MINUTE_MS) < CLOCKS_APART_MS_MAX
    assert clock.steady_ms() > 0


async def test_boots_of_long_ago_are_forgotten(database: Database) -> None:
    _, keeper = await database.machine("a").start()
    for place in range(BOOTS_KEPT_MAX + 5):
        await database.machine(f"b{place}").start()
        database.pass_ms(1_000)
        await keeper.keep()
    kept = await database.store.read(lambda tx: tx.get_meta("clock_anchors"))
    assert kept is not None
    assert kept.count("boot_id") == BOOTS_KEPT_MAX
    assert '"a"' in kept
    assert '"b0"' not in kept


def test_the_margin_is_wider_than_what_a_boot_that_joins_is_behind() -> None:
    assert AHEAD_JITTER_MS < CLOCKS_APART_MS_MAX
