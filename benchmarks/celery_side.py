"""Runs the Celery side: a Redis of its own, a queue filled beforehand, a worker of two prefork processes.

What counts is the CPU time of the worker's processes and of Redis, which do together what Chathooks does in one
process. Tasks done are those that are neither queued nor unacknowledged any more.
"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.endpoint import free_port
from benchmarks.processes import running
from benchmarks.queued import measured
from benchmarks.side import Counted, Spec
from benchmarks.workload import endpoint_url, header_fields, one_request

CONCURRENCY = 2
TASKS_PER_S = 2_000
"""Queued per second of the run: more than two workers get through."""
START_S_MAX = 60.0
POLL_S = 0.05
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
    with running(redis_command, folder, "redis") as redis:
        client = _connected(port)
        _enqueue(spec, broker, tasks)

        def left() -> int:
            return int(client.llen(QUEUE)) + int(client.hlen(UNACKED))

        command = [*worker, *_WORKER, *_ALONE]
        with running(command, folder, "celery", **environment) as process:
            return measured(spec, tasks, left, process, redis.pid, folder / "celery.log")
