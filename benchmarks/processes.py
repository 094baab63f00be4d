"""What the system tells of other processes (Linux): CPU time and resident size."""

import os
from pathlib import Path

KIB_PER_MIB = 1024


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_s(*pids: int) -> float:
    """CPU time of processes so far, user and system, in seconds."""
    ticks = 0
    for pid in pids:
        # The name, in parentheses, may hold anything; user and system time are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(name: str = "VmRSS", pid: int | str = "self") -> float:
    """A size of a process by its name in /proc/<pid>/status: VmRSS (now) or VmHWM (the most), in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / KIB_PER_MIB
    raise RuntimeError(f"the system does not tell {name} of process {pid}")
