"""A server that stops finishes what it has begun and takes nothing new."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chathooks.api.routing import Answer, Call, Route
from support.server import serving

pytestmark = pytest.mark.anyio


class Gate:
    """A call that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    def routes(self, *_: Any) -> list[Route]:
        return [
            Route(
                method="GET", path="/wait", handler=self.wait, summary="Wait", tag="T", answer=str
            )
        ]

    async def wait(self, _: Call) -> Answer:
        self.entered.set()
        await self.open.wait()
        return Answer("done")


async def test_a_call_that_is_being_answered_is_finished(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, routes=gate.routes) as server:
        call = asyncio.create_task(server.call("GET", "/wait"))
        await asyncio.wait_for(gate.entered.wait(), 10)
        stopping = asyncio.create_task(server.http.stop())
        await asyncio.sleep(0)
        gate.open.set()
        assert (await asyncio.wait_for(call, 10)).data == "done"
        await asyncio.wait_for(stopping, 10)
        with pytest.raises(OSError, match=r"refused|reset"):
            await server.request("GET", "/healthz")


async def test_an_idle_or_half_sent_connection_does_not_delay_the_stop(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        idle = await asyncio.open_connection("127.0.0.1", server.port)
        half = await asyncio.open_connection("127.0.0.1", server.port)
        half[1].write(b"GET /v3/webhooks HTTP/1.1\r\n")
        await server.call("GET", "/webhooks")
        await asyncio.wait_for(server.http.stop(), 5)
        for reader, writer in (idle, half):
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
