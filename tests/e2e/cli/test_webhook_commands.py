"""Webhooks, triggers, deliveries and events from the command line, on the whole server."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import IO, Any

import pytest

from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample_body
from support.command_line import COLUMNS, RUN_TIMEOUT_S, Shell
from support.endpoints.server import Connection, EndpointServer, free_port
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client

pytestmark = pytest.mark.anyio


async def make_webhook(
    shell: Shell, endpoint: ScriptedEndpoint, webhook: str, *more: str
) -> dict[str, Any]:
    made = await shell("webhooks", "create", webhook, endpoint.url(f"/{webhook}"), "--json", *more)
    assert isinstance(made.json, dict)
    return made.json


async def ended(client: Client, webhook: str, count: int) -> list[dict[str, Any]]:
    """The webhook's deliveries once `count` have ended."""
    async with asyncio.timeout(20):
        while True:
            found = (await client.call("GET", f"/webhooks/{webhook}/deliveries")).data
            if sum(item["state"] in ("delivered", "failed") for item in found) >= count:
                return list(found)
            await asyncio.sleep(0.02)


async def make_user(client: Client, uid: str) -> None:
    await client.call("POST", "/users", {"uid": uid, "name": uid})


async def send(client: Client, uid: str, text: str) -> None:
    body = {
        "receiver": uid,
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": text},
    }
    assert (await client.call("POST", "/messages", body)).status == 200


async def test_a_webhook_lives_from_creation_to_deletion(
    shell: Shell, server: Client, endpoint: ScriptedEndpoint
) -> None:
    made = await make_webhook(
        *(shell, endpoint, "w1", "--name", "One", "--trigger", "message_sent", "--retry"),
        *("--username", "me", "--password", "pass", "--max-concurrency", "3", "--ordered"),
    )
    assert made["secret"].startswith("whsec_")
    stored = (await server.call("GET", "/webhooks/w1")).data
    assert (await shell("webhooks", "get", "w1", "--json")).json == stored
    assert "secret" not in stored
    assert (stored["name"], stored["retryOnFailure"], stored["ordered"]) == ("One", True, True)
    assert (stored["useBasicAuth"], stored["username"]) == (True, "me")

    changed = await shell(
        *("webhooks", "update", "w1", "--endpoint", endpoint.url("/new"), "--disabled"),
        *("--no-retry", "--no-basic-auth", "--json"),
    )
    assert changed.json["webhookURL"] == endpoint.url("/new")
    assert (changed.json["enabled"], changed.json["retryOnFailure"]) == (False, False)
    assert changed.json["useBasicAuth"] is False
    assert changed.json["name"] == "One"

    rotated = await shell("webhooks", "rotate-secret", "w1", "--overlap-seconds", "60")
    assert "whsec_" in rotated.out
    assert "shown this once" in rotated.err
    assert (await shell("webhooks", "delete", "w1")).out == "Deleted Webhook successfully.\n"
    gone = await shell("webhooks", "get", "w1")
    assert gone.code == 1
    assert "`chathooks webhooks list` shows the ids" in gone.err


async def test_the_secret_of_a_new_webhook_is_shown_with_a_word_on_it(
    shell: Shell, endpoint: ScriptedEndpoint
) -> None:
    made = await shell("webhooks", "create", "w2", endpoint.url())
    assert "whsec_" in "".join(made.out.split())
    assert "shown this once" in made.err


async def test_the_password_of_a_webhook_may_come_from_the_environment(
    shell: Shell, endpoint: ScriptedEndpoint
) -> None:
    quiet = Shell(shell.folder, {**shell.variables, "CHATHOOKS_WEBHOOK_PASSWORD": "from-there"})
    made = await make_webhook(quiet, endpoint, "w3", "--username", "me")
    assert (made["useBasicAuth"], made["password"]) == (True, "********")


async def test_the_triggers_of_a_webhook_are_added_listed_and_removed(
    shell: Shell, endpoint: ScriptedEndpoint
) -> None:
    await make_webhook(shell, endpoint, "w4")
    added = await shell(
        *("webhooks", "triggers", "w4", "--add", "message_sent", "--add", "message_edited"),
        *("--add", "no_such"),
    )
    assert added.code == 1
    assert "ERR_TRIGGER_NOT_FOUND" in "".join(added.out.split())
    listed = await shell("webhooks", "triggers", "w4", "--json")
    assert [item["id"] for item in listed.json] == ["message_sent", "message_edited"]
    assert (await shell("webhooks", "triggers", "w4", "--remove", "message_edited")).code == 0
    assert "message_edited" not in (await shell("webhooks", "triggers", "w4")).out
    both = await shell("webhooks", "triggers", "w4", "--add", "a", "--remove", "b")
    assert both.code == 2


async def test_the_catalog_is_listed_and_explained(shell: Shell) -> None:
    listed = await shell("triggers", "list", "--all", "--json")
    assert [item["name"] for item in listed.json] == list(TRIGGERS)
    table = await shell("triggers", "list", "--all")
    assert max(len(line) for line in table.lines) <= COLUMNS
    assert all(name in table.out for name in TRIGGERS)
    shown = await shell("triggers", "show", "message_sent")
    assert "message_sent (" in shown.out
    sample = await shell("triggers", "show", "message_sent", "--sample")
    assert sample.json == json.loads(sample_body("message_sent"))
    schema = await shell("triggers", "show", "message_sent", "--schema")
    assert "$schema" in schema.json
    assert (await shell("triggers", "show", "message_snt")).code == 1


async def test_deliveries_are_listed_shown_and_replayed(
    shell: Shell, server: Client, endpoint: ScriptedEndpoint
) -> None:
    await make_user(server, "dora")
    await make_webhook(shell, endpoint, "w5", "--trigger", "message_sent")
    for number in range(3):
        await send(server, "dora", f"d{number}")
    newest = (await ended(server, "w5", 3))[0]["id"]
    listed = await shell("deliveries", "list", "w5", "--state", "delivered", "--json")
    assert len(listed.json) == 3
    table = await shell("deliveries", "list", "w5", "--limit", "2")
    assert max(len(line) for line in table.lines) <= COLUMNS
    assert "There are more" in table.err
    assert (await shell("deliveries", "list", "w5", "--trigger", "message_edited")).out == "None.\n"

    shown = await shell("deliveries", "show", newest)
    assert newest in shown.out
    assert "explanation" in shown.out
    again = await shell("deliveries", "replay", newest, "--json")
    assert again.json["id"] == newest
    counted = await shell(
        *("deliveries", "replay", "--webhook", "w5", "--state", "delivered", "--dry-run"),
        *("--trigger", "message_sent", "--from", "2020-01-01T00:00:00Z", "--json"),
    )
    assert counted.json["dryRun"] is True
    assert counted.json["matched"] in (2, 3)  # the one that was replayed may be on its way
    for wrong in (
        ("deliveries", "replay"),
        ("deliveries", "replay", newest, "--webhook", "w5"),
        ("deliveries", "replay", newest, "--dry-run"),
    ):
        assert (await shell(*wrong)).code == 2


async def test_a_log_is_read_over_pages(
    shell: Shell, server: Client, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.cli.pages.PAGE_ITEMS_MAX", 2)
    await make_user(server, "paula")
    await make_webhook(shell, endpoint, "w6", "--trigger", "message_sent")
    for number in range(5):
        await send(server, "paula", f"p{number}")
    await ended(server, "w6", 5)
    everything = await shell("deliveries", "list", "w6", "--all", "--json")
    assert [item["number"] for item in everything.json] == [5, 4, 3, 2, 1]
    assert everything.err == "Read 5.\n"


async def test_a_sample_is_sent_and_its_delivery_is_shown(
    shell: Shell, endpoint: ScriptedEndpoint
) -> None:
    await make_webhook(shell, endpoint, "w7")
    fired = await shell("trigger", "message_edited", "--webhook", "w7", "--json")
    assert (fired.json["state"], fired.json["trigger"]) == ("delivered", "message_edited")
    assert endpoint.requests[-1].path == "/w7"
    await make_webhook(
        shell, endpoint, "w7b"
    )  # where there is one webhook only, it need not be named
    unnamed = await shell("trigger", "message_edited")
    assert unnamed.code == 2
    assert "w7" in unnamed.err
    closed = f"http://127.0.0.1:{free_port()}/"
    await shell("webhooks", "update", "w7", "--endpoint", closed)
    failed = await shell("trigger", "message_edited", "--webhook", "w7")
    assert failed.code == 1
    assert "failed" in failed.out


async def test_a_server_that_sends_no_samples_is_told(shell: Shell) -> None:
    async def old(connection: Connection) -> None:
        await connection.request()
        body = b'{"error":{"code":"ERR_API_NOT_FOUND","message":"No such call.","details":{}}}'
        await connection.answer(404, body)

    with EndpointServer() as endpoints:
        url = endpoints.listen(old).url()
        run = await shell("trigger", "message_sent", "--webhook", "w", "--url", url)
    assert run.code == 1
    assert "This server cannot send test events." in run.err
    assert "Use a newer server" in run.err


async def test_events_are_listed_in_order_and_go_on_behind_a_cursor(
    shell: Shell, server: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.cli.pages.PAGE_ITEMS_MAX", 2)
    await make_user(server, "eve")
    before = (await shell("events", "list", "--all", "--json")).json
    for number in range(5):
        await send(server, "eve", f"e{number}")
    cursor = ("--after", before[-1]["cursor"]) if before else ()
    new = await shell("events", "list", *cursor, "--all", "--json")
    assert [item["data"]["message"]["data"]["text"] for item in new.json] == [
        f"e{n}" for n in range(5)
    ]
    some = await shell("events", "list", *cursor, "--limit", "3", "--json")
    assert some.json == new.json[:3]
    none = await shell("events", "list", *cursor, "--trigger", "message_edited", "--json")
    assert none.json == []
    assert max(len(line) for line in (await shell("events", "list", *cursor)).lines) <= COLUMNS


def read_lines(stream: IO[str] | None, wanted: int) -> Iterator[str]:
    assert stream is not None
    for _ in range(wanted):
        line = stream.readline()
        assert line, "it ended too early"
        yield line


@asynccontextmanager
async def following(shell: Shell, *arguments: str) -> AsyncIterator["Tail"]:
    with shell.started(*arguments) as process:
        tail = Tail(process)
        assert "Following" in await tail.remark()
        yield tail


class Tail:
    """A command that follows, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    async def lines(self, count: int) -> list[str]:
        return await asyncio.wait_for(
            asyncio.to_thread(lambda: list(read_lines(self.process.stdout, count))), RUN_TIMEOUT_S
        )

    async def remark(self) -> str:
        return await asyncio.wait_for(
            asyncio.to_thread(lambda: next(read_lines(self.process.stderr, 1))), RUN_TIMEOUT_S
        )

    async def interrupted(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await asyncio.to_thread(self.process.wait, RUN_TIMEOUT_S)


async def test_deliveries_are_followed_until_ctrl_c(
    shell: Shell, server: Client, endpoint: ScriptedEndpoint
) -> None:
    await make_user(server, "fay")
    await make_webhook(shell, endpoint, "w8", "--trigger", "message_sent")
    await send(server, "fay", "before")
    await ended(server, "w8", 1)
    async with following(shell, "deliveries", "follow", "w8", "--json") as tail:
        (first,) = await tail.lines(1)
        assert json.loads(first)["number"] == 1
        await send(server, "fay", "after")
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["state"] != "delivered":
            seen += [json.loads(line) for line in await tail.lines(1)]
        assert {item["number"] for item in seen} == {2}
        assert await tail.interrupted() == 0
        _, errors = tail.process.communicate()
        assert errors == ""


async def test_events_are_followed_from_now_on(shell: Shell, server: Client) -> None:
    await make_user(server, "gus")
    await send(server, "gus", "old")
    async with following(shell, "events", "follow", "--trigger", "message_sent") as tail:
        assert "end of the feed" in await tail.remark()
        await send(server, "gus", "fresh")
        (line,) = await tail.lines(1)
        assert "message_sent" in line
        assert line.endswith("  fresh\n")
        assert await tail.interrupted() == 0
