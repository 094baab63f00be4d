"""slow-sender: senders that take their time keep nobody else waiting."""

import asyncio

from chathooks_receiver.tools.checks.contract import (
    QUICKLY,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)
from chathooks_receiver.tools.connection import Connection, ConnectionFailed
from chathooks_receiver.tools.sender import request_bytes

DELIVERIES = 5
DRIP_S = 0.05
DRIPS_MAX = 200
"""Bytes of a request that are left to drip; more than there is time for."""


async def run(probe: Probe) -> Finding:
    """Open connections that drip a request a byte at a time, or stop in the middle, then deliver beside them."""
    begun: list[Connection] = []
    whole = request_bytes(probe.target, probe.request())
    dripping: asyncio.Task[None] | None = None
    try:
        for number in range(probe.limits.slow_connections):
            connection = await probe.open()
            begun.append(connection)
            # Half of them stop in the headers; the others are in the body, and drip on.
            await connection.send(whole[:40] if number % 2 else whole[:-DRIPS_MAX])
        dripping = asyncio.create_task(_drip(begun[::2], whole[-DRIPS_MAX:-1]))
        for _ in range(DELIVERIES):
            result = await probe.send(probe.request())
            if not result.acknowledged:
                return failed(
                    f"Beside {len(begun)} slow senders a delivery failed: {said(result)}."
                )
            await asyncio.sleep(DRIP_S)
    except ConnectionFailed as error:
        return failed(f"After {len(begun)} slow senders: {error}.")
    finally:
        if dripping is not None:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in begun))
    return passed(f"{DELIVERIES} deliveries beside {len(begun)} slow senders were acknowledged.")


async def _drip(connections: list[Connection], data: bytes) -> None:
    """A byte at a time to each; an endpoint may well close a connection that does so."""
    left = list(connections)
    for position in range(len(data)):
        for connection in list(left):
            try:
                await connection.send(data[position : position + 1])
            except ConnectionFailed:
                left.remove(connection)
        await asyncio.sleep(DRIP_S)


CHECK = Check(
    id="slow-sender",
    title="serves others while a sender is slow",
    section=QUICKLY,
    severity="major",
    advice="Put a buffering proxy before workers that serve one connection at a time, or use an asynchronous server, and bound the time of a request.",
    run=run,
)
