"""Code of the pages compiles, and what is marked with `run:` does what the page says, against the real thing."""

import configparser
import http.client
import http.server
import json
import re
import runpy
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks.api.server import SHUTDOWN_S
from chathooks.app.build import FILES_SPARE
from chathooks.app.runtime import DRAIN_S
from chathooks.app.settings import Settings, load_settings
from chathooks.delivery.cycle import EngineLimits
from chathooks.delivery.engine import STOP_SPARE_S
from chathooks.delivery.lanes import ATTEMPTS_IN_FLIGHT_HARD_MAX
from chathooks_events.samples import sample_body
from chathooks_events.signing import SigningKey, basic_authorization, generate_secret
from chathooks_receiver.service.app import Service
from chathooks_receiver.service.settings import load_settings as load_receiver_settings

ROOT = Path(__file__).parents[2]
SECRET = generate_secret(lambda count: bytes(range(count)))
OTHER_SECRET = generate_secret(lambda count: bytes(count))
PASSWORD = "open sesame"
ANSWER_TIMEOUT_S = 5.0

_BLOCK = re.compile(
    r"(?:<!-- run: ([\w-]+) -->\n)?^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL
)

Post = Callable[[dict[str, str], bytes], int]


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """(mark, language, code) of each fenced block; the mark is empty where there is none."""
    return _BLOCK.findall(page.read_text("utf-8"))


def marked(page: str, mark: str) -> str:
    (code,) = [code for name, _, code in blocks(ROOT / page) if name == mark]
    return code


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_and_json_of_a_page_are_valid(page: Path) -> None:
    for _, language, code in blocks(page):
        if language == "python":
            compile(code, str(page), "exec")
        elif language == "json":
            json.loads(code)


def test_no_mark_is_left_without_its_block() -> None:
    for page in PAGES:
        marks = page.read_text("utf-8").count("<!-- run: ")
        assert marks == sum(bool(mark) for mark, _, _ in blocks(page)), page


@pytest.fixture
def sample_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Run a marked sample of the how-to as a module; answers its names."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_PASSWORD", PASSWORD)

    def run(mark: str) -> Any:
        path = tmp_path / "sample.py"
        path.write_text(marked("docs/howto/receive-webhooks.md", mark))
        return runpy.run_path(str(path))

    return run


def request(
    *, secret: str = SECRET, password: str = PASSWORD, event: str = "1"
) -> tuple[dict[str, str], bytes]:
    """A delivery as the server sends it."""
    body = json.loads(sample_body("message_sent"))
    body["eventId"] = event
    content = json.dumps(body).encode()
    now_s = int(time.time())
    return {
        "content-type": "application/json",
        "authorization": basic_authorization("chathooks", password),
        "webhook-id": event,
        "webhook-timestamp": str(now_s),
        "webhook-signature": SigningKey.parse(secret).sign(event, now_s, content),
    }, content


def accepts_what_is_genuine_and_nothing_else(post: Post, inbox: list[Any]) -> None:
    """Both samples keep the same promises."""
    assert post(*request(event="evt_1")) == 200
    assert post(*request(event="evt_1")) == 200
    assert post(*request(event="evt_2")) == 200
    assert len(inbox) == 2
    assert post(*request(secret=OTHER_SECRET, event="evt_3")) == 401
    assert post(*request(password="guess", event="evt_3")) == 401
    headers, body = request(event="evt_3")
    assert post(headers, body.replace(b"{", b"{ ", 1)) == 401
    del headers["webhook-signature"]
    assert post(headers, body) == 401
    old = dict(headers, **{"webhook-timestamp": "1000000000"})
    old["webhook-signature"] = SigningKey.parse(SECRET).sign("evt_3", 1_000_000_000, body)
    assert post(old, body) == 401
    assert len(inbox) == 2


@contextmanager
def listening(handler: Any) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(ANSWER_TIMEOUT_S)
        server.server_close()


def test_the_receiver_sample_takes_what_is_genuine_and_nothing_else(
    sample_module: Callable[[str], Any],
) -> None:
    module = sample_module("receiver")
    with listening(module["Endpoint"]) as port:

        def post(headers: dict[str, str], body: bytes) -> int:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
            try:
                connection.request("POST", "/hook", body, headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            finally:
                connection.close()

        accepts_what_is_genuine_and_nothing_else(post, module["inbox"])


def test_the_public_library_sample_takes_what_is_genuine_and_nothing_else(
    sample_module: Callable[[str], Any],
) -> None:
    module = sample_module("standardwebhooks")
    accepts_what_is_genuine_and_nothing_else(module["receive"], module["inbox"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_shell_of_a_page_is_valid(page: Path) -> None:
    script = "\n".join(code for _, language, code in blocks(page) if language == "sh")
    checked = subprocess.run(
        ["bash", "-n"], input=script, text=True, capture_output=True, check=False
    )
    assert checked.stderr == ""


def test_settings_files_of_the_pages_can_be_read(tmp_path: Path) -> None:
    samples = [
        code
        for page in PAGES
        for mark, language, code in blocks(page)
        if language == "toml" and mark != "receiver-settings"
    ]
    assert samples
    for code in samples:
        file = tmp_path / "chathooks.toml"
        file.write_text(code)
        assert load_settings({}, {}, file) != Settings()


def test_the_settings_file_of_the_receiver_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "receiver.toml"
    file.write_text(marked("docs/howto/run-the-receiver.md", "receiver-settings"))
    variables = {"WEBHOOK_PASSWORD": "p", "WEBHOOK_SECRET": SECRET, "RABBIT_PASSWORD": "r"}
    settings = load_receiver_settings(file, variables)
    assert settings.endpoint.secrets == (SECRET,)
    Service(settings)


def test_the_systemd_unit_stops_gracefully_and_allows_the_files_that_attempts_need() -> None:
    page = ROOT / "docs" / "howto" / "run-in-production.md"
    (unit,) = [code for _, language, code in blocks(page) if language == "ini"]
    parsed = configparser.ConfigParser(strict=True, interpolation=None)
    parsed.read_string(unit)
    service = parsed["Service"]
    assert int(service["LimitNOFILE"]) >= ATTEMPTS_IN_FLIGHT_HARD_MAX + 2 * FILES_SPARE
    assert (
        int(service["TimeoutStopSec"])
        > SHUTDOWN_S + EngineLimits().timeout_s + STOP_SPARE_S + DRAIN_S
    )
    assert service["ExecStart"].endswith("chathooks serve")
