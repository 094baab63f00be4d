"""The benchmarks run on the program as it is now, and leave a report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import report

ROOT = Path(__file__).resolve().parents[3]
RUN_S_MAX = 110


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
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


@pytest.mark.parametrize("names", ["nothing", "post,nothing", ""])
def test_a_name_that_is_no_experiment_is_refused(tmp_path: Path, names: str) -> None:
    done = run(tmp_path, "--only", names)
    assert done.returncode == 2
    assert "choose from" in done.stderr
    assert "isolation" in done.stderr
