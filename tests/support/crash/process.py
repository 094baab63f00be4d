"""`chathooks serve` as a process of its own, and a client that keeps its connection."""

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support import stores
from support.server import Response

READY_S_MAX = 20.0
EXIT_S_MAX = 15.0
ANSWER_S_MAX = 15.0
API_KEY = "a" * 40
GREETING = re.compile(r"Chathooks (?:serves|delivers).* http://127\.0\.0\.1:(\d+)")
COMMAND = (str(Path(sys.executable).with_name("chathooks")), "serve")


class Client:
    """HTTP/1.1 on one connection; made anew after an error."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        actor: str | None = None,
        key: str = API_KEY,
    ) -> Response:
        """Call the API below /v3. Raises OSError or EOFError when the server ends meanwhile."""
        headers = {"Host": "127.0.0.1", "apikey": key}
        if actor is not None:
            headers["onBehalfOf"] = actor
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            headers["Content-Type"] = "application/json"
        if content or method != "GET":
            headers["Content-Length"] = str(len(content))
        lines = [f"{method} /v3{path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._exchange("\r\n".join(lines).encode() + content)
        except (OSError, EOFError):
            self.close()
            raise

    async def _exchange(self, request: bytes) -> Response:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in head[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers["content-length"]))
        return Response(int(head[0].split(" ")[1]), headers, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Served:
    """A server process on a data directory; `start`, then `kill` or `stop`, any number of times."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.settings = dict(settings or {})
        self.lines: list[str] = []
        """What all its processes said on stderr."""
        self.port = 0
        self.started_at_s = 0.0
        """`time.monotonic()` of the latest start."""
        self._process: subprocess.Popen[str] | None = None
        self._ready = asyncio.Event()

    @property
    def database(self) -> Path:
        return self.data_dir / "chathooks.sqlite3"

    async def spawn(self) -> None:
        """Start the process without waiting for it."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CHATHOOKS_")
        }
        environment |= {
            "CHATHOOKS_DATA_DIR": str(self.data_dir),
            "CHATHOOKS_PORT": "0",
            "CHATHOOKS_APP_ID": "shop",
            "CHATHOOKS_API_KEY": API_KEY,
            "CHATHOOKS_ALLOW_HTTP_TARGETS": "true",
            "CHATHOOKS_ALLOW_TARGET_NETWORKS": "127.0.0.0/8",
            "CHATHOOKS_LOG_LEVEL": "warning",
            **self.settings,
        }
        self._ready.clear()
        self.started_at_s = time.monotonic()
        self._process = subprocess.Popen(  # noqa: ASYNC220 -- a fork is short
            COMMAND,
            env=environment,
            cwd=self.data_dir.parent,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._loop = asyncio.get_running_loop()
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.lines.append(line.rstrip())
            if greeting := GREETING.search(line):
                self.port = int(greeting[1])
                self._loop.call_soon_threadsafe(self._ready.set)
        self._loop.call_soon_threadsafe(self._ready.set)

    async def ready(self) -> None:
        """Wait until it listens. Raises AssertionError when it ends instead."""
        async with asyncio.timeout(READY_S_MAX):
            await self._ready.wait()
        assert self._process is not None
        assert self._process.poll() is None, self.lines[-20:]

    async def start(self) -> None:
        await self.spawn()
        await self.ready()

    @property
    def runs(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> Client:
        return Client(self.port)

    async def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    async def exited(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        code = await asyncio.to_thread(self._process.wait, EXIT_S_MAX)
        self._reader.join(EXIT_S_MAX)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None
        return code

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> int:
        self.send_signal(number)
        return await self.exited()

    def limit_files(self, size_bytes: int) -> None:
        """Let no file of the process be written beyond a size: a disk without space."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def unlimit_files(self) -> None:
        """Give the space back."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (hard, hard))

    async def close(self) -> None:
        """End whatever runs."""
        if self._process is not None:
            self._process.kill()
            await self.exited()


@asynccontextmanager
async def served(
    tmp_path: Path, settings: Mapping[str, str] | None = None, *, started: bool = True
) -> AsyncIterator[Served]:
    """A server process below `tmp_path`, ended with the block."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(parents=True)
    named = stores.current.settings(data_dir / "chathooks.sqlite3")
    server = Served(data_dir, {**named, **(settings or {})})
    try:
        if started:
            await server.start()
        yield server
        assert not [line for line in server.lines if "Traceback" in line], server.lines[-50:]
    finally:
        await server.close()


async def make_users(client: Client, *uids: str) -> None:
    for uid in uids:
        assert (await client.call("POST", "/users", {"uid": uid, "name": uid})).status == 200


async def make_webhook(client: Client, webhook_id: str, url: str, **fields: Any) -> None:
    body = {
        "id": webhook_id,
        "name": webhook_id,
        "webhookURL": url,
        "triggers": ["message_sent"],
        **fields,
    }
    answer = await client.call("POST", "/webhooks", body)
    assert answer.status == 200, answer


async def say(client: Client, sender: str, receiver: str, text: str = "hello") -> Response:
    body = {
        "receiver": receiver,
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": text},
    }
    return await client.call("POST", "/messages", body, actor=sender)


LIVE = "pending,in_flight,retrying"


async def deliveries(client: Client, webhook_id: str, **query: str) -> list[dict[str, Any]]:
    """The whole delivery log of a webhook, newest first."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        asked = {"limit": "100", **query} | ({"cursor": cursor} if cursor else {})
        text = "&".join(f"{name}={value}" for name, value in asked.items())
        answer = await client.call("GET", f"/webhooks/{webhook_id}/deliveries?{text}")
        assert answer.status == 200, answer
        found += answer.json["data"]
        following = answer.json.get("meta", {}).get("next")
        if not following:
            return found
        cursor = following["cursor"]


async def until(condition: Any, timeout_s: float, every_s: float = 0.02) -> Any:
    """Ask again and again until the answer is true; AssertionError after `timeout_s`."""
    ends_at = time.monotonic() + timeout_s
    while not (answer := await condition()):
        assert time.monotonic() < ends_at, "it does not come true"
        await asyncio.sleep(every_s)
    return answer
