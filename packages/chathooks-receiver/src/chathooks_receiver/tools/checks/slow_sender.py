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


async def run(probe: Probe) -> Finding:
    """Open connections that stop in the middle of a request, then deliver beside them."""
    begun: list[Connection] = []
    half = request_bytes(probe.target, probe.request())
    try:
        for number in range(probe.limits.slow_connections):
            connection = await probe.open()
            begun.append(connection)
            # Half of them stop in the headers, half in the body.
            await connection.send(half[:40] if number % 2 else half[:-10])
        for _ in range(DELIVERIES):
            result = await probe.send(probe.request())
            if not result.acknowledged:
                return failed(
                    f"Beside {len(begun)} slow senders a delivery failed: {said(result)}."
                )
    except ConnectionFailed as error:
        return failed(f"After {len(begun)} slow senders: {error}.")
    finally:
        await asyncio.gather(*(connection.close() for connection in begun))
    return passed(f"{DELIVERIES} deliveries beside {len(begun)} slow senders were acknowledged.")


CHECK = Check(
    id="slow-sender",
    title="serves others while a sender is slow",
    section=QUICKLY,
    severity="major",
    advice="Put a buffering proxy before workers that serve one connection at a time, or use an asynchronous server, and bound the time of a request.",
    run=run,
)
