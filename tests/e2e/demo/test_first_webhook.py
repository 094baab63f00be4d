"""docs/tutorial/first-webhook.md does what it says: its code runs as it is printed, on other ports."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

TUTORIAL = Path(__file__).parents[3] / "docs/tutorial/first-webhook.md"
VENV = Path(sys.executable).parents[1]
ANSWER_TIMEOUT_S = 30


class Block(NamedTuple):
    """One block of code of the page."""

    kind: str
    code: str


def blocks(text: str) -> list[Block]:
    found = re.findall(r"^```([a-z ]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(kind, code) for kind, code in found]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass
class Terminal:
    """A program of the page, and the lines that it prints."""

    process: subprocess.Popen[str]

    def line_with(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"It ended without printing {text!r}.")

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Reader:
    """Somebody who types what the page says, in a folder like a clone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".venv").symlink_to(VENV)
        ports = {"8080": str(free_port()), "9000": str(free_port())}
        text = TUTORIAL.read_text("utf-8")
        for printed, free in ports.items():
            text = text.replace(f":{printed}", f":{free}").replace(f", {printed})", f", {free})")
        self.url = f"http://127.0.0.1:{ports['8080']}"
        self.blocks = blocks(text)
        # Retries come sooner than the page says, so that the test does not wait for them.
        self._environment = {
            **os.environ,
            "CHATHOOKS_PORT": ports["8080"],
            "CHATHOOKS_RETRY_SCHEDULE": "0.5,2",
        }
        self._open: list[Terminal] = []
        self._timer = threading.Timer(ANSWER_TIMEOUT_S * 2, self.close)
        self._timer.start()

    def take(self, kind: str = "sh") -> str:
        """The next block, which must be of this kind."""
        block = self.blocks.pop(0)
        assert block.kind == kind
        return block.code

    def type(self, code: str) -> str:
        """Run a block in the second terminal, which keeps its variables."""
        kept = self.folder / "variables"
        script = f"set -a; [ ! -f {kept} ] || . {kept}\nset -e\n{code}\nset >{kept}.new\n"
        script += f"grep '^KEY=' {kept}.new >{kept}\n"
        run = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def run(self, code: str) -> Terminal:
        """Run a block in a terminal of its own."""
        terminal = Terminal(
            subprocess.Popen(
                ["/bin/sh", "-c", code],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        self._open.append(terminal)
        return terminal

    def close(self) -> None:
        """Stop what still runs."""
        self._timer.cancel()
        for terminal in self._open:
            terminal.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    person = Reader(tmp_path)
    yield person
    person.close()


def data(answer: str) -> Any:
    found = json.loads(answer)
    assert "data" in found, found
    return found["data"]


def test_the_tutorial_works_as_it_is_printed(reader: Reader) -> None:
    assert reader.take() == "make demo\n"  # the demo has tests of its own
    server = reader.run(reader.take("sh server"))
    server.line_with("Chathooks serves")
    reader.type(reader.take())

    webhook = data(reader.type(reader.take()))
    assert webhook["secret"].startswith("whsec_")
    assert set(webhook["triggers"]) == {"group_created", "message_sent"}

    (reader.folder / "my_endpoint.py").write_text(reader.take("python"))
    command = reader.take("sh endpoint")
    endpoint = reader.run(command)
    reader.type(reader.take())
    assert "book-club" in endpoint.line_with("group_created")
    sent = data(reader.type(reader.take()))
    assert f'"id":"{sent["id"]}"' in endpoint.line_with("message_sent")

    endpoint.stop()
    unheard = data(reader.type(reader.take()))
    look = reader.take()
    [delivery] = data(reader.type(look))
    assert delivery["state"] in ("pending", "in_flight", "retrying")
    endpoint = reader.run(command)
    # The message before may come once more, if the endpoint was stopped before it had answered.
    assert "Is anybody listening?" in endpoint.line_with(f'"id":"{unheard["id"]}"')
    [delivery] = data(reader.type(look))
    assert delivery["attempts"][0]["failure"] == "connection_refused"
    assert "nothing listens on that port" in delivery["attempts"][0]["explanation"]

    replayed = data(reader.type(reader.take()))
    assert replayed == {"matched": 0, "replayed": 0, "dryRun": False}
    assert reader.blocks == []


def test_the_commands_between_the_lines_work_too(reader: Reader) -> None:
    server = reader.run(reader.blocks[1].code)
    server.line_with("Chathooks serves")
    text = TUTORIAL.read_text("utf-8").replace(":8080", reader.url.removeprefix("http://127.0.0.1"))
    [listing] = [code for code in re.findall(r"`(curl [^`]+)`", text) if "/v3/triggers" in code]
    answer = reader.type(reader.blocks[2].code + listing)
    assert {"message_sent", "group_created"} <= {item["name"] for item in data(answer)}
    assert "doctor` checks settings" in text
    reader.type(".venv/bin/chathooks doctor --help")
    with urllib.request.urlopen(f"{reader.url}/docs", timeout=10) as page:  # noqa: S310 -- http to loopback
        assert page.status == 200


def test_what_the_tutorial_refers_to_exists() -> None:
    text = TUTORIAL.read_text("utf-8")
    links = re.findall(r"\]\(((?!http)[^)#]+)", text)
    assert links
    assert [link for link in links if not (TUTORIAL.parent / link).exists()] == []
