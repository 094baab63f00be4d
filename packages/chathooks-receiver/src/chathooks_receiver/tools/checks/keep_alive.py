"""keep-alive: a connection is used again, or its end is announced."""

from chathooks_receiver.tools.checks.contract import (
    QUICKLY,
    Check,
    Finding,
    Probe,
    failed,
    passed,
    said,
)
from chathooks_receiver.tools.connection import ConnectionFailed
from chathooks_receiver.tools.sender import request_bytes, result_of

REQUESTS = 3


async def run(probe: Probe) -> Finding:
    """Send deliveries over one connection for as long as the endpoint says that it keeps it."""
    connection = None
    try:
        connection = await probe.open()
        for number in range(1, REQUESTS + 1):
            probe.requests += 1
            await connection.send(request_bytes(probe.target, probe.request()))
            answer = await connection.answer(timeout_s=probe.limits.timeout_s)
            if not result_of(answer).acknowledged:
                return failed(f"Delivery {number} over one connection {said(result_of(answer))}.")
            if not answer.kept:
                return passed(f"The connection is closed after {number}, as announced.")
    except ConnectionFailed as error:
        return failed(f"Over a kept connection: {error}.")
    finally:
        if connection is not None:
            await connection.close()
    return passed(f"{REQUESTS} deliveries over one connection.")


CHECK = Check(
    id="keep-alive",
    title="keeps connections, or says that it does not",
    section=QUICKLY,
    severity="minor",
    advice="Keep connections open for some seconds after an answer, or send `Connection: close`.",
    run=run,
)
