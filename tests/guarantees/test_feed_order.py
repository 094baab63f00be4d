"""Who gets which event, in which order, under which number: delivery contract §1, §2 and §3."""

from collections import defaultdict
from pathlib import Path

import pytest

from chathooks.kernel.clock import ManualClock
from support import stores
from support.rig import running
from support.scripted_endpoint import Received, ScriptedEndpoint

pytestmark = pytest.mark.anyio

EVENTS_BESIDE_HANGING = {"sqlite": 200, "postgres": 50}
"""Times 31 webhooks: as much as a busy machine delivers soon enough."""


async def test_each_webhook_gets_only_what_it_subscribed_to(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url("/m"), webhook_id="messages", triggers=["message_sent"])
        await rig.webhook(endpoint.url("/g"), webhook_id="groups", triggers=["group_created"])
        await rig.webhook(
            endpoint.url("/b"), webhook_id="both", triggers=["message_sent", "group_created"]
        )
        await rig.webhook(endpoint.url("/n"), webhook_id="nothing", triggers=[])
        await rig.event("message_sent")
        await rig.event("group_created")
        await rig.quiet()
        got = sorted((request.path, request.event.trigger) for request in endpoint.requests)
        assert got == [
            ("/b", "group_created"),
            ("/b", "message_sent"),
            ("/g", "group_created"),
            ("/m", "message_sent"),
        ]


async def test_numbers_and_sequences_have_no_gaps_and_follow_commit_order(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), triggers=["message_sent", "message_edited"])
        ids = []
        for place in range(60):
            trigger = "message_edited" if place % 3 == 0 else "message_sent"
            ids.append(await rig.event(trigger, stream=f"group/{place % 4}"))
        await rig.quiet()
        by_number = sorted(endpoint.requests, key=lambda request: request.number)
        assert [request.number for request in by_number] == list(range(1, 61))
        assert [request.event.event_id for request in by_number] == ids
        streams = defaultdict(list)
        for place, request in enumerate(by_number):
            streams[place % 4].append(int(request.headers["chathooks-sequence"]))
        assert all(found == list(range(1, 16)) for found in streams.values())


async def test_user_events_have_no_sequence(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), triggers=["user_blocked"])
        await rig.event("user_blocked", stream=None)
        await rig.quiet()
        assert "chathooks-sequence" not in endpoint.requests[0].headers


async def test_an_ordered_webhook_gets_a_stream_strictly_one_after_the_other(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        where: dict[str, str] = {}
        overlaps: list[str] = []

        def stream_of(request: Received) -> str:
            assert request.event.event_id is not None
            return where[request.event.event_id]

        def answer(request: Received) -> int:
            stream = stream_of(request)
            others = [r for r in endpoint.requests if r is not request and stream_of(r) == stream]
            overlaps.extend(stream for other in others if other.answered is None)
            return 200

        endpoint.answer = answer
        endpoint.hold()
        await rig.webhook(endpoint.url(), ordered=True)
        expected = defaultdict(list)
        for place in range(90):
            stream = f"group/{place % 3}"
            event_id = await rig.event(stream=stream)
            where[event_id] = stream
            expected[stream].append(event_id)
        await endpoint.arrived(3)
        endpoint.release()
        await rig.quiet()
        got = defaultdict(list)
        for request in endpoint.requests:
            got[stream_of(request)].append(request.event.event_id)
        assert got == expected
        assert overlaps == []
        assert endpoint.concurrent_max == 3


async def test_in_an_ordered_webhook_a_failing_event_holds_back_its_own_stream_only(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        failing = ""
        endpoint.answer = lambda request: 500 if request.event.event_id == failing else 200
        lane = await rig.webhook(endpoint.url(), ordered=True, retry=True)
        failing = await rig.event(stream="group/slow")
        held = [await rig.event(stream="group/slow") for _ in range(3)]
        free = [await rig.event(stream="group/fast") for _ in range(3)]
        await rig.quiet()
        assert [r.event.event_id for r in endpoint.requests if r.event.event_id in free] == free
        assert not [r for r in endpoint.requests if r.event.event_id in held]
        states = await rig.states(lane)
        assert [states[n] for n in range(1, 5)] == ["retrying", "pending", "pending", "pending"]
        await rig.stop()
        await rig.restart()
        clock.advance(10_000)
        await endpoint.arrived(5)
        await rig.quiet()
        assert not [r for r in endpoint.requests if r.event.event_id in held]
        clock.advance(30_000)
        await endpoint.arrived(9)
        await rig.quiet()
        assert [r.event.event_id for r in endpoint.requests if r.event.event_id in held] == held
        assert list((await rig.states(lane)).values()) == ["failed"] + ["delivered"] * 6


async def test_disabling_cancels_what_waits_and_keeps_its_numbers(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        await rig.events(3)
        await rig.quiet()
        await rig.webhook(endpoint.url(), retry=True, enabled=False)
        await rig.event()
        await rig.quiet()
        assert set((await rig.states(lane)).values()) == {"cancelled"}
        clock.advance(60_000)
        await rig.quiet()
        assert len(endpoint.requests) == 3
        endpoint.default = 200
        await rig.webhook(endpoint.url(), retry=True)
        await rig.event()
        await rig.quiet()
        assert (await rig.states(lane))[4] == "delivered"
        assert endpoint.requests[-1].number == 4


async def test_removing_a_trigger_cancels_its_waiting_deliveries_alone(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        both = ["message_sent", "group_created"]
        lane = await rig.webhook(endpoint.url(), retry=True, triggers=both)
        await rig.event("message_sent")
        await rig.event("group_created")
        await rig.quiet()
        await rig.webhook(endpoint.url(), retry=True, triggers=["group_created"])
        await rig.quiet()
        assert await rig.states(lane) == {1: "cancelled", 2: "retrying"}


async def test_an_attempt_in_flight_when_the_webhook_is_disabled_is_not_retried(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), retry=True)
        endpoint.hold()
        await rig.event()
        await endpoint.arrived(1)
        await rig.webhook(endpoint.url(), retry=True, enabled=False)
        endpoint.release()
        await rig.quiet()
        assert await rig.states(lane) == {1: "cancelled"}


async def test_fan_out_applies_webhook_changes_in_feed_order_however_late_it_runs(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.stop()
        await rig.open()
        before = await rig.event()
        lane = await rig.webhook(endpoint.url(), triggers=["message_sent"])
        wanted = [await rig.event(), await rig.event()]
        other = await rig.event("group_created")
        await rig.webhook(endpoint.url(), triggers=["message_sent", "group_created"])
        wanted += [await rig.event("group_created"), await rig.event()]
        await rig.start()
        await rig.quiet()
        got = [r.event.event_id for r in sorted(endpoint.requests, key=lambda r: r.number)]
        assert got == wanted
        assert before not in got
        assert other not in got
        assert list(await rig.states(lane)) == [1, 2, 3, 4]


async def test_a_deleted_and_remade_webhook_goes_on_counting(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url())
        await rig.event()
        await rig.quiet()
        await rig.webhook(endpoint.url(), deleted=True)
        await rig.event()
        await rig.quiet()
        await rig.webhook(endpoint.url())
        await rig.event()
        await rig.quiet()
        assert [request.number for request in endpoint.requests] == [1, 2]


async def test_a_lane_keeps_to_its_concurrency(tmp_path: Path, clock: ManualClock) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        lane = await rig.webhook(endpoint.url(), concurrency=3)
        endpoint.hold()
        await rig.events(30)
        await endpoint.arrived(3)
        endpoint.release()
        await endpoint.arrived(30)
        await rig.quiet()
        assert endpoint.concurrent_max == 3
        assert set((await rig.states(lane)).values()) == {"delivered"}


async def test_a_hanging_endpoint_delays_no_other(tmp_path: Path, clock: ManualClock) -> None:
    async with (
        ScriptedEndpoint() as hanging,
        ScriptedEndpoint() as good,
        running(tmp_path, clock) as rig,
    ):
        hanging.hold()
        for place in range(30):
            await rig.webhook(hanging.url(), webhook_id=f"hanging{place}")
        await rig.webhook(good.url(), webhook_id="good")
        count = EVENTS_BESIDE_HANGING[stores.current.name]
        await rig.events(count)
        await good.arrived(count, 30.0)
        hanging.release()
        await rig.quiet()
        assert [r for r in hanging.requests if r.answered is None] == []
