"""split-request: a request that arrives in many pieces is put together."""

import asyncio

from chathooks_receiver.tools.checks.contract import (
    SETTING_UP,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)
from chathooks_receiver.tools.connection import ConnectionFailed
from chathooks_receiver.tools.sender import request_bytes, result_of

PIECES = 12
PAUSE_S = 0.03


async def run(probe: Probe) -> Finding:
    """Send a delivery a piece at a time."""
    data = request_bytes(probe.target, probe.request())
    size = len(data) // PIECES + 1
    probe.requests += 1
    try:
        connection = await probe.open()
        try:
            for start in range(0, len(data), size):
                await connection.send(data[start : start + size])
                await asyncio.sleep(PAUSE_S)
            result = result_of(await connection.answer(timeout_s=probe.limits.timeout_s))
        finally:
            await connection.close()
    except ConnectionFailed as error:
        return failed(f"A delivery in {PIECES} pieces: {error}.")
    if result.acknowledged:
        return passed(f"A delivery in {PIECES} pieces {said(result)}.")
    return failed(f"A delivery in {PIECES} pieces {said(result)}.")


CHECK = Check(
    id="split-request",
    title="reads a request that arrives in pieces",
    section=SETTING_UP,
    severity="major",
    advice="Read the body until Content-Length bytes have come; one read of the socket is not the whole request.",
    run=run,
)
