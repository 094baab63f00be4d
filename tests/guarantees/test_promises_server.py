"""The whole server, put together as `chathooks serve` does it: delivery contract §1, §3 and §4 end to end."""

import asyncio
import http.client
import ipaddress
import json
import os
import pty
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks import __version__
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.app.build import Runtime, build
from chathooks.app.secrets import CREDENTIALS_FILE, SECRET_KEY_FILE
from chathooks.app.settings import Settings
from chathooks.kernel.crypto import digest, mask
from chathooks_events.catalog import TRIGGERS
from support.scripted_endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

KEY = "0123456789abcdef0123456789abcdef01234567"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ANSWER_TIMEOUT_S = 10.0
SECRETS = ("api_key", "auth_key", "management_key", "management_secret")
CONVERSATION = {"receiver": "bob", "receiverType": "user", "category": "message", "type": "text"}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Runtime]:
    settings = Settings(
        data_dir=folder,
        port=0,
        api_key=KEY,
        allow_http_targets=True,
        allow_target_networks=LOOPBACK,
    )
    runtime = await build(settings)
    try:
        await runtime.start()
        yield runtime
    finally:
        await runtime.stop()


def _request(port: int, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    try:
        sent = {"apikey": KEY, "Content-Type": "application/json", **headers}
        content = None if body is None else json.dumps(body)
        connection.request(method, f"/v3{path}", content, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


async def call(
    runtime: Runtime, method: str, path: str, body: Any = None, on_behalf_of: str | None = None
) -> tuple[int, Any]:
    headers = {} if on_behalf_of is None else {"onBehalfOf": on_behalf_of}
    status, answer = await asyncio.to_thread(_request, runtime.port, method, path, body, headers)
    return int(status), answer


async def done(runtime: Runtime, method: str, path: str, body: Any, by: str | None = None) -> Any:
    status, answer = await call(runtime, method, path, body, by)
    assert status == 200, answer
    return answer["data"]


async def feed(runtime: Runtime) -> list[int]:
    """Trigger numbers of the feed's events, in commit order."""

    async def query(tx: SqliteTransaction) -> list[int]:
        return [entry.trigger_number for entry in await tx.read_feed(0, 1000)]

    return await runtime.store.read(query)


async def test_a_message_over_rest_is_delivered_under_the_servers_name(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, serving(tmp_path) as runtime:
        for uid in ("alice", "bob"):
            await done(runtime, "POST", "/users", {"uid": uid, "name": uid.title()})
        hook = {"id": "hook", "name": "Hook", "webhookURL": endpoint.url()}
        await done(runtime, "POST", "/webhooks", {**hook, "triggers": ["message_sent"]})
        message = {**CONVERSATION, "data": {"text": "hello"}}
        await done(runtime, "POST", "/messages", message, "alice")
        (request,) = await endpoint.arrived(1)
        assert request.headers["user-agent"] == f"Chathooks/{__version__}"
        assert json.loads(request.body)["data"]["message"]["data"]["text"] == "hello"
        assert "authorization" not in request.headers


async def test_a_conversation_has_one_sequence_whoever_writes(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint, serving(tmp_path) as runtime:
        for uid in ("alice", "bob"):
            await done(runtime, "POST", "/users", {"uid": uid, "name": uid.title()})
        hook = {"id": "hook", "name": "Hook", "webhookURL": endpoint.url()}
        await done(runtime, "POST", "/webhooks", {**hook, "triggers": ["message_sent"]})
        for sender, receiver in (("alice", "bob"), ("bob", "alice"), ("alice", "bob")):
            message = {**CONVERSATION, "receiver": receiver, "data": {"text": "hello"}}
            await done(runtime, "POST", "/messages", message, sender)
        found = sorted(await endpoint.arrived(3), key=lambda request: request.number)
        sequences = [request.headers["chathooks-sequence"] for request in found]
        assert sequences == ["1", "2", "3"]


async def test_a_groups_sequence_counts_messages_members_and_settings_alike(
    tmp_path: Path,
) -> None:
    async with ScriptedEndpoint() as endpoint, serving(tmp_path) as runtime:
        for uid in ("alice", "bob"):
            await done(runtime, "POST", "/users", {"uid": uid, "name": uid.title()})
        hook = {"id": "hook", "name": "Hook", "webhookURL": endpoint.url()}
        await done(runtime, "POST", "/webhooks", {**hook, "triggers": list(TRIGGERS)})
        group = {"guid": "team", "name": "Team", "type": "public"}
        await done(runtime, "POST", "/groups", group, "alice")
        await done(runtime, "POST", "/groups/team/members", {"participants": ["bob"]}, "alice")
        text = {**CONVERSATION, "receiver": "team", "receiverType": "group"}
        await done(runtime, "POST", "/messages", {**text, "data": {"text": "hi"}}, "alice")
        await done(runtime, "PUT", "/groups/team", {"name": "The team"}, "alice")
        await endpoint.arrived(4)
        await asyncio.wait_for(runtime.engine.quiet(), 10)
        found = sorted(endpoint.requests, key=lambda request: request.number)
        sequences = [int(request.headers["chathooks-sequence"]) for request in found]
        assert sequences == list(range(1, len(found) + 1))
        triggers = {request.event.trigger for request in found}
        assert {
            "group_created",
            "group_member_added",
            "message_sent",
            "group_updated",
        } <= triggers


REFUSED: tuple[tuple[str, str, Any, str | None], ...] = (
    ("POST", "/messages", {**CONVERSATION, "data": {}}, "alice"),
    ("POST", "/messages", {**CONVERSATION, "data": {"text": "x"}}, "nobody"),
    ("POST", "/messages", {**CONVERSATION, "receiver": "no", "data": {"text": "x"}}, "alice"),
    ("POST", "/messages", {**CONVERSATION, "data": {"text": "x"}, "odd": 1}, "alice"),
    ("PUT", "/messages/999", {"data": {"text": "x"}}, "alice"),
    ("DELETE", "/messages/999", None, "alice"),
    ("POST", "/groups", {"guid": "team", "name": "Again", "type": "public"}, "alice"),
    ("POST", "/groups", {"guid": "a b", "name": "Bad", "type": "public"}, "alice"),
    ("PUT", "/groups/none", {"name": "x"}, "alice"),
    ("DELETE", "/groups/team", None, "bob"),
    ("POST", "/groups/none/members", {"participants": ["bob"]}, "alice"),
    ("DELETE", "/groups/team/members/bob", None, "alice"),
    ("POST", "/users", {"uid": "alice", "name": "Again"}, None),
    ("GET", "/messages/none", None, None),
)


async def test_nothing_is_fired_for_a_refused_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as runtime:
        for uid in ("alice", "bob"):
            await done(runtime, "POST", "/users", {"uid": uid, "name": uid.title()})
        group = {"guid": "team", "name": "Team", "type": "public"}
        await done(runtime, "POST", "/groups", group, "alice")
        before = await feed(runtime)
        for method, path, body, by in REFUSED:
            status, answer = await call(runtime, method, path, body, by)
            assert 400 <= status < 500, (method, path, status)
            assert set(answer["error"]) == {"code", "message", "details"}
        assert await feed(runtime) == before


def stored_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("chathooks.sqlite3*"))


async def test_keys_are_stored_as_sha_256_with_a_mask_and_found_by_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as runtime:

        async def query(tx: SqliteTransaction) -> list[tuple[bytes, str]]:
            return tx._all("SELECT digest, masked FROM api_keys", ())

        stored = dict(await runtime.store.read(query))
        assert stored[digest(KEY)] == mask(KEY) == "********4567"
        assert (await call(runtime, "GET", "/users"))[0] == 200
    assert KEY.encode() not in stored_bytes(tmp_path)


def _until(read: int, mark: bytes) -> bytes:
    seen = b""
    while mark not in seen:
        try:
            part = os.read(read, 4096)
        except OSError:  # a terminal whose other end has closed
            part = b""
        assert part, seen
        seen += part
    return seen


@contextmanager
def first_start(folder: Path, *, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    """`chathooks serve` as a process of its own; it is stopped as an operator does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHATHOOKS_")}
    serve = "from chathooks.cli.main import main; main()"
    command = [sys.executable, "-c", serve, "serve", "--port", "0", "--data-dir", str(folder)]
    process = subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_what_the_first_start_makes_is_in_a_private_file_and_never_in_the_log(
    tmp_path: Path,
) -> None:
    read, write = os.pipe()
    with first_start(tmp_path, stderr=write):
        os.close(write)
        seen = _until(read, b"credentials.toml")
    while part := os.read(read, 4096):
        seen += part
    os.close(read)
    made = tomllib.loads((tmp_path / CREDENTIALS_FILE).read_text())
    assert set(made) == {"app_id", "region", *SECRETS}
    for name in (CREDENTIALS_FILE, SECRET_KEY_FILE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    secrets = [made[name] for name in SECRETS]
    secrets.append((tmp_path / SECRET_KEY_FILE).read_text().strip())
    assert [secret for secret in secrets if secret.encode() in seen] == []


def test_a_terminal_is_shown_the_keys_that_the_first_start_made(tmp_path: Path) -> None:
    terminal, other_end = pty.openpty()
    with first_start(tmp_path, stderr=other_end):
        os.close(other_end)
        seen = _until(terminal, b"management secret")
        made = tomllib.loads((tmp_path / CREDENTIALS_FILE).read_text())
        last = made["management_secret"].encode()
        while last not in seen:
            seen += os.read(terminal, 4096)
    os.close(terminal)
    assert all(made[name].encode() in seen for name in SECRETS)
