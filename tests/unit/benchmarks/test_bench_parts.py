"""Small parts that the benchmarks stand on."""

import os
import subprocess
import sys

import pytest
from benchmarks.load import message_body, request_bytes, whole_answer
from benchmarks.processes import cpu_s, family, resident_mib
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
