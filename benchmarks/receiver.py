"""`python -m benchmarks.receiver`: what the receiver costs next to a bare ASGI app, with brokers, and under overload.

The brokers are given by environment variables (`BENCH_KAFKA=host:port`, `BENCH_RABBITMQ=amqp://…`, `BENCH_NATS=nats://…`,
`BENCH_REDIS=redis://…`); those that are not set are left out. Servers and load are processes of their own on one machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.receiver_load import Spec

ROUNDS = 5
SECONDS = 5.0
BROKER_RATE_PER_S = 1_000
OVERLOAD_RATE_PER_S = 1_000
BROKERS = ("kafka", "rabbitmq", "nats", "redis")
CONNECTIONS = 64
OVERLOAD_CONNECTIONS = 2_500


class Side:
    """A running server."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def stop(self) -> dict[str, Any]:
        """End it; what it printed last."""
        text, _ = self._process.communicate("\n", timeout=60)
        found: dict[str, Any] = json.loads(text)
        return found


@contextmanager
def serving(side: str, place: str = "") -> Iterator[Side]:
    """A server in a process of its own, with a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receiver_side", side, place, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Side(process)
        finally:
            process.kill()
            process.wait()


def load(**told: Any) -> dict[str, Any]:
    """Run the load and read what it found."""
    spec = msgspec.json.encode(Spec(**told)).decode()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.receiver_load", spec],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(side: str, seconds: float) -> tuple[float, float]:
    """Requests per second, and per second of the server's processor time."""
    with serving(side) as server:
        load(port=server.port, seconds=0.5, run="warm", connections=CONNECTIONS)
        found = load(port=server.port, seconds=seconds, connections=CONNECTIONS)
        assert set(found["statuses"]) == {"200"}, found["statuses"]
        answered = found["per_second"] * seconds
        used_s = server.stop()["processor_s"]
    # The half second of warming is in the processor time as well; its requests are few beside the rest.
    return found["per_second"], answered / used_s


def speed(rounds: int, seconds: float) -> list[tuple[str, ...]]:
    """Bare and receiver in turn, so that both meet the same moods of the machine."""
    figures: dict[str, list[tuple[float, float]]] = {"bare": [], "receiver": []}
    for _ in range(rounds):
        for side, taken in figures.items():
            taken.append(measure(side, seconds))
    pairs = zip(figures["bare"], figures["receiver"], strict=True)
    ratio = statistics.median(mine[1] / floor[1] for floor, mine in pairs)
    rows: list[tuple[str, ...]] = []
    for side, taken in figures.items():
        rate, per_core = (statistics.median(column) for column in zip(*taken, strict=True))
        share = "1.00" if side == "bare" else f"{ratio:.2f}"
        rows.append((side, f"{rate:,.0f}/s", f"{per_core:,.0f} per core-second", share))
    return rows


def brokers(seconds: float) -> list[tuple[str, ...]]:
    """Latency at a fixed rate, with each broker that is given."""
    rows: list[tuple[str, ...]] = []
    for name in BROKERS:
        place = os.environ.get(f"BENCH_{name.upper()}")
        if place is None:
            rows.append((name, "not given", "", ""))
            continue
        with serving(name, place) as server:
            load(port=server.port, seconds=1.0, rate=200, run="warm")
            found = load(port=server.port, seconds=seconds, rate=BROKER_RATE_PER_S)
        p50, p99, most = found["p50_ms"], found["p99_ms"], found["max_ms"]
        rows.append(
            (
                name,
                f"{found['per_second']:,.0f}/s",
                f"p50 {p50} p99 {p99} max {most} ms",
                str(found["statuses"]),
            )
        )
    return rows


def overload(seconds: float) -> tuple[str, ...]:
    """A sink that takes a tenth of what comes: everything is answered in time, and what got 200 is there."""
    with serving("overload") as server:
        found = load(
            port=server.port,
            seconds=seconds,
            rate=OVERLOAD_RATE_PER_S,
            connections=OVERLOAD_CONNECTIONS,
        )
        stored = server.stop()["count"]
    accepted = len(found["accepted"])
    assert stored >= accepted, "an event that was answered 200 is not in the sink"
    return (
        "overload",
        f"max {found['max_ms']} ms",
        f"{accepted} answered 200, {stored} stored",
        str(found["statuses"]),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    table = Table("side", "rate", "figure", "ratio or answers")
    for row in speed(options.rounds, options.seconds):
        table.add_row(*row)
    for row in brokers(options.seconds):
        table.add_row(*row)
    table.add_row(*overload(options.seconds))
    Console().print(table)


if __name__ == "__main__":
    main()
