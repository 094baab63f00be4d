"""The FastStream application that is measured beside Chathooks: one subscriber that posts a delivery with aiohttp.

A durable pull consumer of a work queue on JetStream: each message is acknowledged once its request was answered with
200, and given out again otherwise.
"""

import os
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import ConsumerConfig, RetentionPolicy

from benchmarks.posting import post, session

BROKER, CONCURRENCY = "CHATHOOKS_BENCH_BROKER", "CHATHOOKS_BENCH_CONCURRENCY"
"""Environment variables of the worker: where its queue is, and how many jobs run at a time."""
STREAM, SUBJECT, CONSUMER = "deliveries", "deliver", "sender"
ATTEMPTS_MAX = 5
ACK_WAIT_S = 30.0


async def _work() -> None:
    concurrency = int(os.environ[CONCURRENCY])
    broker: Any = NatsBroker(os.environ[BROKER], logger=None)
    async with session(concurrency) as posting:

        @broker.subscriber(  # type: ignore[untyped-decorator]  # measured beside: without types
            SUBJECT,
            stream=JStream(STREAM, subjects=[SUBJECT], retention=RetentionPolicy.WORK_QUEUE),
            durable=CONSUMER,
            config=ConsumerConfig(max_deliver=ATTEMPTS_MAX, ack_wait=ACK_WAIT_S),
            pull_sub=PullSub(batch_size=concurrency),
            max_workers=concurrency,
            ack_policy=AckPolicy.NACK_ON_ERROR,
        )
        async def deliver(job: dict[str, Any]) -> None:
            await post(posting, job)

        await FastStream(broker, logger=None).run()


if __name__ == "__main__":
    uvloop.run(_work())
