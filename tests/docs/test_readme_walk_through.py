"""The README's walk-through, run as it stands against a real server; only the ports are changed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
STEP_TIMEOUT_S = 15

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDED = '"state":"delivered"'


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            found.append(int(sock.getsockname()[1]))
        return found


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CHATHOOKS_")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(STEP_TIMEOUT_S)


def _line_with(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return line
    pytest.fail(f"no {words!r} in {''.join(seen)}")


@pytest.mark.skipif(
    shutil.which("curl") is None and os.environ.get("CI") != "true", reason="needs curl"
)
def test_the_walk_through_delivers_the_message_and_shows_it_in_the_log(tmp_path: Path) -> None:
    api_port, endpoint_port = _free_ports(2)
    text = README.read_text("utf-8").split("## Try it")[1].split("\n## ")[0]
    text = text.replace("8080", str(api_port)).replace("9000", str(endpoint_port))
    found = _BLOCK.findall(text)
    serve, calls, log = [code for language, code in found if language == "sh"]
    (endpoint,) = [code for language, code in found if language == "python"]
    (shown,) = [code for language, code in found if language == "json"]
    serve = serve.replace("make setup\n", "")
    serve = serve.replace(".venv/bin/chathooks serve", f"exec $CHATHOOKS serve --port {api_port}")
    program = f"{sys.executable} -c 'from chathooks.cli.main import main; main()'"
    serve = serve.replace("$CHATHOOKS ", f"{program} ")
    with (
        _running(["bash", "-c", serve], tmp_path) as server,
        _running([sys.executable, "-c", endpoint], tmp_path) as receiver,
    ):
        _line_with(server, "Chathooks serves")
        listens = f"until (exec 3<>/dev/tcp/127.0.0.1/{endpoint_port}) 2>/dev/null; do :; done"
        # The log is asked until the delivery has ended: it goes out after the call was answered.
        ask = log.strip()
        wait = (
            f"for _ in {{1..100}}; do {ask} > log.json; grep -q '{_ENDED}' log.json && break; done"
        )
        done = subprocess.run(
            ["bash", "-euc", f"{listens}\n{calls}\n{wait}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"error"' not in done.stdout
        body = json.loads(_line_with(receiver, "message_sent"))
    assert body["data"]["message"]["data"]["text"] == "Hello, Bob"
    answered = json.loads((tmp_path / "log.json").read_text())
    (delivery,) = answered["data"]
    assert delivery["state"] == "delivered"
    (example,) = json.loads(shown)["data"]
    assert set(example) == set(delivery)
    assert set(example["attempts"][0]) == set(delivery["attempts"][0])
    assert example["attempts"][0]["explanation"] == delivery["attempts"][0]["explanation"]
