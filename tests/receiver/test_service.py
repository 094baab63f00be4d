"""The ready service: settings, endpoint, metrics, request log, health, orderly stop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chathooks_events.errors import InvalidSecret
from chathooks_receiver.service.app import Service
from chathooks_receiver.service.metrics import lag_of
from chathooks_receiver.service.request_log import RequestLogUnavailable, query
from chathooks_receiver.service.settings import SettingsError, load_settings
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.testing import FakeSender
from support.receiver_service import MAIN, ServiceProcess, service
from support.services import wait_until

INBOX = '[sink]\nkind = "sqlite"\npath = "inbox.sqlite3"\n'
LOG = '[request_log]\npath = "requests.sqlite3"\n'


def metric(page: str, start: str) -> float:
    (line,) = [line for line in page.splitlines() if line.startswith(start)]
    return float(line.rpartition(" ")[2])


def test_requests_are_answered_counted_and_logged(
    tmp_path: Path, chathooks_sender: FakeSender
) -> None:
    with service(tmp_path, INBOX + LOG) as running:
        request = chathooks_sender.request("message_sent")
        assert running.post(request) == (200, {"status": "accepted"})
        again = chathooks_sender.request("message_sent", event_id=request.event_id, attempt=2)
        assert running.post(again) == (200, {"status": "duplicate"})
        assert running.post(chathooks_sender.request("message_teleported", {"x": 1}))[0] == 200
        forged = FakeSender(credentials=("x", "y")).request("message_sent")
        assert running.post(forged)[0] == 401
        assert running.get("/webhook")[0] == 405
        assert running.get("/nothing")[0] == 404
        assert running.get("/healthz") == (200, '{"status":"alive"}')
        page = running.get("/metrics")[1]
        requests = "chathooks_receiver_requests_total"
        assert metric(page, f'{requests}{{result="accepted",status="200"}}') == 2
        assert metric(page, f'{requests}{{result="duplicate",status="200"}}') == 1
        assert metric(page, f'{requests}{{result="refused",status="401"}}') == 1
        assert metric(page, "chathooks_receiver_duplicates_total") == 1
        assert metric(page, 'chathooks_receiver_attempts_total{attempt="2"}') == 1
        assert metric(page, 'chathooks_receiver_events_total{trigger="unknown"}') == 1
        assert metric(page, 'chathooks_receiver_undocumented_total{kind="trigger"}') == 1
        assert metric(page, "chathooks_receiver_lag_seconds_count") == 2
        assert metric(page, "chathooks_receiver_request_seconds_count") == 5
        wait_until(lambda: len(query(tmp_path / "requests.sqlite3")) == 5, "the log is written", 15)
        assert running.stop() == 0
    entries = query(tmp_path / "requests.sqlite3")
    assert [entry.status for entry in entries] == [405, 401, 200, 200, 200]
    assert [entry.result for entry in entries[-2:]] == ["duplicate", "accepted"]
    (duplicate,) = query(tmp_path / "requests.sqlite3", result="duplicate")
    assert (duplicate.key, duplicate.attempt, duplicate.remote) == (
        request.event_id,
        2,
        "127.0.0.1",
    )
    assert len(query(tmp_path / "requests.sqlite3", key=request.event_id)) == 2
    assert len(query(tmp_path / "requests.sqlite3", status=401)) == 1
    assert len(query(tmp_path / "requests.sqlite3", trigger="message_sent", limit=1)) == 1
    assert query(tmp_path / "requests.sqlite3", before=entries[-1].id) == []
    text = running.log_text()
    assert '"event": "serving"' in text
    assert all(json.loads(line) for line in text.splitlines())
    assert "for tests only" not in text


def test_stored_events_are_in_the_inbox_after_a_stop(
    tmp_path: Path, chathooks_sender: FakeSender
) -> None:
    import asyncio

    with service(tmp_path, INBOX) as running:
        request = chathooks_sender.request("message_sent")
        assert running.post(request)[0] == 200
        running.kill()
        running.start()
        assert running.post(request) == (200, {"status": "duplicate"})
        running.stop()

    async def stored() -> list[str]:
        inbox = SqliteInbox(tmp_path / "inbox.sqlite3")
        await inbox.open()
        keys = [key for key, *_ in inbox.stored(10)]
        await inbox.close()
        return keys

    assert asyncio.run(stored()) == [request.event_id]


def test_workflows_run_in_the_service(tmp_path: Path, chathooks_sender: FakeSender) -> None:
    (tmp_path / "hooks.py").write_text(
        "from pathlib import Path\n"
        "from chathooks_receiver.workflows import Workflows\n"
        "workflows = Workflows()\n"
        "@workflows.on('message_sent')\n"
        "def note(event, context):\n"
        "    Path('seen.txt').write_text(context.key)\n",
        "utf-8",
    )
    rest = INBOX + '[workflows]\nload = "hooks:workflows"\n'
    with service(tmp_path, rest) as running:
        request = chathooks_sender.request("message_sent")
        assert running.post(request)[0] == 200
        seen = tmp_path / "seen.txt"
        wait_until(lambda: seen.exists() and seen.read_text() == request.event_id, "it ran", 15)
        page = running.get("/metrics")[1]
        assert metric(page, "chathooks_receiver_jobs_waiting") >= 0
        assert running.stop() == 0


def test_a_spool_is_drained_into_the_sink(tmp_path: Path, chathooks_sender: FakeSender) -> None:
    rest = '[sink]\nkind = "jsonlines"\npath = "e.jsonl"\n[spool]\npath = "spool.sqlite3"\n'
    with service(tmp_path, rest) as running:
        for _ in range(20):
            assert running.post(chathooks_sender.request("message_sent"))[0] == 200
        lines = tmp_path / "e.jsonl"
        wait_until(lambda: lines.exists() and lines.read_bytes().count(b"\n") == 20, "drained", 15)
        page = running.get("/metrics")[1]
        assert metric(page, "chathooks_receiver_spool_events") >= 0
        assert running.stop() == 0


def failing(folder: Path, text: str) -> str:
    config = folder / "receiver.toml"
    config.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", MAIN, str(config)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


def test_a_sink_that_is_not_there_refuses_the_start_and_says_so(tmp_path: Path) -> None:
    sink = '[sink]\nkind = "redis"\nurl = "redis://:secret@127.0.0.1:1"\nstream = "s"\n'
    text = failing(tmp_path, "[endpoint]\nopen_to_all = true\nport = 0\n" + sink)
    assert "StartFailed: The service cannot start: Redis:" in text
    assert "secret" not in text


def test_a_port_that_is_taken_refuses_the_start(tmp_path: Path) -> None:
    with service(tmp_path, INBOX) as running:
        other = tmp_path / "other"
        other.mkdir()
        endpoint = f"[endpoint]\nopen_to_all = true\nport = {running.port}\n"
        assert "cannot listen on 127.0.0.1" in failing(other, endpoint + INBOX)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "sink"),
        (INBOX, "open_to_all"),
        ("[sink", "not TOML"),
        (INBOX + "[endpoint]\nopen_to_all = true\nprot = 1\n", "prot"),
        (INBOX + "[endpoint]\nopen_to_all = true\nport = 70000\n", "endpoint.port"),
        (INBOX + '[endpoint]\nsecrets = ["${NOT_SET}"]\n', "NOT_SET"),
        (INBOX + "[endpoint]\nopen_to_all = true\nbudget_s = 5.0\n", "budget_s"),
        ('[sink]\nkind = "teleport"\n[endpoint]\nopen_to_all = true\n', "teleport"),
        (INBOX + '[endpoint]\nopen_to_all = true\ntls_cert_file = "x"\n', "together"),
        (
            '[sink]\nkind = "jsonlines"\npath = "x"\n[endpoint]\nopen_to_all = true\n'
            '[workflows]\nload = "a:b"\n',
            "workflows need",
        ),
        (
            INBOX
            + '[endpoint]\nopen_to_all = true\n[workflows]\nload = "a:b"\n[spool]\npath = "x"\n',
            "no spool",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_plainly(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "receiver.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=message):
        load_settings(path, {})


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.toml")


def test_variables_fill_in_secrets(tmp_path: Path) -> None:
    path = tmp_path / "receiver.toml"
    path.write_text(INBOX + '[endpoint]\nsecrets = ["${A}"]\n', "utf-8")
    settings = load_settings(path, {"A": "whsec_short"})
    assert settings.endpoint.secrets == ("whsec_short",)
    with pytest.raises(InvalidSecret):
        Service(settings)


@pytest.mark.parametrize("load", ["no_such_module:x", "json:no_such_name", "json:loads"])
def test_workflows_that_cannot_be_loaded_are_told(load: str, tmp_path: Path) -> None:
    path = tmp_path / "receiver.toml"
    text = f'[endpoint]\nopen_to_all = true\n[workflows]\nload = "{load}"\n'
    path.write_text(INBOX + text, "utf-8")
    with pytest.raises(SettingsError, match=r"workflows\.load"):
        Service(load_settings(path))


def test_a_log_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestLogUnavailable, match="no request log"):
        query(tmp_path / "none.sqlite3")
    (tmp_path / "text").write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(RequestLogUnavailable, match="cannot be read"):
        query(tmp_path / "text")


def test_the_lag_is_read_from_ids_of_ours_only() -> None:
    event_id = FakeSender(now_s=lambda: 1_000.0).request("message_sent").event_id
    assert lag_of(event_id, 1_000_500) == 0.5
    assert lag_of(event_id, 999_000) == 0.0
    assert lag_of("evt_1", 1) is None
    assert lag_of(None, 1) is None


def test_metrics_are_for_this_machine_unless_told_otherwise(tmp_path: Path) -> None:
    import asyncio

    path = tmp_path / "receiver.toml"
    asked: list[int] = []

    async def ask(extra: str) -> int:
        inbox = f'[sink]\nkind = "sqlite"\npath = "{tmp_path / "inbox.sqlite3"}"\n'
        path.write_text(inbox + f"[endpoint]\nopen_to_all = true\n{extra}", "utf-8")
        made = Service(load_settings(path))
        scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": []}

        async def receive() -> dict[str, object]:
            return {"type": "http.request"}

        async def send(message: object) -> None:
            if isinstance(message, dict) and "status" in message:
                asked.append(message["status"])

        await made({**scope, "client": ("203.0.113.9", 1)}, receive, send)
        await made({**scope, "client": ("::1", 1)}, receive, send)
        return 0

    asyncio.run(ask(""))
    asyncio.run(ask("metrics_to_all = true\n"))
    assert asked == [404, 200, 200, 200]


def test_an_orderly_stop_leaves_no_event_behind(
    tmp_path: Path, chathooks_sender: FakeSender
) -> None:
    running = ServiceProcess(tmp_path, INBOX)
    running.start()
    accepted = 0
    try:
        for _ in range(50):
            accepted += running.post(chathooks_sender.request("message_sent"))[0] == 200
    finally:
        code = running.stop()
    assert (accepted, code) == (50, 0)
