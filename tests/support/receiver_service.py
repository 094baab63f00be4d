"""The ready service as a process of its own, with its settings in a file."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET, SignedRequest
from support.services import free_port, wait_until

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 10.0

MAIN = "import sys; from pathlib import Path; from chathooks_receiver.service.run import serve; serve(Path(sys.argv[1]))"

ACCESS = f"""
[endpoint]
port = {{port}}
path = "/webhook"
budget_s = 1.9
secrets = ["${{{{WEBHOOK_SECRET}}}}"]
credentials = [{{{{ username = "{TEST_CREDENTIALS[0]}", password = "${{{{WEBHOOK_PASSWORD}}}}" }}}}]
"""


class ServiceProcess:
    """Started, killed and started again on the same port and files."""

    def __init__(self, folder: Path, rest: str, endpoint: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "receiver.toml"
        self.config.write_text(ACCESS.format(port=self.port) + endpoint + rest, "utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "WEBHOOK_SECRET": TEST_SECRET,
            "WEBHOOK_PASSWORD": TEST_CREDENTIALS[1],
            "PYTHONPATH": str(self.folder),
        }
        with (self.folder / "service.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MAIN, str(self.config)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        wait_until(self._is_ready, "the service is ready", START_TIMEOUT_S)

    def start_supervised(self) -> None:
        """Start as a supervisor does: once more where the start was refused, since a broker may still be coming up."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.start()
            except AssertionError:
                self.kill()
                if time.monotonic() > deadline_s:
                    raise
            else:
                return

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_text()
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def log_text(self) -> str:
        return (self.folder / "service.log").read_text("utf-8", "replace")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
            self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_TIMEOUT_S)
        self.process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def post(self, request: SignedRequest, path: str = "/webhook") -> tuple[int, dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("POST", path, body=request.body, headers=request.headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@contextmanager
def service(folder: Path, rest: str, endpoint: str = "") -> Iterator[ServiceProcess]:
    made = ServiceProcess(folder, rest, endpoint)
    made.start()
    try:
        yield made
    finally:
        made.kill()
