"""Notifications through Apprise to an endpoint on loopback."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chathooks.adapters.notify import apprise_notifier
from chathooks.adapters.notify.apprise_notifier import AppriseNotifier
from chathooks.kernel import telemetry
from chathooks.kernel.errors import StartRefused

WAIT_S = 10.0


class Desk:
    """Takes notifications over HTTP; `gate` keeps the first answer waiting."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                desk.received.append(json.loads(body))
                desk.arrived.release()
                desk.gate.wait(WAIT_S)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Tests print no requests."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def wait(self) -> dict[str, str]:
        """The next message."""
        assert self.arrived.acquire(timeout=WAIT_S)
        return self.received[-1]

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(WAIT_S)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    opened = Desk()
    yield opened
    opened.close()


def count(outcome: str) -> float:
    return telemetry.ALERT_NOTIFICATIONS.labels(outcome)._value.get()


def test_a_message_reaches_every_address_and_is_counted(desk: Desk) -> None:
    before = count("sent")
    notifier = AppriseNotifier.open([f"json://{desk.address}/a", f"json://{desk.address}/b"])
    notifier.send("Chathooks: 1 alert", "Webhook w keeps failing.")
    for _ in range(2):
        message = desk.wait()
        assert (message["title"], message["message"]) == (
            "Chathooks: 1 alert",
            "Webhook w keeps failing.",
        )
    notifier.close()
    assert count("sent") == before + 2


def test_an_address_that_fails_keeps_no_other_from_its_message_and_is_never_quoted(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    before = count("failed")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        dead = closed.server_address[1]
    notifier = AppriseNotifier.open(
        [f"json://hush:secret@127.0.0.1:{dead}", f"json://{desk.address}"]
    )
    notifier.send("title", "text")
    assert desk.wait()["title"] == "title"
    notifier.close()
    assert count("failed") == before + 1
    shown = capsys.readouterr()
    assert "an alert was not sent" in shown.out
    assert "secret" not in shown.out + shown.err
    assert str(dead) not in shown.out + shown.err


def test_messages_beyond_the_bound_are_dropped_and_nobody_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_notifier, "MESSAGES_WAITING_MAX", 2)
    before = count("dropped")
    desk.gate.clear()
    notifier = AppriseNotifier.open([f"json://{desk.address}"])
    notifier.send("0", "under way")
    desk.wait()
    for place in range(1, 5):
        notifier.send(str(place), "waits or is dropped")
    assert count("dropped") == before + 2
    desk.gate.set()
    assert [desk.wait()["title"], desk.wait()["title"]] == ["1", "2"]
    notifier.close()
    assert len(desk.received) == 3


def test_a_system_without_threads_to_give_costs_the_message_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = count("dropped")
    notifier = AppriseNotifier.open([f"json://{desk.address}"])

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without_threads:
        without_threads.setattr(threading.Thread, "start", refuse)
        notifier.send("lost", "text")
    assert count("dropped") == before + 1
    notifier.send("sent", "text")
    assert desk.wait()["title"] == "sent"
    notifier.close()


def test_closing_waits_for_no_longer_than_its_bound(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_notifier, "CLOSE_WAIT_S", 0.05)
    desk.gate.clear()
    notifier = AppriseNotifier.open([f"json://{desk.address}"])
    notifier.send("title", "text")
    desk.wait()
    notifier.close()
    assert notifier._thread is not None
    assert notifier._thread.is_alive()
    desk.gate.set()
    notifier._thread.join(WAIT_S)
    assert not notifier._thread.is_alive()


@pytest.mark.parametrize("bad", ["nonsense", "nosuchservice://token-s3cret", "json://"])
def test_an_address_that_apprise_cannot_use_refuses_the_start_without_being_quoted(
    bad: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StartRefused) as refused:
        AppriseNotifier.open(["json://127.0.0.1", bad])
    assert refused.value.code == "ERR_SETTINGS"
    assert "address 2 of 2" in refused.value.message
    assert bad not in refused.value.message
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err + caplog.text


def test_apprise_is_not_imported_where_no_addresses_are_given() -> None:
    code = "import sys, chathooks.app.build; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0
