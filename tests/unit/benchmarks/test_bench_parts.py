"""Small parts that the benchmarks stand on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.beside import beside_rows
from benchmarks.load import message_body, request_bytes, whole_answer
from benchmarks.measuring import Rounds
from benchmarks.processes import cpu_s, families_cpu_s, family, resident_mib
from benchmarks.queued import measured
from benchmarks.side import Counted, Spec
from benchmarks.witness import Ledger

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"


def test_an_answer_is_whole_with_its_last_byte() -> None:
    assert [whole_answer(ANSWER[:end]) for end in (0, 20, len(ANSWER) - 1, len(ANSWER))] == [
        False,
        False,
        False,
        True,
    ]


def test_a_request_announces_the_length_of_its_body() -> None:
    body = message_body("m-7")
    request = request_bytes(80, "/v3/messages", body, acting=True)
    assert f"Content-Length: {len(body)}\r\n".encode() in request
    assert request.endswith(b"\r\n\r\n" + body)
    assert b'"muid":"m-7"' in body
    assert b"onBehalfOf" in request
    assert b"onBehalfOf" not in request_bytes(80, "/v3/users", body, acting=False)


async def test_latencies_are_of_the_first_arrival_after_the_warm_up() -> None:
    ledger = Ledger(counted=2, expected=2)
    for number in (0, 1):
        ledger.sent[number] = ledger.answered[number] = 0.0
    for number, port in ((0, 1), (0, 2), (1, 1), (0, 1)):
        ledger.arrival(number, port)
    assert not ledger.all_seen.is_set()
    ledger.arrival(1, 2)
    assert ledger.all_seen.is_set()
    first_of_one = ledger.arrived[(1, 1)]
    ledger.arrival(1, 1)
    seen = ledger.seen(1, 0.002)
    assert ledger.arrived[(1, 1)] == first_of_one
    assert (seen.deliveries, seen.late_ms) == (2, 2.0)
    assert seen.p50_ms == round(first_of_one * 1000, 3)


def worker(folder: Path, text: str = "", *, lives: bool = True) -> subprocess.Popen[bytes]:
    """A process that waits for its input to end, and what it printed before."""
    (folder / "log").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-c", "input()" if lives else ""],
        stdin=subprocess.PIPE if lives else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if not lives:
        process.wait(60)
    return process


def counted_down(folder: Path, process: subprocess.Popen[bytes], *left: int) -> Counted:
    answers = iter(left)
    spec = Spec(side="", seconds=0.01, warm_seconds=0.0)
    try:
        return measured(spec, 10, lambda: next(answers), process, os.getpid(), folder / "log")
    finally:
        process.communicate(b"\n" if process.stdin else None, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_jobs_of_a_queue_count_from_the_first_that_is_done(tmp_path: Path) -> None:
    counted = counted_down(tmp_path, worker(tmp_path), 10, 10, 9, 8, 3)
    assert counted.done == 5
    assert counted.wall_s >= 0.01


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("text", "lives", "left", "why"),
    [
        ("", True, (9, 8, 0), "0 of 10 jobs were left"),
        ("ConnectionError: no", True, (9, 8, 3), "3 of 10 jobs were left: ConnectionError"),
        ("no module", False, (10, 10), "no job was done: no module"),
    ],
    ids=["it ran out of work", "a job failed", "the worker ended"],
)
def test_a_queue_that_did_not_work_gives_no_figures(
    tmp_path: Path, text: str, lives: bool, left: tuple[int, ...], why: str
) -> None:
    with pytest.raises(RuntimeError, match=why):
        counted_down(tmp_path, worker(tmp_path, text, lives=lives), *left)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_time_of_processes_that_have_ended_is_their_parents() -> None:
    before = families_cpu_s(os.getpid())
    busy = "import time; ends = time.process_time() + 0.2\nwhile time.process_time() < ends: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert families_cpu_s(os.getpid()) - before >= 0.2


def test_rows_are_made_for_what_was_measured_and_for_nothing_else() -> None:
    rounds = Rounds("drain", ("pgqueuer", "aiohttp"))
    rates = {"drain": 8_000, "pgqueuer": 2_000, "aiohttp": 4_000}
    rounds.round(lambda side: Counted(done=rates[side], cpu_s=2.0, wall_s=1.0))
    rows = beside_rows(rounds, ["pgqueuer"])
    assert [(one.name.split(" ÷ ")[1], one.value.median) for one in rows] == [
        ("PgQueuer + aiohttp + PostgreSQL, per second", 4.0),
        ("PgQueuer + aiohttp + PostgreSQL, per CPU-second", 4.0),
        ("plain aiohttp loop, per CPU-second", 2.0),
    ]
    assert rows[-1].notes["pgqueuer_per_cpu_s"] == 1_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_are_seen_with_what_they_use() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        assert child.pid in family(os.getpid())
        assert cpu_s(os.getpid()) > 0
        assert min(resident_mib(), resident_mib("VmHWM")) > 1
        with pytest.raises(RuntimeError, match="VmNothing"):
            resident_mib("VmNothing")
    finally:
        child.communicate(b"\n", timeout=60)
