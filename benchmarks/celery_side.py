"""Runs the Celery side: a Redis of its own, a queue filled beforehand, a worker of two prefork processes.

What counts is the CPU time of the worker's processes and of Redis, which do together what Chathooks does in one
process. Tasks done are those that are neither queued nor unacknowledged any more.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.endpoint import free_port
from benchmarks.processes import cpu_s, family
from benchmarks.side import Counted, Spec
from benchmarks.workload import endpoint_url, header_fields, one_request

CONCURRENCY = 2
TASKS_PER_S = 2_000
"""Queued per second of the run: more than two workers get through."""
START_S_MAX = 60.0
POLL_S = 0.05
STOP_S_MAX = 20.0
BROKER, CA_FILE = "CHATHOOKS_BENCH_BROKER", "CHATHOOKS_BENCH_CA_FILE"
"""Environment variables of the worker: where its queue is, and whose certificates it believes."""
QUEUE, UNACKED = "celery", "unacked"

_WORKER = ("--pool", "prefork", "--concurrency", str(CONCURRENCY), "--loglevel", "ERROR")
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def missing() -> str:
    """What this machine lacks to run it; empty: nothing."""
    if shutil.which("redis-server") is None:
        return "redis-server is not installed"
    try:
        import celery  # noqa: F401 -- only whether it is there
        import redis  # noqa: F401 -- likewise
        import requests  # noqa: F401 -- likewise
    except ImportError as error:
        return f"{error.name} is not installed; make bench installs it"
    return ""


@contextlib.contextmanager
def _process(command: list[str], folder: Path, name: str, **environment: str) -> Iterator[int]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _connected(port: int) -> Any:
    import redis

    client = redis.Redis(port=port)
    give_up = time.monotonic() + START_S_MAX
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(POLL_S)
        else:
            return client


def _enqueue(spec: Spec, broker: str, tasks: int) -> None:
    from celery import Celery

    lines, body = one_request(spec.port)
    headers = header_fields(lines)
    arguments = (endpoint_url(spec.port), headers, body.decode())
    app = Celery("benchmark", broker=broker)
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for _ in range(tasks):
            app.send_task("deliver", arguments, producer=producer, ignore_result=True)


def run_celery(spec: Spec, folder: Path) -> Counted:
    """One run. Raises RuntimeError where the worker does not get going or ran out of work."""
    port = free_port()
    broker = f"redis://127.0.0.1:{port}/0"
    environment = {BROKER: broker, CA_FILE: spec.ca_file}
    memory_only = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    redis_command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", *memory_only]
    worker = [sys.executable, "-m", "celery", "-A", "benchmarks.celery_tasks", "worker"]
    tasks = int((spec.seconds + spec.warm_seconds) * TASKS_PER_S)
    with _process(redis_command, folder, "redis") as redis_pid:
        client = _connected(port)
        _enqueue(spec, broker, tasks)

        def left() -> int:
            return int(client.llen(QUEUE)) + int(client.hlen(UNACKED))

        command = [*worker, *_WORKER, *_ALONE]
        with _process(command, folder, "celery", **environment) as worker_pid:
            give_up = time.monotonic() + START_S_MAX
            while left() == tasks:
                if time.monotonic() > give_up:
                    raise RuntimeError((folder / "celery.log").read_text("utf-8", "replace"))
                time.sleep(POLL_S)
            time.sleep(spec.warm_seconds)
            pids = [redis_pid, *family(worker_pid)]
            before, used_s, began = left(), cpu_s(*pids), time.perf_counter()
            time.sleep(spec.seconds)
            after, used_s, wall_s = left(), cpu_s(*pids) - used_s, time.perf_counter() - began
            errors = (folder / "celery.log").read_text("utf-8", "replace")
    if not after or "Error" in errors:
        raise RuntimeError(f"{after} of {tasks} tasks were left: {errors[-2000:]}")
    return Counted(done=before - after, cpu_s=used_s, wall_s=wall_s)
