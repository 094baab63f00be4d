"""The benchmarks run on the program as it is now, and leave a report."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from benchmarks import report
from benchmarks.capacity_report import Capacity

ROOT = Path(__file__).resolve().parents[3]
RUN_S_MAX = 110


def run(
    folder: Path, *arguments: str, module: str = "benchmarks"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
    )


def test_a_short_run_measures_messages_and_latencies_on_the_whole_server(tmp_path: Path) -> None:
    arguments = ("--only", "post,latency", "--rounds", "1", "--seconds", "0.3")
    done = run(tmp_path, *arguments, "--connections", "4", "--folder", str(tmp_path / "stores"))
    assert done.returncode == 0, done.stdout + done.stderr
    made = report.read(report.newest(tmp_path / report.RESULTS))
    assert [row.figure for row in made.rows] == ["3", "4", "4"]
    assert made.failed == {}
    post, p50, p99 = made.rows
    assert 0 < post.value.median < 10
    assert post.control is not None
    assert post.notes["per_s"] > 0
    assert p50.value.median <= p99.value.median
    assert list((tmp_path / "stores").iterdir()) == []
    assert "POST /v3/messages ÷ trivial JSON route" in done.stdout


def test_a_short_run_tells_what_waiting_costs_on_both_stores(tmp_path: Path) -> None:
    arguments = ("--quick", "--seconds", "0.2", "--only", "retries,commands,sequencer")
    done = run(tmp_path, *arguments, module="benchmarks.capacity")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / report.RESULTS).glob("capacity-*.json")
    made = msgspec.json.decode(path.read_bytes(), type=Capacity)
    stores = ["sqlite"] if made.skipped else ["sqlite", "postgres"]
    assert sorted({row.store for row in made.rows}) == sorted(stores)
    waiting = [row for row in made.rows if "disk_bytes_per_retry" in row.costs]
    assert [row.store for row in waiting] == stores
    assert all(100 < row.costs["disk_bytes_per_retry"] < 5_000 for row in waiting)
    assert all(row.costs["per_s"] > 0 for row in made.rows if row.part == "commands")


@pytest.mark.parametrize("names", ["nothing", "post,nothing", ""])
def test_a_name_that_is_no_experiment_is_refused(tmp_path: Path, names: str) -> None:
    done = run(tmp_path, "--only", names)
    assert done.returncode == 2
    assert "choose from" in done.stderr
    assert "isolation" in done.stderr
