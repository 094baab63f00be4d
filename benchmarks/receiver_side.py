"""The servers that are measured: `python -m benchmarks.receiver_side SIDE [PLACE]`, one process, uvicorn and uvloop.

Prints its port when it listens. On the end of its standard input it stops and prints the seconds of processor time that it took
since its first request, and how many events its sink has.
"""

import asyncio
import json
import resource
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn

from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.dedupe.sqlite import SqliteDedupe
from chathooks_receiver.intake import Arrival
from chathooks_receiver.receiver import AsyncReceiver
from chathooks_receiver.service.run import calm_collector
from chathooks_receiver.sinks import Sink
from chathooks_receiver.sinks.memory import MemorySink
from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET

KEPT = 1_000
TRICKLE_PER_S = 100.0


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """What any ASGI endpoint pays at the least: read the body, answer 200."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"21")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"status":"accepted"}'})


class Trickle(MemorySink):
    """A sink that takes a hundred events a second, one after the other, and no more."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = asyncio.Lock()

    async def put(self, arrival: Arrival) -> bool:
        async with self._turn:
            await asyncio.sleep(1 / TRICKLE_PER_S)
            return await super().put(arrival)


def sink_of(side: str, place: str) -> Sink:
    """The sink that a side is named for."""
    match side:
        case "receiver":
            return MemorySink(events_max=KEPT)
        case "overload":
            return Trickle()
        case "kafka":
            from chathooks_receiver.sinks.kafka import KafkaSink

            return KafkaSink(place, "bench")
        case "rabbitmq":
            from chathooks_receiver.sinks.rabbitmq import RabbitSink

            return RabbitSink(place, "bench")
        case "nats":
            from chathooks_receiver.sinks.nats import NatsSink

            return NatsSink(place, "bench", prefix="bench")
        case "redis":
            from chathooks_receiver.sinks.redis import RedisSink

            return RedisSink(place, "bench")
    raise SystemExit(f"there is no side {side}")


def processor_s() -> float:
    """Seconds of processor time of this process, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(side: str, place: str, folder: Path) -> None:
    """Serve until the standard input ends."""
    sink: Sink | None = None
    app: Any = bare
    if side != "bare":
        sink = sink_of(side, place)
        receiver = AsyncReceiver(
            sink=sink,
            dedupe=SqliteDedupe(folder / "seen.sqlite3"),
            secrets=[TEST_SECRET],
            credentials=[TEST_CREDENTIALS],
        )
        app = ReceiverApp(receiver)
        calm_collector()  # as the ready service does
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)  # before the port is told: the load connects at once
    config = uvicorn.Config(app, log_level="error", ws="none", lifespan="on", backlog=512)
    server = uvicorn.Server(config)

    def until_the_end() -> None:
        sys.stdin.readline()
        server.should_exit = True

    threading.Thread(target=until_the_end, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    begun_s = processor_s()
    server.run([listening])
    count = sink.count if isinstance(sink, MemorySink) else None
    print(json.dumps({"processor_s": processor_s() - begun_s, "count": count}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
