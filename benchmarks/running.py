"""Runs one side in a fresh process and reads what it counted."""

import contextlib
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.calling import Api
from benchmarks.celery_side import run_celery
from benchmarks.drain import DRAIN_S_MAX
from benchmarks.load import LoadSpec
from benchmarks.rivals import run_faststream, run_pgqueuer
from benchmarks.side import Counted, Spec

START_S_MAX = 60.0
"""Start, warm-up and stop of a side, beyond its seconds."""
BACKLOG_S_MAX = 600.0
ANSWER_S_MAX = 300.0
"""How long a process that was told something may take to answer, a run's seconds included."""
ERROR_CHARS_KEPT = 2_000
POST_PATHS = {"post": "/v3/messages", "trivial": "/trivial"}
STORED_SIDES = ("scale", "memory", "idle", "sequencer")
QUEUES = {"celery": run_celery, "pgqueuer": run_pgqueuer, "faststream": run_faststream}


def command_of(module: str, spec: msgspec.Struct) -> list[str]:
    """The command that runs a module of the benchmarks by a spec."""
    return [sys.executable, "-m", f"benchmarks.{module}", msgspec.json.encode(spec).decode()]


def decoded(output: bytes) -> Counted:
    """What a side printed last."""
    return msgspec.json.decode(output.strip().splitlines()[-1], type=Counted)


def _run_alone(spec: Spec, timeout_s: float) -> Counted:
    done = subprocess.run(
        command_of("side", spec), capture_output=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace")[-ERROR_CHARS_KEPT:]
        raise RuntimeError(f"the side {spec.side} ended with status {done.returncode}: {text}")
    return decoded(done.stdout)


def make_backlog(spec: Spec) -> Counted:
    """Fill the store that drains begin with; answers what that took."""
    return _run_alone(msgspec.structs.replace(spec, side="backlog"), BACKLOG_S_MAX)


def run_side(spec: Spec) -> Counted:
    """Run the side named in the spec.

    Raises:
        RuntimeError: it ended with an error.
    """
    if spec.side in POST_PATHS:
        return _run_server(spec)
    if spec.side in QUEUES:
        with tempfile.TemporaryDirectory(dir=spec.folder) as folder:
            return QUEUES[spec.side](spec, Path(folder))
    if spec.side in STORED_SIDES or spec.database or spec.keep:
        return _run_alone(spec, DRAIN_S_MAX + START_S_MAX)
    if spec.side != "drain":
        return _run_alone(spec, spec.seconds + START_S_MAX)
    with tempfile.TemporaryDirectory(dir=spec.folder) as folder:
        shutil.copy(Path(spec.folder) / spec.store_file, folder)
        spec = msgspec.structs.replace(spec, folder=folder)
        return _run_alone(spec, DRAIN_S_MAX + START_S_MAX)


class Told:
    """A process that is told lines and answers each with one."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def answer(self) -> bytes:
        """The next line. Raises RuntimeError where the process ended instead, or says nothing in time."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S_MAX)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            text = self._log.read_text("utf-8", "replace")[-ERROR_CHARS_KEPT:]
            what = "ended" if ready else f"said nothing for {ANSWER_S_MAX:g} s"
            raise RuntimeError(f"a process of the run {what}: {text}")
        return line

    def tell(self, line: str = "") -> None:
        """Tell it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def ask(self, line: str = "") -> bytes:
        """Tell it a line; answers its answer."""
        self.tell(line)
        return self.answer()

    def close(self) -> None:
        """End its input and wait for it to end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(START_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def served(spec: Spec, folder: Path) -> Iterator[tuple[Told, int]]:
    """The server of the spec's side on a data directory in `folder` while the block runs, and its port."""
    spec = msgspec.structs.replace(spec, folder=str(folder / "data"))
    server = Told(command_of("side", spec), folder / "server.log")
    try:
        port: int = msgspec.json.decode(server.answer())["port"]
        yield server, port
    finally:
        server.close()


@contextlib.contextmanager
def loaded(spec: LoadSpec, folder: Path) -> Iterator[Told]:
    """The load while the block runs."""
    load = Told(command_of("load", spec), folder / "load.log")
    try:
        load.ask()
        yield load
    finally:
        load.close()


def _run_server(spec: Spec) -> Counted:
    with tempfile.TemporaryDirectory(dir=spec.folder) as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server, port = stack.enter_context(served(spec, folder))
        if spec.side == "post":
            with Api(port) as api:
                api.add_people()
        load_spec = LoadSpec(port=port, path=POST_PATHS[spec.side], clients=spec.connections)
        load = stack.enter_context(loaded(load_spec, folder))
        time.sleep(spec.warm_seconds)
        server.ask("begin")
        before = int(load.ask())
        time.sleep(spec.seconds)
        done = int(load.ask()) - before
        counted = decoded(server.ask("end"))
    return msgspec.structs.replace(counted, done=done)
