"""The awaiting receiver: answered in time whatever sink and store do, never 200 before the sink has the event."""

import asyncio
import logging

import msgspec
import pytest

from chathooks_receiver.dedupe import Claim, DedupeUnavailable
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.intake import Arrival, Intake, Refusal, Response
from chathooks_receiver.receiver import AsyncReceiver, Outcome
from chathooks_receiver.sinks import SinkUnavailable
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.testing import FakeSender, SignedRequest
from support.waiting import eventually

pytestmark = pytest.mark.anyio

BUDGET_S = 0.2
NEVER_S = 3_600


class Sink(MemorySink):
    """Takes events while its gate is open; raises what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls = 0
        self.error: Exception | None = None

    async def put(self, arrival: Arrival) -> bool:
        self.calls += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().put(arrival)


class Store(MemoryDedupe):
    """Fails or hangs as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.claim_error: Exception | None = None
        self.confirm_error: Exception | None = None
        self.confirm_hangs = False
        self.busy = False
        self.released: list[bytes] = []

    def look(self, digest: bytes) -> Claim | None:
        if self.busy or self.claim_error is not None:
            return None
        return super().look(digest)

    async def claim(self, digest: bytes) -> Claim:
        if self.claim_error is not None:
            raise self.claim_error
        return Claim.BUSY if self.busy else await super().claim(digest)

    async def confirm(self, digest: bytes) -> None:
        if self.confirm_error is not None:
            raise self.confirm_error
        if self.confirm_hangs:
            await asyncio.sleep(NEVER_S)
        await super().confirm(digest)

    def release(self, digest: bytes) -> None:
        self.released.append(digest)


class Rig:
    def __init__(self, budget_s: float = BUDGET_S, in_flight_max: int = 64) -> None:
        self.sink = Sink()
        self.store = Store()
        self.outcomes: list[Outcome] = []
        self.sender = FakeSender(secret=None, credentials=None)
        self.receiver = AsyncReceiver(
            sink=self.sink,
            dedupe=self.store,
            budget_s=budget_s,
            in_flight_max=in_flight_max,
            observe=self.outcomes.append,
        )

    async def send(self, request: SignedRequest | None = None) -> Response:
        item = request or self.sender.request("message_sent")
        return await self.receiver.handle(item.method, item.headers, item.body)


def code_of(response: Response) -> object:
    return msgspec.json.decode(response.body)["error"]["code"]


async def test_an_event_is_accepted_once_and_its_duplicates_are_told() -> None:
    rig = Rig()
    request = rig.sender.request("message_sent")
    bodies = [msgspec.json.decode((await rig.send(request)).body) for _ in range(3)]
    assert [body["status"] for body in bodies] == ["accepted", "duplicate", "duplicate"]
    assert [outcome.result for outcome in rig.outcomes] == ["accepted", "duplicate", "duplicate"]
    assert rig.outcomes[0].sink_s is not None
    assert rig.outcomes[1].sink_s is None
    assert rig.receiver.in_flight == 0


async def test_the_second_of_two_at_once_waits_for_the_first_and_fails_with_it() -> None:
    rig = Rig(budget_s=NEVER_S)
    request = rig.sender.request("message_sent")
    rig.sink.gate.clear()
    rig.sink.error = SinkUnavailable("down")
    first = asyncio.create_task(rig.send(request))
    await eventually(lambda: rig.sink.calls == 1)
    second = asyncio.create_task(rig.send(request))
    await asyncio.sleep(0)
    assert not second.done()
    rig.sink.gate.set()
    assert [(await task).status for task in (first, second)] == [503, 503]
    assert rig.sink.calls == 1
    rig.sink.error = None
    assert (await rig.send(request)).status == 200


async def test_the_second_gets_503_when_the_first_takes_too_long() -> None:
    rig = Rig()
    request = rig.sender.request("message_sent")
    rig.sink.gate.clear()
    first = asyncio.create_task(rig.send(request))
    await eventually(lambda: rig.sink.calls == 1)
    responses = [await rig.send(request), await first]
    assert [response.status for response in responses] == [503, 503]
    assert code_of(responses[1]) == "ERR_SINK_TIMEOUT"
    assert responses[1].headers["Retry-After"] == "1"


async def test_a_slow_sink_is_answered_503_within_the_budget_and_the_claim_is_given_back() -> None:
    rig = Rig()
    rig.sink.gate.clear()
    response = await rig.send()
    assert (response.status, code_of(response)) == (503, "ERR_SINK_TIMEOUT")
    assert len(rig.store.released) == 1
    assert rig.receiver.in_flight == 0
    assert rig.outcomes[0].duration_s >= BUDGET_S / 2


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SinkUnavailable("no broker"), 503, "ERR_SINK_UNAVAILABLE"),
        (OSError("bug"), 500, "ERR_HANDLER_FAILED"),
    ],
)
async def test_a_sink_that_raises_is_not_accepted(
    error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.sink.error = error
    request = rig.sender.request("message_sent")
    with caplog.at_level(logging.WARNING):
        response = await rig.send(request)
    assert (response.status, code_of(response)) == (status, code)
    assert caplog.records
    assert "for tests only" not in caplog.text
    assert len(rig.store.released) == 1


@pytest.mark.parametrize("error", [DedupeUnavailable("down"), OSError("bug")])
async def test_a_store_that_cannot_be_asked_costs_a_copy_at_most_never_an_event(
    error: Exception,
) -> None:
    rig = Rig()
    rig.store.claim_error = error
    assert (await rig.send()).status == 200
    assert rig.sink.count == 1
    assert not rig.outcomes[0].confirmed


async def test_a_store_that_cannot_record_is_no_reason_to_refuse_what_the_sink_has() -> None:
    rig = Rig()
    rig.store.confirm_error = DedupeUnavailable("disk full")
    assert (await rig.send()).status == 200
    assert not rig.outcomes[0].confirmed
    rig.store.confirm_error = None
    rig.store.confirm_hangs = True
    assert (await rig.send()).status == 200
    assert not rig.outcomes[1].confirmed
    assert rig.store.released == []


async def test_an_event_that_another_process_is_at_is_waited_for() -> None:
    rig = Rig(budget_s=NEVER_S)
    rig.store.busy = True
    coming = asyncio.create_task(rig.send())
    await asyncio.sleep(0)
    assert not coming.done()
    rig.store.busy = False
    assert (await coming).status == 200


async def test_an_event_that_another_process_does_not_finish_is_answered_503() -> None:
    rig = Rig()
    rig.store.busy = True
    response = await rig.send()
    assert (response.status, code_of(response)) == (503, "ERR_IN_PROGRESS")
    assert rig.store.released == []
    assert rig.sink.calls == 0


async def test_more_events_than_the_limit_are_refused_at_once() -> None:
    rig = Rig(budget_s=NEVER_S, in_flight_max=2)
    rig.sink.gate.clear()
    waiting = [asyncio.create_task(rig.send()) for _ in range(2)]
    await eventually(lambda: rig.receiver.in_flight == 2)
    response = await rig.send()
    assert (response.status, code_of(response)) == (503, "ERR_OVERLOADED")
    rig.sink.gate.set()
    assert [(await task).status for task in waiting] == [200, 200]


async def test_a_receiver_that_stops_finishes_what_is_in_flight_and_refuses_the_rest() -> None:
    rig = Rig(budget_s=30)
    rig.sink.gate.clear()
    first = asyncio.create_task(rig.send())
    await eventually(lambda: rig.receiver.in_flight == 1)
    closing = asyncio.create_task(rig.receiver.close())
    await asyncio.sleep(0)
    response = await rig.send()
    assert (response.status, code_of(response)) == (503, "ERR_STOPPING")
    assert not closing.done()
    rig.sink.gate.set()
    await closing
    assert (await first).status == 200


async def test_a_cancelled_request_leaves_nothing_behind_and_does_not_hang_its_twin() -> None:
    rig = Rig(budget_s=NEVER_S)
    request = rig.sender.request("message_sent")
    rig.sink.gate.clear()
    first = asyncio.create_task(rig.send(request))
    await eventually(lambda: rig.sink.calls == 1)
    second = asyncio.create_task(rig.send(request))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status == 500
    assert rig.receiver.in_flight == 0
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_an_observer_that_fails_does_not_change_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def observe(outcome: Outcome) -> None:
        raise ValueError("broken dashboard")

    receiver = AsyncReceiver(sink=MemorySink(), dedupe=MemoryDedupe(), observe=observe)
    request = FakeSender(secret=None, credentials=None).request("message_sent")
    response = await receiver.handle(request.method, request.headers, request.body)
    assert response.status == 200
    assert "broken dashboard" in caplog.text


async def test_what_the_catalog_does_not_know_is_accepted_and_named() -> None:
    rig = Rig()
    await rig.send(rig.sender.request("message_teleported", {"to": "mars"}))
    data = msgspec.json.decode(rig.sender.request("message_sent").body)["data"]
    data["hologram"] = 1
    data["message"]["aura"] = "blue"
    response = await rig.send(rig.sender.request("message_sent", data))
    assert response.status == 200
    arrivals = [outcome.arrival for outcome in rig.outcomes]
    assert all(arrivals)
    assert [sorted(item.undocumented()) for item in arrivals if item] == [
        ["trigger"],
        ["data.hologram", "data.message.aura"],
    ]


def test_a_name_that_cannot_be_read_is_refused() -> None:
    request = FakeSender(secret=None, credentials=None).request("message_sent")
    body = request.body[:-1] + b',"\\ud800":1}'
    with pytest.raises(Refusal, match="not valid JSON"):
        Intake(now_s=lambda: 0.0).admit("POST", request.headers, body)


async def test_every_sample_is_wholly_documented() -> None:
    from chathooks_events.catalog import TRIGGERS

    rig = Rig()
    for name in TRIGGERS:
        await rig.send(rig.sender.request(name))
    found = {o.arrival.event.trigger: o.arrival.undocumented() for o in rig.outcomes if o.arrival}
    assert len(found) == len(TRIGGERS)
    assert {name: names for name, names in found.items() if names} == {}


async def test_open_leaves_nothing_open_when_the_sink_cannot_start() -> None:
    class Closed(MemorySink):
        async def open(self) -> None:
            raise SinkUnavailable("no broker")

    class Watched(MemoryDedupe):
        closed = False

        async def close(self) -> None:
            self.closed = True

    store = Watched()
    with pytest.raises(SinkUnavailable):
        await AsyncReceiver(sink=Closed(), dedupe=store).open()
    assert store.closed
