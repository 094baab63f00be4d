"""Other processes (Linux): run while a block runs; their CPU time and resident size."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

KIB_PER_MIB = 1024
STOP_S_MAX = 20.0


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, name: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process while the block runs; what it prints is in `<folder>/<name>.log`."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        children = []
    return [pid, *(one for child in children for one in family(int(child)))]


def _times(pid: int) -> list[int]:
    # The name, in parentheses, may hold anything; user and system time are fields 14 and 15, those of children
    # that have ended 16 and 17.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]


def cpu_s(*pids: int) -> float:
    """CPU time of processes so far, user and system, in seconds."""
    return sum(sum(_times(pid)[:2]) for pid in pids) / os.sysconf("SC_CLK_TCK")


def families_cpu_s(*pids: int) -> float:
    """CPU time so far of processes and of all that they started, those that have ended included, in seconds."""
    ticks = 0
    for pid in pids:
        # Parents last: a child that ends meanwhile is then in its parent's time.
        for one in reversed(family(pid)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                ticks += sum(_times(one))
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(name: str = "VmRSS", pid: int | str = "self") -> float:
    """A size of a process by its name in /proc/<pid>/status: VmRSS (now) or VmHWM (the most), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / KIB_PER_MIB
    raise RuntimeError(f"the system does not tell {name} of process {pid}")
