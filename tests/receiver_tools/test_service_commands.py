"""`serve` and `log`: the service from one file, and what it noted."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chathooks_receiver.testing import TEST_SECRET
from support.receiver_command import ReceiverShell
from support.receiver_server import PASSWORD, USERNAME
from support.services import wait_until

ENDS_WITHIN_S = 40.0
PROOF = ("--username", USERNAME, "--password", PASSWORD, "--secret", TEST_SECRET)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "receiver.toml"
    path.write_text(f"""
[endpoint]
port = 0
credentials = [{{ username = "{USERNAME}", password = "{PASSWORD}" }}]
secrets = ["{TEST_SECRET}"]

[sink]
kind = "jsonlines"
path = "{tmp_path}/events.jsonl"

[request_log]
path = "{tmp_path}/requests.sqlite3"
""")
    return path


@contextmanager
def serving(shell: ReceiverShell, config: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The URL of the service in a process of its own; its log is read all the time, so that no pipe fills."""
    lines: list[str] = []
    with shell.started("serve", "--config", str(config)) as process:
        assert process.stderr is not None
        stream = process.stderr
        reader = threading.Thread(target=lambda: lines.extend(stream), daemon=True)
        reader.start()
        wait_until(lambda: any('"serving"' in line for line in lines), "the service serves")
        (line,) = [line for line in lines if '"serving"' in line]
        yield f"http://127.0.0.1:{json.loads(line)['port']}/webhook", process
        process.send_signal(signal.SIGTERM)
        process.wait(ENDS_WITHIN_S)
        reader.join(ENDS_WITHIN_S)
    assert process.returncode == 0, lines
    assert not any(PASSWORD in line or TEST_SECRET in line for line in lines)


def test_the_service_serves_and_its_log_tells_of_every_request(
    shell: ReceiverShell, config: Path, tmp_path: Path
) -> None:
    with serving(shell, config) as (url, _):
        good = shell.run("trigger", "message_sent", "--url", url, *PROOF, "--json")
        assert good.code == 0, good.out
        wrong = shell.run("trigger", "user_blocked", "--url", url)
        assert wrong.code == 1
        wait_until(
            lambda: len(shell.run("log", "--config", str(config), "--json").json) == 2,
            "the log is written",
        )
        shown = shell.run("log", "--config", str(config))
    assert shown.code == 0
    assert "message_sent" in shown.out
    assert good.json["eventId"] in shown.out
    entries = shell.run("log", "--config", str(config), "--json").json
    assert [(item["status"], item["result"]) for item in entries] == [
        (200, "accepted"),
        (401, "refused"),
    ]
    log = ("log", "--file", str(tmp_path / "requests.sqlite3"), "--json")
    for more, count in (
        (("--status", "401"), 1),
        (("--result", "accepted"), 1),
        (("--trigger", "message_sent"), 1),
        (("--key", good.json["eventId"]), 1),
        (("--key", "another"), 0),
        (("--since", "1h"), 2),
        (("--since", "4000000000"), 0),
        (("--limit", "1"), 1),
    ):
        assert len(shell.run(*log, *more).json) == count, more
    stored = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    assert len(stored) == 1


def test_the_log_is_followed(shell: ReceiverShell, config: Path) -> None:
    with serving(shell, config) as (url, _):
        assert shell.run("trigger", "message_sent", "--url", url, *PROOF).code == 0
        with shell.started(
            "log", "--config", str(config), "--follow", "--json", "--limit", "2"
        ) as process:
            assert process.stdout is not None
            lines: list[str] = []
            stream = process.stdout
            reader = threading.Thread(target=lambda: lines.extend(stream), daemon=True)
            reader.start()
            wait_until(lambda: len(lines) == 1, "the follower has begun")
            for _ in range(4):
                assert shell.run("trigger", "message_sent", "--url", url, *PROOF).code == 0
            wait_until(lambda: len(lines) >= 5, "the follower sees all")
            process.send_signal(signal.SIGINT)
            process.wait(ENDS_WITHIN_S)
            reader.join(ENDS_WITHIN_S)
        assert process.returncode == 0
    assert len({json.loads(line)["key"] for line in lines}) == 5


def test_a_settings_file_that_cannot_be_used_is_refused(
    shell: ReceiverShell, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('[sink]\nkind = "paper"\n')
    for path in (bad, tmp_path / "none.toml"):
        for command in ("serve", "log"):
            run = shell.run(command, "--config", str(path))
            assert run.code == 2, (command, path)
            assert "ERR_SETTINGS" in run.err


def test_a_log_that_is_not_kept_or_not_there_is_said(
    shell: ReceiverShell, config: Path, tmp_path: Path
) -> None:
    without = tmp_path / "without.toml"
    without.write_text(config.read_text("utf-8").partition("[request_log]")[0])
    not_kept = shell.run("log", "--config", str(without))
    missing = shell.run("log", "--config", str(config))
    assert (not_kept.code, missing.code) == (2, 1)
    assert "ERR_REQUEST_LOG" in not_kept.err
    assert "ERR_REQUEST_LOG" in missing.err


def test_a_port_that_is_taken_is_said(shell: ReceiverShell, config: Path) -> None:
    with serving(shell, config) as (url, _):
        port = url.split(":")[2].split("/")[0]
        config.write_text(config.read_text("utf-8").replace("port = 0", f"port = {port}"))
        with shell.started("serve", "--config", str(config)) as process:
            _, err = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1
    assert "ERR_START" in err
    assert "Traceback" not in err
