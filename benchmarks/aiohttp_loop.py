"""A plain aiohttp loop: one session, the spec's number of tasks that each post the same prepared request."""

import asyncio
import ssl

from benchmarks.side import Counted, Spec, Window
from benchmarks.workload import endpoint_url, header_fields, one_request


async def run(spec: Spec) -> Counted:
    """Send until the window ends. Raises RuntimeError where a request is not answered with 200."""
    import aiohttp

    lines, body = one_request(spec.port)
    headers = header_fields(lines)
    trust = ssl.create_default_context(cafile=spec.ca_file)
    url = endpoint_url(spec.port)
    done = 0
    connector = aiohttp.TCPConnector(limit=spec.connections, ssl=trust)
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def send() -> None:
            nonlocal done
            while True:
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"a request was answered with {answer.status}")
                done += 1

        window = Window(spec, lambda: done)
        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(send()) for _ in range(spec.connections)]
            counted = await window.measure()
            for task in sending:
                task.cancel()
    return counted
