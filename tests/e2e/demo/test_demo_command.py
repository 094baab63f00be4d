"""`chathooks demo` as a person or a CI job runs it: the real program in a process of its own."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RUN_TIMEOUT_S = 60
STOP_S = 3.0
COMMAND = Path(sys.executable).with_name("chathooks")
QUICK = ("--fast", "--port", "0", "--retry-schedule", "0.2,0.4")
TRIGGERS = [
    "group_created",
    "group_deleted",
    "group_member_added",
    "group_member_kicked",
    "group_member_scope_changed",
    "group_updated",
    "message_deleted",
    "message_edited",
    "message_sent",
    "user_mentioned",
]


def environment(folder: Path) -> dict[str, str]:
    """As given, but with temporary files below `folder`."""
    return {**os.environ, "TMPDIR": str(folder), "COLUMNS": "100"}


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `chathooks demo` to its end."""
    return subprocess.run(
        [COMMAND, "demo", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


def summary(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert "Traceback" not in run.stderr
    found = json.loads(run.stdout)
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`chathooks demo` while the block runs; killed if it is still there afterwards."""
    process = subprocess.Popen(
        [COMMAND, "demo", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process prints up to the line that holds `text`."""
    assert process.stdout is not None
    seen = ""
    for shown in process.stdout:
        seen += shown
        if text in shown:
            return seen
    raise AssertionError(f"It ended without saying {text!r}: {seen}")


def test_once_ends_with_0_when_every_event_arrived(tmp_path: Path) -> None:
    run = demo(tmp_path, "--once", "--json", *QUICK)
    assert run.returncode == 0, run.stderr
    found = summary(run)
    assert found["ok"] is True
    assert found["missing"] == []
    assert found["triggers"] == TRIGGERS
    assert found["deliveries"] == found["delivered"]
    for webhook in found["webhooks"].values():
        assert webhook["accepted"] == webhook["deliveries"] > 0
    assert found["events"] == found["webhooks"]["activity-log"]["deliveries"]
    [retried] = found["retried"]
    assert retried["webhook"] == "flaky-crm"
    assert retried["answers"] == ["503", "503", "200"]
    assert retried["waitsS"][0] >= 0.2
    assert retried["waitsS"][1] >= 0.4
    assert list(tmp_path.iterdir()) == [], "temporary files are left"


@pytest.mark.realclock
def test_the_retries_come_after_10_and_30_seconds(tmp_path: Path) -> None:
    run = demo(tmp_path, "--once", "--json", "--fast", "--port", "0")
    assert run.returncode == 0, run.stderr
    [retried] = summary(run)["retried"]
    first, second = retried["waitsS"]
    assert 10 <= first <= 10.25
    assert 30 <= second <= 30.25


def test_once_ends_with_1_and_names_what_is_missing(tmp_path: Path) -> None:
    # With a single retry the endpoint that fails twice never gets its event.
    run = demo(tmp_path, "--once", "--json", "--fast", "--port", "0", "--retry-schedule", "0.1")
    assert run.returncode == 1
    found = summary(run)
    assert found["ok"] is False
    [gap] = found["missing"]
    assert gap.startswith("flaky-crm #2 group_member_added: is failed: The endpoint answered 503")
    assert "Not every event arrived" in run.stderr
    assert gap in run.stderr


def test_without_a_terminal_it_prints_plain_lines(tmp_path: Path) -> None:
    run = demo(tmp_path, "--once", *QUICK)
    assert run.returncode == 0, run.stderr
    assert "\x1b" not in run.stdout
    assert "amara creates the group lisbon-trip" in run.stdout
    assert "delivered 503 → 503 → 200" in run.stdout
    assert "Every event arrived: 40 events, 81 deliveries" in run.stdout
    assert run.stderr == ""


def test_on_a_terminal_the_table_is_redrawn_in_place(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [COMMAND, "demo", "--once", *QUICK],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # Linux says EIO when the other side is closed
        while piece := os.read(ours, 65_536):
            drawn += piece
    os.close(ours)
    assert process.wait(RUN_TIMEOUT_S) == 0
    text = drawn.decode()
    assert text.count("Chathooks demo") > 2, "it was drawn more than once"
    assert "\x1b[1A\x1b[2K" in text, "lines were drawn over"
    assert "Every event arrived:" in text.rpartition("Chathooks demo")[2]
    assert text.endswith("\x1b[?25h") or text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_it_stays_up_until_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, *QUICK) as process:
        seen = read_until(process, "The server stays up")
        assert "curl -sS" in seen
        assert "/docs" in seen
        url = seen.split("Server ")[1].split(",")[0]
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5):
            asked_at = time.monotonic()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=RUN_TIMEOUT_S)
        assert time.monotonic() - asked_at < STOP_S
        assert process.returncode == 0
        assert output.strip() == "Stopped; everything was cleaned up."
        assert errors == ""
    assert list(tmp_path.iterdir()) == [], "temporary files are left"


def test_a_message_sent_meanwhile_is_shown_as_it_is_delivered(tmp_path: Path) -> None:
    with started(tmp_path, *QUICK) as process:
        command = read_until(process, "Read the delivery log").split("is printed here")[1]
        curl = command[command.index("curl") : command.rindex("Read the")]
        read_until(process, "The server stays up")
        sent = subprocess.run(
            ["/bin/sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True
        )
        assert json.loads(sent.stdout)["data"]["data"]["text"] == "Hello from curl"
        assert "message_sent" in read_until(process, "moderation-bot #32")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_cleans_up_and_is_not_taken_for_a_success(
    number: signal.Signals, tmp_path: Path
) -> None:
    with started(tmp_path, "--once", "--port", "0") as process:
        read_until(process, "retrying  503")
        asked_at = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=RUN_TIMEOUT_S)
        assert time.monotonic() - asked_at < STOP_S
        assert process.returncode == 1
        assert "Stopped before every delivery had ended" in output
        assert errors == ""
    assert list(tmp_path.iterdir()) == [], "temporary files are left"


def test_a_data_directory_is_kept_and_not_used_twice(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    run = demo(tmp_path, "--once", "--data-dir", str(kept), *QUICK)
    assert run.returncode == 0
    assert f"the store is kept in {kept}" in run.stdout
    assert (kept / "chathooks.sqlite3").exists()
    before = sorted(path.name for path in kept.iterdir())
    again = demo(tmp_path, "--once", "--data-dir", str(kept), *QUICK)
    assert again.returncode == 2
    assert again.stderr.startswith("ERR_DEMO_DATA_DIR ")
    assert f"chathooks serve --data-dir {kept}" in again.stderr
    assert sorted(path.name for path in kept.iterdir()) == before


def test_a_taken_port_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = demo(tmp_path, "--once", "--port", str(port))
    assert run.returncode == 2
    assert run.stderr.startswith(f"ERR_ADDRESS Cannot listen on 127.0.0.1 port {port}")
    assert list(tmp_path.iterdir()) == []


def test_a_schedule_that_is_none_is_refused(tmp_path: Path) -> None:
    run = demo(tmp_path, "--retry-schedule", "soon")
    assert run.returncode == 2
    assert "is not a number of seconds" in run.stderr


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    run = demo(tmp_path, "--once", "--data-dir", str(file))
    assert run.returncode == 2
    assert run.stderr.startswith(f"ERR_DEMO_DATA_DIR {file} cannot be used")
    assert file.read_text() == "mine"
    nowhere = demo(tmp_path, "--once", "--data-dir", str(file / "below"))
    assert nowhere.returncode == 2
    assert nowhere.stderr.startswith("ERR_DEMO_DATA_DIR ")


def test_a_picture_is_written_or_refused_before_anything_starts(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    assert demo(tmp_path, "--once", "--picture", str(picture), *QUICK).returncode == 0
    drawn = picture.read_text("utf-8")
    assert drawn.startswith("<svg")
    assert "flaky-crm" in drawn
    refused = demo(tmp_path, "--once", "--picture", str(tmp_path / "no" / "demo.svg"), *QUICK)
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr
    assert refused.stdout == ""


def test_help_shows_examples(tmp_path: Path) -> None:
    run = demo(tmp_path, "--help")
    assert run.returncode == 0
    assert "chathooks demo --once --json" in run.stdout
