"""One measured side: what it is told, what it answers, and the window in which its CPU time counts.

Each side runs in a fresh process (`python -m benchmarks.side '<spec as JSON>'`), so that `process_time` is that
side's alone: all of its threads, none of the endpoint's or the load's.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Callable

import msgspec
import uvloop

from benchmarks.processes import families_cpu_s
from benchmarks.profiling import Profiler
from chathooks.app.collector import tune_collector
from chathooks.app.logs import configure_logs

STORE_FILE = "backlog.sqlite3"
SIDES = {
    "bare": "benchmarks.bare",
    "plain": "benchmarks.bare",
    "client": "benchmarks.sending",
    "sender": "benchmarks.sending",
    "drain": "benchmarks.drain",
    "drain-postgres": "benchmarks.drain",
    "backlog": "benchmarks.backlog",
    "trivial": "benchmarks.serving",
    "post": "benchmarks.serving",
    "scale": "benchmarks.stored",
    "memory": "benchmarks.stored",
    "idle": "benchmarks.idle",
    "commands": "benchmarks.commands",
    "sequencer": "benchmarks.sequencing",
    "aiohttp": "benchmarks.aiohttp_loop",
}


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a side is told. Times in seconds."""

    side: str
    seconds: float = 10.0
    warm_seconds: float = 0.5
    connections: int = 64
    port: int = 0
    ca_file: str = ""
    folder: str = ""
    """Where a side that stores something keeps it; on a real disk."""
    store_file: str = STORE_FILE
    """The store in that folder, of sides that work on one without a server."""
    keep: bool = False
    """Whether a drain works on the store itself instead of a copy."""
    database: str = ""
    """Address of the PostgreSQL database that holds the store instead."""
    server_pid: int = 0
    """Process of a server whose CPU time counts too; 0: none."""
    cluster: bool = False
    """Whether the database is shared with other sessions."""
    events: int = 0
    body_bytes: int = 0
    """So many bytes of text are put into each event; 0: the sample as it is."""
    webhooks: int = 1
    profile: str = ""
    """"calls" or "samples"; empty: no profile."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a side did in its window."""

    done: int
    cpu_s: float
    wall_s: float
    notes: dict[str, float] = {}
    profile: str = ""

    @property
    def per_cpu_s(self) -> float:
        """Units done per CPU-second."""
        return self.done / self.cpu_s

    @property
    def per_s(self) -> float:
        """Units done per second of wall time."""
        return self.done / self.wall_s


class Window:
    """Counts between two instants."""

    def __init__(self, spec: Spec, count: Callable[[], int]) -> None:
        self._spec = spec
        self._count = count
        self._profiler = Profiler(spec.profile)

    def begin(self) -> None:
        """From here on CPU time counts."""
        self._profiler.start()
        self._own_s = time.process_time()
        self._before = (self._count(), self._cpu_s(), time.perf_counter())

    def _cpu_s(self) -> float:
        server_pid = self._spec.server_pid
        return time.process_time() + (families_cpu_s(server_pid) if server_pid else 0.0)

    def end(self, notes: dict[str, float] | None = None) -> Counted:
        """What was done since `begin`."""
        cpu_s, wall_s, done = self._cpu_s(), time.perf_counter(), self._count()
        notes = dict(notes or {})
        if self._spec.server_pid:
            notes["own_cpu_s"] = round(time.process_time() - self._own_s, 3)
        text = self._profiler.stop()
        before = self._before
        return Counted(
            done=done - before[0],
            cpu_s=cpu_s - before[1],
            wall_s=wall_s - before[2],
            notes=notes,
            profile=text,
        )

    async def measure(self) -> Counted:
        """Warm up, then count for the spec's seconds."""
        await asyncio.sleep(self._spec.warm_seconds)
        self.begin()
        await asyncio.sleep(self._spec.seconds)
        return self.end()


def main() -> None:
    """Run the side named in the spec and print what it counted."""
    spec = msgspec.json.decode(sys.argv[1], type=Spec)
    # Both as `chathooks serve` does, for every side alike.
    configure_logs("info")
    tune_collector()
    counted = uvloop.run(importlib.import_module(SIDES[spec.side]).run(spec))
    print(msgspec.json.encode(counted).decode(), flush=True)


if __name__ == "__main__":
    main()
