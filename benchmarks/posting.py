"""What workers of asyncio queues do with a job: post it with aiohttp, as users of these queues would."""

import os
import ssl
from typing import Any

import aiohttp

TIMEOUT_S = 2.0
CA_FILE = "CHATHOOKS_BENCH_CA_FILE"
"""Environment variable of a worker: whose certificates it believes."""


def session(connections: int) -> aiohttp.ClientSession:
    """A session that keeps so many connections. Call it on a running loop."""
    trust = ssl.create_default_context(cafile=os.environ[CA_FILE])
    connector = aiohttp.TCPConnector(limit=connections, ssl=trust)
    return aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
    )


async def post(posting: aiohttp.ClientSession, job: dict[str, Any]) -> None:
    """Post a job's body once. Raises RuntimeError where the answer is not 200."""
    async with posting.post(job["url"], data=job["body"], headers=job["headers"]) as answer:
        await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a request was answered with {answer.status}")
