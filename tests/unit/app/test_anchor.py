"""The steady clock over restarts and reboots, whatever the wall clock does (docs/adr/0005)."""

from dataclasses import dataclass
from typing import Any

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.app.anchor import (
    AHEAD_JITTER_MS,
    NOTE_EVERY_MS,
    Anchor,
    AnchorKeeper,
    anchored_clock,
    next_anchor,
)
from chathooks.kernel.clock import SystemClock

pytestmark = pytest.mark.anyio

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000


@dataclass
class Machine:
    """A machine whose clocks are moved by hand; `clock` makes a clock on it."""

    boot: str = "boot-1"
    wall: int = START_MS
    up: int = 5_000
    clocks: int = 0

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.up += ms

    def reboot(self, off_ms: int) -> None:
        self.boot += "+"
        self.wall += off_ms
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

    async def start(self, store: SqliteStore) -> SystemClock:
        return await anchored_clock(store, boot=self.boot, make=self.clock)


async def test_in_one_boot_a_step_of_the_wall_clock_moves_nothing(store: SqliteStore) -> None:
    machine = Machine()
    before = (await machine.start(store)).steady_ms()
    machine.pass_ms(MINUTE_MS)
    machine.wall += HOUR_MS
    assert (await machine.start(store)).steady_ms() == before + MINUTE_MS


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
async def test_a_step_before_a_reboot_makes_no_retry_early_or_late(
    store: SqliteStore, step_ms: int
) -> None:
    machine = Machine()
    clock = await machine.start(store)
    keeper = AnchorKeeper(store, clock)
    await keeper.keep()
    machine.wall += step_ms
    machine.pass_ms(6_000)
    await keeper.keep()
    before = clock.steady_ms()
    machine.reboot(off_ms=MINUTE_MS)
    after = (await machine.start(store)).steady_ms()
    assert MINUTE_MS - AHEAD_JITTER_MS <= after - before <= MINUTE_MS


async def test_a_second_reboot_knows_the_step_as_well(store: SqliteStore) -> None:
    machine = Machine()
    clock = await machine.start(store)
    machine.wall += HOUR_MS
    await AnchorKeeper(store, clock).keep()
    machine.reboot(off_ms=MINUTE_MS)
    first = (await machine.start(store)).steady_ms()
    machine.reboot(off_ms=MINUTE_MS)
    second = (await machine.start(store)).steady_ms()
    assert MINUTE_MS - AHEAD_JITTER_MS <= second - first <= MINUTE_MS


async def test_a_machine_that_lost_its_time_does_not_take_the_steady_clock_back(
    store: SqliteStore,
) -> None:
    machine = Machine()
    clock = await machine.start(store)
    machine.pass_ms(HOUR_MS)
    await AnchorKeeper(store, clock).keep()
    before = clock.steady_ms()
    machine.reboot(off_ms=-START_MS)
    assert (await machine.start(store)).steady_ms() == before


async def test_the_anchor_is_written_when_a_clock_was_stepped_and_now_and_then(
    store: SqliteStore,
) -> None:
    machine = Machine()
    keeper = AnchorKeeper(store, await machine.start(store))

    async def kept() -> str | None:
        return await store.read(lambda tx: tx.get_meta("clock_anchor"))

    await keeper.keep()
    first = await kept()
    machine.pass_ms(1_000)
    await keeper.keep()
    assert await kept() == first
    machine.wall += AHEAD_JITTER_MS
    await keeper.keep()
    second = await kept()
    assert second != first
    machine.pass_ms(NOTE_EVERY_MS)
    await keeper.keep()
    assert await kept() != second


def test_an_anchor_of_an_earlier_version_is_taken_up() -> None:
    kept = Anchor("boot-1", 1_000, START_MS)
    same = next_anchor(kept, boot="boot-1", monotonic_ms=9_000, wall_ms=START_MS + HOUR_MS)
    assert same is kept
    other = next_anchor(kept, boot="boot-2", monotonic_ms=9_000, wall_ms=START_MS + HOUR_MS)
    assert other.steady_ms == START_MS + HOUR_MS - AHEAD_JITTER_MS


def test_without_a_boot_id_every_start_goes_on_by_the_wall_clock() -> None:
    kept = Anchor("", 1_000, START_MS, HOUR_MS, START_MS)
    fresh = next_anchor(kept, boot="", monotonic_ms=9_000, wall_ms=START_MS + 2 * HOUR_MS)
    assert fresh.steady_ms == START_MS + HOUR_MS - AHEAD_JITTER_MS
