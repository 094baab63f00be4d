"""What stands in each sink, read with a client of its own: a list of (key digest or id, stream, body)."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

READ_TIMEOUT_S = 15.0
QUIET_S = 1.0


class Stored(NamedTuple):
    """One event as a consumer finds it."""

    body: bytes
    headers: dict[str, str]


Read = Callable[[int], Awaitable[list[Stored]]]
"""All that is stored, once there are at least so many, or after fifteen seconds."""


async def _until(fetch: Callable[[], Awaitable[list[Stored]]], at_least: int) -> list[Stored]:
    """Read on until `at_least` are there, or the bound is up; what is there already is all taken."""
    found: list[Stored] = []
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            while True:
                more = await fetch()
                found += more
                if len(found) >= at_least and not more:
                    return found
    except TimeoutError:
        return found


async def read_redis(port: int, stream: str, at_least: int) -> list[Stored]:
    import redis.asyncio

    client = redis.asyncio.Redis(port=port)
    last = b"0"

    async def fetch() -> list[Stored]:
        nonlocal last
        entries = await client.xrange(stream, min=b"(" + last, count=1000)
        if entries:
            last = entries[-1][0]
        return [
            Stored(fields.pop(b"body"), {name.decode(): v.decode() for name, v in fields.items()})
            for _, fields in entries
        ]

    try:
        return await _until(fetch, at_least)
    finally:
        await client.aclose()


async def read_nats(port: int, stream: str, at_least: int) -> list[Stored]:
    import nats
    import nats.errors

    client = await nats.connect(f"nats://127.0.0.1:{port}")
    subscription = await client.jetstream().pull_subscribe("", stream=stream, durable="reader")

    async def fetch() -> list[Stored]:
        try:
            messages = await subscription.fetch(500, timeout=QUIET_S)
        except (nats.errors.TimeoutError, TimeoutError):
            return []
        for message in messages:
            await message.ack()
        return [Stored(message.data, dict(message.headers or {})) for message in messages]

    try:
        return await _until(fetch, at_least)
    finally:
        await client.close()


async def read_rabbitmq(port: int, queue: str, at_least: int) -> list[Stored]:
    import aio_pika

    arrived: asyncio.Queue[Stored] = asyncio.Queue()

    async def keep(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        headers = {name: str(value) for name, value in message.headers.items()}
        arrived.put_nowait(Stored(message.body, headers))
        await message.ack()

    async def fetch() -> list[Stored]:
        try:
            async with asyncio.timeout(QUIET_S):
                return [await arrived.get()]
        except TimeoutError:
            return []

    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=200)
    await (await channel.get_queue(queue)).consume(keep)
    try:
        return await _until(fetch, at_least)
    finally:
        await connection.close()


async def read_kafka(servers: str, topic: str, at_least: int) -> list[Stored]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"reader-{topic}"})
    metadata = await asyncio.to_thread(consumer.list_topics, topic, 10)
    partitions = [
        TopicPartition(topic, number, OFFSET_BEGINNING)
        for number in metadata.topics[topic].partitions
    ]
    consumer.assign(partitions)

    async def fetch() -> list[Stored]:
        messages = await asyncio.to_thread(consumer.consume, 500, QUIET_S)
        return [
            Stored(
                message.value(),
                {name: value.decode() for name, value in message.headers() or []}
                | {"key": (message.key() or b"").decode()},
            )
            for message in messages
            if message.error() is None
        ]

    try:
        return await _until(fetch, at_least)
    finally:
        await asyncio.to_thread(consumer.close)


async def read_sqs(endpoint: str, queue_url: str, at_least: int) -> list[Stored]:
    from aiobotocore.session import get_session

    session = get_session()
    async with session.create_client(
        "sqs", region_name="us-east-1", endpoint_url=endpoint
    ) as client:

        async def fetch() -> list[Stored]:
            answer = await client.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            found = []
            for message in answer.get("Messages", []):
                attributes = {
                    name: value["StringValue"]
                    for name, value in message.get("MessageAttributes", {}).items()
                }
                body = message["Body"].encode()
                if attributes.get("encoding") == "base64":
                    body = base64.b64decode(body)
                found.append(Stored(body, attributes | message.get("Attributes", {})))
                await client.delete_message(
                    QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
            return found

        return await _until(fetch, at_least)


async def read_jsonlines(path: Path, at_least: int) -> list[Stored]:
    # Not splitlines(): JSON may hold U+2028, which that takes for the end of a line.
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    return [
        Stored(
            json.dumps(line["body"]).encode(),
            {"stream": line["stream"], "trigger": line["trigger"]},
        )
        for line in lines
    ]
