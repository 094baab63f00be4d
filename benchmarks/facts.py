"""The machine that a run's figures belong to."""

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import pycurl

FSYNCS = 200
FSYNC_BYTES = 4096


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures depend on."""

    cores: int
    cpu: str
    system: str
    python: str
    libcurl: str
    sqlite: str
    fsync_p50_ms: float
    fsync_p95_ms: float
    load_average: float
    """Processes that wanted to run over the last minute, before this run began."""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def fsyncs_ms(folder: Path) -> list[float]:
    """Times of FSYNCS small appends each made durable, ascending, on the disk of `folder`."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            file.write(os.urandom(FSYNC_BYTES))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def gather(folder: Path) -> Facts:
    """Facts of this machine; `folder` is on the disk whose fsync is timed."""
    taken = fsyncs_ms(folder)
    return Facts(
        cores=os.cpu_count() or 1,
        cpu=_cpu(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        libcurl=pycurl.version,
        sqlite=sqlite3.sqlite_version,
        fsync_p50_ms=round(statistics.median(taken), 3),
        fsync_p95_ms=round(taken[int(len(taken) * 0.95)], 3),
        load_average=round(os.getloadavg()[0], 2),
    )
