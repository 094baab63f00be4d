"""The PgQueuer application that is measured beside Chathooks: one entry point that posts a delivery with aiohttp.

Jobs are taken in batches, marked as done in its table once their request was answered with 200, and tried again
later otherwise, by PgQueuer's own retries.
"""

import asyncio
import os
from typing import Any

import asyncpg
import msgspec
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job

from benchmarks.posting import post, session

DATABASE, CONCURRENCY = "CHATHOOKS_BENCH_DATABASE", "CHATHOOKS_BENCH_CONCURRENCY"
"""Environment variables of the worker: where its queue is, and how many jobs run at a time."""
ENTRYPOINT = "deliver"
ATTEMPTS_MAX = 5
BATCH = 64


async def _work() -> None:
    concurrency = int(os.environ[CONCURRENCY])
    connection: Any = await asyncpg.connect(os.environ[DATABASE])
    queue: Any = PgQueuer.from_asyncpg_connection(connection)
    decode = msgspec.json.Decoder().decode
    room = asyncio.Semaphore(concurrency)
    async with session(concurrency) as posting:

        @queue.entrypoint(  # type: ignore[untyped-decorator]  # likewise
            ENTRYPOINT,
            executor_factory=lambda parameters: DatabaseRetryEntrypointExecutor(
                parameters=parameters, max_attempts=ATTEMPTS_MAX
            ),
        )
        async def deliver(job: Job) -> None:
            async with room:
                await post(posting, decode(job.payload or b""))

        await queue.run(batch_size=BATCH)
    await connection.close()


if __name__ == "__main__":
    uvloop.run(_work())
