"""Every sink stores whole events where real consumers find them, says when it cannot, and comes back by itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import Sink, SinkUnavailable, metadata, told
from chathooks_receiver.sinks.handler import HandlerSink
from chathooks_receiver.sinks.jsonlines import JsonLinesSink
from chathooks_receiver.sinks.kafka import KafkaSink
from chathooks_receiver.sinks.nats import NatsSink
from chathooks_receiver.sinks.rabbitmq import RabbitSink
from chathooks_receiver.sinks.redis import RedisSink
from chathooks_receiver.sinks.sqs import SqsSink
from support import sink_readers
from support.arrivals import arrival
from support.services import Service
from support.sink_readers import Stored
from support.waiting import eventually

pytestmark = pytest.mark.anyio

SINKS = ("jsonlines", "kafka", "nats", "rabbitmq", "redis", "sqs", "sqs fifo")
EVENTS = 60
TRIES = 3


class Case(NamedTuple):
    """A sink and how a consumer reads it."""

    sink: Sink
    read: Callable[[int], Awaitable[list[Stored]]]


@pytest.fixture
async def case(request: pytest.FixtureRequest, tmp_path: Path, fresh_name: str) -> Case:
    kind: str = request.param
    get = request.getfixturevalue
    if kind == "jsonlines":
        path = tmp_path / "events.jsonl"
        return Case(JsonLinesSink(path), lambda n: sink_readers.read_jsonlines(path, n))
    if kind == "kafka":
        servers = get("kafka_servers")
        return Case(
            KafkaSink(servers, fresh_name),
            lambda n: sink_readers.read_kafka(servers, fresh_name, n),
        )
    if kind.startswith("sqs"):
        return await sqs_case(get("sqs_endpoint"), fresh_name, fifo=kind.endswith("fifo"))
    port = get(f"{kind}_server").port
    if kind == "nats":
        sink = NatsSink(f"nats://127.0.0.1:{port}", fresh_name, prefix=fresh_name)
        return Case(sink, lambda n: sink_readers.read_nats(port, fresh_name, n))
    if kind == "rabbitmq":
        rabbit = RabbitSink(f"amqp://guest:guest@127.0.0.1:{port}/", fresh_name)
        return Case(rabbit, lambda n: sink_readers.read_rabbitmq(port, fresh_name, n))
    redis = RedisSink(f"redis://127.0.0.1:{port}", fresh_name)
    return Case(redis, lambda n: sink_readers.read_redis(port, fresh_name, n))


async def sqs_case(endpoint: str, name: str, *, fifo: bool) -> Case:
    from aiobotocore.session import get_session

    session = get_session()
    async with session.create_client(
        "sqs", region_name="us-east-1", endpoint_url=endpoint
    ) as client:
        answer = await client.create_queue(
            QueueName=f"{name}.fifo" if fifo else name,
            Attributes={"FifoQueue": "true"} if fifo else {},
        )
    url = answer["QueueUrl"]
    return Case(
        SqsSink(url, region="us-east-1", endpoint_url=endpoint),
        lambda n: sink_readers.read_sqs(endpoint, url, n),
    )


def events() -> list[Arrival]:
    return [
        arrival(
            number, conversation=f"alice_user_{number % 5}", text=f"grüße {number} \u2028 \uffff"
        )
        for number in range(EVENTS)
    ]


def number_of(stored: Stored) -> int:
    return int(json.loads(stored.body)["eventId"].removeprefix("evt_"))


async def put_at_last(sink: Sink, item: Arrival) -> None:
    """As a sender does: once more where the sink took too long, which it may on a busy machine."""
    for _ in range(TRIES - 1):
        try:
            await sink.put(item)
        except SinkUnavailable:
            continue
        return
    await sink.put(item)


@pytest.mark.parametrize("case", SINKS, indirect=True)
async def test_events_arrive_whole_with_their_stream(case: Case) -> None:
    await case.sink.open()
    sent = events()
    await asyncio.gather(*(put_at_last(case.sink, item) for item in sent))
    await case.sink.close()
    found = await case.read(EVENTS)
    assert sorted({number_of(item) for item in found}) == list(range(EVENTS))
    for item in found:
        original = sent[number_of(item)]
        if isinstance(case.sink, JsonLinesSink):
            assert json.loads(item.body) == json.loads(original.body)
        else:
            assert item.body == original.body
        if "dedupe-key" in item.headers:
            assert item.headers["dedupe-key"] == original.digest.hex()
        assert item.headers["stream"] == original.stream
        assert item.headers["trigger"] == "message_sent"


@pytest.mark.parametrize("case", SINKS, indirect=True)
async def test_events_of_one_conversation_put_in_turn_stay_in_order(case: Case) -> None:
    await case.sink.open()
    for number in range(10):
        await case.sink.put(arrival(number, conversation="alice_user_bob"))
    await case.sink.close()
    numbers = [number_of(item) for item in await case.read(10)]
    assert numbers == sorted(numbers) or "sqs" in type(case.sink).__module__
    assert sorted(numbers) == list(range(10))


@pytest.mark.parametrize("case", ["kafka"], indirect=True)
async def test_kafka_messages_have_the_stream_as_key(case: Case) -> None:
    await case.sink.open()
    await case.sink.put(arrival(1, conversation="alice_user_bob"))
    await case.sink.close()
    (found,) = await case.read(1)
    assert found.headers["key"] == "alice_user_bob"


@pytest.mark.parametrize("case", ["sqs fifo"], indirect=True)
async def test_a_fifo_queue_groups_by_conversation_and_leaves_out_what_it_has(case: Case) -> None:
    await case.sink.open()
    for _ in range(3):
        await case.sink.put(arrival(1, conversation="alice_user_bob"))
    await case.sink.close()
    (found,) = await case.read(1)
    assert found.headers["MessageGroupId"] == "alice_user_bob"
    assert found.headers["MessageDeduplicationId"] == arrival(1).digest.hex()


@pytest.mark.parametrize("case", ["nats"], indirect=True)
async def test_a_jetstream_stream_tells_that_it_has_the_event(case: Case) -> None:
    await case.sink.open()
    assert await case.sink.put(arrival(1)) is True
    assert await case.sink.put(arrival(1)) is False
    await case.sink.close()
    assert len(await case.read(1)) == 1


async def test_a_rabbitmq_queue_is_a_quorum_queue_and_messages_are_kept(
    rabbitmq_server: Service, fresh_name: str
) -> None:
    import aio_pika
    from aio_pika.exceptions import ChannelPreconditionFailed

    url = f"amqp://guest:guest@127.0.0.1:{rabbitmq_server.port}/"
    sink = RabbitSink(url, fresh_name)
    await sink.open()
    await sink.put(arrival(1))
    await sink.close()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelPreconditionFailed):
            await channel.declare_queue(fresh_name, durable=True)  # a classic one would be the same
        channel = await connection.channel()
        message = await (await channel.get_queue(fresh_name)).get()
        assert message is not None
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        await message.ack()


async def test_an_exchange_routes_by_trigger_and_what_no_queue_takes_is_not_accepted(
    rabbitmq_server: Service, fresh_name: str
) -> None:
    import aio_pika

    url = f"amqp://guest:guest@127.0.0.1:{rabbitmq_server.port}/"
    sink = RabbitSink(url, fresh_name, exchange=f"{fresh_name}-x")
    await sink.open()
    assert await sink.put(arrival(1))
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(fresh_name)
        message = await queue.get()
        assert message is not None
        assert message.routing_key == "message_sent"
        await message.ack()
        await queue.unbind(f"{fresh_name}-x", "#")
    with pytest.raises(SinkUnavailable, match="did not take"):
        await sink.put(arrival(2))
    await sink.close()


@pytest.mark.parametrize(
    "sink",
    [
        KafkaSink("127.0.0.1:1", "t", options={"log_level": 0}),
        NatsSink("nats://127.0.0.1:1", "s"),
        RabbitSink("amqp://guest:guest@127.0.0.1:1/", "q"),
        RedisSink("redis://127.0.0.1:1", "s"),
        SqsSink("http://127.0.0.1:1/q", region="us-east-1", endpoint_url="http://127.0.0.1:1"),
        JsonLinesSink("/nonexistent/events.jsonl"),
    ],
    ids=lambda sink: type(sink).__name__,
)
async def test_a_sink_that_cannot_be_reached_refuses_plainly(sink: Sink, sqs_endpoint: str) -> None:
    with pytest.raises(SinkUnavailable):
        await sink.put(arrival(1))
    with pytest.raises(SinkUnavailable):
        await sink.open()
    await sink.close()


@pytest.mark.parametrize("kind", ["nats", "rabbitmq", "redis"])
async def test_a_sink_goes_on_by_itself_after_its_broker_was_killed(
    kind: str, tmp_path: Path
) -> None:
    from support import services

    service: Service = getattr(services, f"{kind}_service")(tmp_path)
    with services.running(service):
        sinks: dict[str, Callable[[], Sink]] = {
            "nats": lambda: NatsSink(f"nats://127.0.0.1:{service.port}", "events"),
            "rabbitmq": lambda: RabbitSink(
                f"amqp://guest:guest@127.0.0.1:{service.port}/", "events"
            ),
            "redis": lambda: RedisSink(f"redis://127.0.0.1:{service.port}", "events"),
        }
        sink = sinks[kind]()
        await sink.open()
        await sink.put(arrival(1))
        if kind == "rabbitmq":
            # RabbitMQ writes the name of a new quorum queue to disk lazily, and does not find it after a crash
            # within minutes of the declaration; an orderly restart writes it.
            await asyncio.to_thread(service.stop)
            await asyncio.to_thread(service.start)
            await eventually(lambda: takes_events(sink), timeout_s=30)
        await asyncio.to_thread(service.kill)
        with pytest.raises((SinkUnavailable, TimeoutError)):
            async with asyncio.timeout(1.9):
                await sink.put(arrival(2))
        await asyncio.to_thread(service.start)
        await eventually(lambda: takes_events(sink), timeout_s=30)
        await sink.close()


async def takes_events(sink: Sink) -> bool:
    try:
        async with asyncio.timeout(1.9):
            await sink.put(arrival(3))
    except (SinkUnavailable, TimeoutError):
        return False
    return True


async def test_redis_that_has_no_replica_does_not_accept_where_one_is_asked_for(
    redis_server: Service, fresh_name: str
) -> None:
    sink = RedisSink(f"redis://127.0.0.1:{redis_server.port}", fresh_name, replicas=1)
    await sink.open()
    with pytest.raises(SinkUnavailable, match="0 of 1 replicas"):
        await sink.put(arrival(1))
    await sink.close()


async def test_a_line_that_a_crash_left_unfinished_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)
    await sink.open()
    await sink.put(arrival(1))
    await sink.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20])
    await sink.open()
    await sink.put(arrival(2))
    await sink.close()
    assert [number_of(item) for item in await sink_readers.read_jsonlines(path, 2)] == [1, 2]


async def test_a_file_that_is_one_unfinished_line_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 200_000)
    sink = JsonLinesSink(path)
    await sink.open()
    await sink.put(arrival(1))
    await sink.close()
    assert len(await sink_readers.read_jsonlines(path, 1)) == 1


async def test_a_full_disk_is_not_accepted_and_leaves_whole_lines(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    sink = JsonLinesSink(full)
    await sink.open()
    with pytest.raises(SinkUnavailable, match="cannot be written"):
        await sink.put(arrival(1))
    await sink.close()


async def test_a_line_break_within_the_body_stays_on_the_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)
    await sink.open()
    item = arrival(1)
    await sink.put(msgspec.structs.replace(item, body=item.body.replace(b",", b",\r\n")))
    await sink.close()
    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["body"] == json.loads(item.body)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_is_a_sink(is_async: bool) -> None:
    got: list[str] = []

    async def async_handler(item: Arrival) -> None:
        got.append(item.key)

    def handler(item: Arrival) -> None:
        got.append(item.key)

    sink = HandlerSink(async_handler if is_async else handler)
    await sink.open()
    await sink.put(arrival(7))
    await sink.close()
    assert got == ["evt_7"]


def test_what_a_sender_chooses_cannot_break_out_of_a_message_header() -> None:
    from chathooks_receiver.intake import Intake
    from chathooks_receiver.testing import signed_request

    request = signed_request(
        "a\r\nb: c", {"sessionId": "s\r\nd: e"}, event_id="evt\r\nf: g", secret=None
    )
    item = Intake(now_s=lambda: 0.0).admit(
        "POST", {**request.headers, "chathooks-number": "1\r\nh: i"}, request.body
    )
    for value in metadata(item).values():
        assert value.isascii()
        assert not set(value) & set("\r\n\x00 ")


def test_the_log_text_of_an_error_has_no_credentials() -> None:
    text = told(OSError("cannot reach amqp://guest:secret@broker:5672/ now"))
    assert "secret" not in text
    assert "broker:5672" in text
