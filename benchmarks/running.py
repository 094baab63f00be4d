"""Runs one side in a fresh process and reads what it counted."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.backlog import STORE_FILE
from benchmarks.drain import DRAIN_S_MAX
from benchmarks.load import LoadSpec
from benchmarks.side import Counted, Spec

START_S_MAX = 60.0
"""Start, warm-up and stop of a side, beyond its seconds."""
BACKLOG_S_MAX = 600.0
ERROR_CHARS_KEPT = 2_000
POST_PATHS = {"post": "/v3/messages", "trivial": "/trivial"}


def _command(module: str, spec: msgspec.Struct) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{module}", msgspec.json.encode(spec).decode()]


def _decoded(output: bytes) -> Counted:
    return msgspec.json.decode(output.strip().splitlines()[-1], type=Counted)


def _run_alone(spec: Spec, timeout_s: float) -> Counted:
    done = subprocess.run(
        _command("side", spec), capture_output=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace")[-ERROR_CHARS_KEPT:]
        raise RuntimeError(f"the side {spec.side} ended with status {done.returncode}: {text}")
    return _decoded(done.stdout)


def make_backlog(spec: Spec) -> None:
    """Fill the store that drains begin with."""
    _run_alone(msgspec.structs.replace(spec, side="backlog"), BACKLOG_S_MAX)


def run_side(spec: Spec) -> Counted:
    """Run the side named in the spec.

    Raises:
        RuntimeError: it ended with an error.
    """
    if spec.side in POST_PATHS:
        return _run_server(spec)
    if spec.side != "drain":
        return _run_alone(spec, spec.seconds + START_S_MAX)
    with tempfile.TemporaryDirectory(dir=spec.folder) as folder:
        shutil.copy(Path(spec.folder) / STORE_FILE, folder)
        spec = msgspec.structs.replace(spec, folder=folder)
        return _run_alone(spec, DRAIN_S_MAX + START_S_MAX)


class _Told:
    """A process that is told lines and answers each with one."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self._log = log

    def answer(self) -> bytes:
        """The next line. Raises RuntimeError where the process ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            text = self._log.read_text("utf-8", "replace")[-ERROR_CHARS_KEPT:]
            raise RuntimeError(f"a process of the run ended: {text}")
        return line

    def ask(self, line: str = "") -> bytes:
        """Tell it a line; answers its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
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


def _run_server(spec: Spec) -> Counted:
    with tempfile.TemporaryDirectory(dir=spec.folder) as folder:
        path = Path(folder)
        spec = msgspec.structs.replace(spec, folder=str(path / "data"))
        server = _Told(_command("side", spec), path / "server.log")
        load: _Told | None = None
        try:
            port: int = msgspec.json.decode(server.answer())["port"]
            load_spec = LoadSpec(port=port, path=POST_PATHS[spec.side], clients=spec.connections)
            load = _Told(_command("load", load_spec), path / "load.log")
            load.ask()
            time.sleep(spec.warm_seconds)
            server.ask("begin")
            before = int(load.ask())
            time.sleep(spec.seconds)
            done = int(load.ask()) - before
            server_said = server.ask("end")
        finally:
            if load is not None:
                load.close()
            server.close()
    return msgspec.structs.replace(_decoded(server_said), done=done)
