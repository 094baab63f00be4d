"""The window of a queue with workers of its own: jobs put there beforehand, those that are left counted from outside."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.processes import families_cpu_s
from benchmarks.side import Counted, Spec

START_S_MAX = 60.0
POLL_S = 0.05
LOG_CHARS_KEPT = 2_000
_FAULTS = ("Error", "Traceback")


def measured(
    spec: Spec,
    jobs: int,
    left: Callable[[], int],
    worker: subprocess.Popen[bytes],
    server_pid: int,
    log: Path,
) -> Counted:
    """Count what workers that were just started get done in the spec's seconds.

    Args:
        spec: of the side.
        jobs: how many were put there.
        left: how many are neither done nor given up.
        worker: of which the others are children; it was just started.
        server_pid: of the queue's server; the CPU time of both counts, with that of all that they started.
        log: what the worker prints; nothing where all goes well.

    Raises:
        RuntimeError: the workers do not get going, ran out of work, or a job failed.
    """
    give_up = time.monotonic() + START_S_MAX
    while left() == jobs:
        if worker.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"no job was done: {_tail(log)}")
        time.sleep(POLL_S)
    time.sleep(spec.warm_seconds)
    pids = (server_pid, worker.pid)
    before, used_s, began = left(), families_cpu_s(*pids), time.perf_counter()
    time.sleep(spec.seconds)
    after, used_s, wall_s = left(), families_cpu_s(*pids) - used_s, time.perf_counter() - began
    errors = _tail(log)
    if not after or any(fault in errors for fault in _FAULTS):
        raise RuntimeError(f"{after} of {jobs} jobs were left: {errors}")
    return Counted(done=before - after, cpu_s=used_s, wall_s=wall_s)


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-LOG_CHARS_KEPT:]
