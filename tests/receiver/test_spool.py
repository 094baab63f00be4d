"""The spool accepts while its sink is down, and hands over every event, in order, when it is back."""

import asyncio
from pathlib import Path

import pytest

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.sinks.spool import SpoolSink
from support.arrivals import NOW_S, arrival
from support.waiting import eventually

pytestmark = pytest.mark.anyio

EVENTS = 300
DRAIN_S = 20.0


class Moody(MemorySink):
    """Down as long as it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.calls = 0

    async def put(self, arrival: Arrival) -> bool:
        self.calls += 1
        await asyncio.sleep(0)
        if self.down:
            raise SinkUnavailable("down")
        return await super().put(arrival)


def spool(sink: MemorySink, path: Path, **options: int) -> SpoolSink:
    return SpoolSink(
        sink,
        path / "spool.sqlite3",
        back_off_first_s=0.005,
        back_off_max_s=0.02,
        now_s=lambda: NOW_S + 60,
        **options,
    )


async def test_an_outage_is_ridden_out_in_order(tmp_path: Path) -> None:
    sink = Moody()
    sink.down = True
    spooled = spool(sink, tmp_path)
    await spooled.open()
    sent = [arrival(number, conversation=f"c{number % 9}") for number in range(EVENTS)]
    assert all(await asyncio.gather(*(spooled.put(item) for item in sent)))
    assert await spooled.put(sent[0]) is False
    assert spooled.depth == EVENTS
    assert spooled.oldest_age_s() == 60.0
    await eventually(lambda: sink.calls > 3)
    assert sink.count == 0
    assert sink.calls < EVENTS  # a refusing sink is not stormed
    sink.down = False
    async with asyncio.timeout(DRAIN_S):
        await spooled.drained()
    assert (spooled.depth, spooled.oldest_age_s()) == (0, 0.0)
    got: dict[str, list[int]] = {}
    for item in sink.arrivals:
        got.setdefault(item.stream, []).append(int(item.key.removeprefix("evt_")))
    assert all(numbers == sorted(numbers) for numbers in got.values())
    assert sorted(n for numbers in got.values() for n in numbers) == list(range(EVENTS))
    assert sink.arrivals[0].body == sent[0].body
    assert sink.arrivals[0].headers == sent[0].headers
    await spooled.close()


async def test_what_waits_is_kept_over_a_restart(tmp_path: Path) -> None:
    sink = Moody()
    sink.down = True
    first = spool(sink, tmp_path)
    await first.open()
    await first.put(arrival(1))
    await first.close()
    sink.down = False
    second = spool(sink, tmp_path)
    await second.open()
    async with asyncio.timeout(DRAIN_S):
        await second.drained()
    assert [item.key for item in sink.arrivals] == ["evt_1"]
    await second.close()


async def test_a_sink_that_cannot_even_open_at_the_start_is_waited_for(tmp_path: Path) -> None:
    class Late(Moody):
        tries = 0

        async def open(self) -> None:
            self.tries += 1
            if self.tries < 3:
                raise SinkUnavailable("not there yet")

    sink = Late()
    spooled = spool(sink, tmp_path)
    await spooled.open()
    assert await spooled.put(arrival(1)) is True
    async with asyncio.timeout(DRAIN_S):
        await spooled.drained()
    assert sink.count == 1
    await spooled.close()


async def test_a_full_spool_refuses(tmp_path: Path) -> None:
    sink = Moody()
    sink.down = True
    spooled = spool(sink, tmp_path, events_max=2)
    await spooled.open()
    await spooled.put(arrival(1))
    await spooled.put(arrival(2))
    with pytest.raises(SinkUnavailable, match="full"):
        await spooled.put(arrival(3))
    await spooled.close()


async def test_a_spool_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(SinkUnavailable, match="cannot be opened"):
        await spool(Moody(), tmp_path / "missing").open()
