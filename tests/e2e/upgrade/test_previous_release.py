"""The store of a previous release opens, is served, and what it owed is delivered."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks.adapters.sqlite.statements import migrations
from chathooks.app.build import STORE_FILE, build
from chathooks.apps.records import Credentials
from chathooks.delivery.records import State, delivery_id
from support.make_upgrade_fixture import (
    ANSWERING_PORT,
    API_KEY,
    AUTH_KEY,
    HANGING_PORT,
    MANAGEMENT_KEY,
    MANAGEMENT_SECRET,
    settings,
)
from support.populate import send
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client
from support.waiting import until

pytestmark = pytest.mark.anyio

FIXTURE = Path(__file__).parents[2] / "fixtures" / "upgrade"
CREDENTIALS = Credentials(
    "app1",
    "us",
    API_KEY,
    AUTH_KEY,
    management_key=MANAGEMENT_KEY,
    management_secret=MANAGEMENT_SECRET,
)
OWED_STATES = (State.PENDING, State.IN_FLIGHT, State.RETRYING, State.HELD)
LONG_HOURS = 1_000_000
"""The fixture's events are as old as it is, and are not to expire."""
LONG_DAYS = 36_500


def restore(folder: Path, port: int) -> Path:
    """The previous release's store, with the endpoint's port in its webhooks."""
    text = (FIXTURE / "store.sql").read_text("utf-8")
    for theirs in (ANSWERING_PORT, HANGING_PORT):
        text = text.replace(f"127.0.0.1:{theirs}/", f"127.0.0.1:{port}/")
    path = folder / STORE_FILE
    connection = sqlite3.connect(path)
    connection.executescript(text)
    connection.close()
    return path


def rows(path: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Client]:
    runtime = await build(
        settings(
            folder,
            delivery_expiry_hours=LONG_HOURS,
            retention_days=LONG_DAYS,
            # The fixture's due times may be later than this machine's time: then a retry waits so long at most.
            retry_schedule=(0.2, 0.2),
        )
    )
    await runtime.start()
    try:
        yield Client(runtime.port, CREDENTIALS)
    finally:
        await runtime.stop()


def holds(new: Any, old: Any) -> bool:
    """Whether an answer says what the old one said: more fields, and more entries behind a list's, are no contradiction."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and holds(new[name], value) for name, value in old.items()
        )
    if isinstance(old, list):
        return isinstance(new, list) and len(new) >= len(old) and all(map(holds, new, old))
    return bool(new == old)


def test_the_fixture_has_rows_in_every_table(tmp_path: Path) -> None:
    path = restore(tmp_path, 1)
    (version,) = rows(path, "PRAGMA user_version")[0]
    assert version < migrations()[-1].number
    names = [name for (name,) in rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert len(names) > 25
    assert [name for name in names if not rows(path, f"SELECT 1 FROM {name} LIMIT 1")] == []


async def test_what_the_previous_release_owed_is_delivered_once(tmp_path: Path) -> None:
    async with ScriptedEndpoint() as endpoint:
        path = restore(tmp_path, endpoint.port)
        stored = rows(
            path,
            "SELECT w.id, d.lane, d.number, d.state, d.attempt FROM deliveries d JOIN webhooks w USING (lane)",
        )
        owed = {
            delivery_id(lane, number): attempt + 1
            for webhook, lane, number, state, attempt in stored
            if state in OWED_STATES and webhook != "closing"
        }
        assert len(owed) > 10
        async with serving(tmp_path) as client:

            async def all_ended() -> bool:
                live = "SELECT 1 FROM deliveries WHERE state IN (0, 1, 2, 7) LIMIT 1"
                return not rows(path, live)

            await until(all_ended)
            sent = [(one.headers["chathooks-delivery"], one.attempt) for one in endpoint.requests]
            assert sorted(sent) == sorted(owed.items())
            for webhook in ("retrying", "ordered", "slow"):
                log = (await client.call("GET", f"/webhooks/{webhook}/deliveries")).data
                assert {item["state"] for item in log} == {"delivered"}
            closed = (await client.call("GET", "/webhooks/closing/deliveries")).data
            assert {item["state"] for item in closed} == {"cancelled"}
            before = len(endpoint.requests)
            await send(client.call, "after the upgrade")
            # To done, failed, retrying, ordered and slow.
            await endpoint.arrived(before + 5)
            numbers = [one.number for one in endpoint.requests[before:]]
            assert numbers == [6] * 5


async def test_the_previous_release_s_data_is_answered_the_same(tmp_path: Path) -> None:
    answers = json.loads((FIXTURE / "answers.json").read_text("utf-8"))
    async with ScriptedEndpoint() as endpoint:
        path = restore(tmp_path, endpoint.port)
        async with serving(tmp_path) as client:
            for call, old in answers.items():
                new = (await client.call("GET", call)).data
                text = json.dumps(old).replace(
                    f"127.0.0.1:{ANSWERING_PORT}/", f"127.0.0.1:{endpoint.port}/"
                )
                assert holds(new, json.loads(text)), call

            async def work_done() -> bool:
                return not any(
                    rows(path, f"SELECT 1 FROM {name} LIMIT 1")
                    for name in ("departures", "messages_gone", "sweeps")
                )

            await until(work_done)
            left = (await client.call("GET", "/groups/leaving/members")).data
            assert "gone" not in [member["uid"] for member in left]
            managed = await client.manage("GET", "/webhooks")
            assert len(managed.data) == 6


async def test_an_upgraded_store_is_one_that_this_release_made(tmp_path: Path) -> None:
    upgraded, fresh = tmp_path / "upgraded", tmp_path / "fresh"
    for folder in (upgraded, fresh):
        folder.mkdir()
    restore(upgraded, 1)
    schemas = []
    for folder in (upgraded, fresh):
        async with serving(folder):
            pass
        schema = rows(folder / STORE_FILE, "SELECT type, name, tbl_name, sql FROM sqlite_schema")
        version = rows(folder / STORE_FILE, "PRAGMA user_version")
        schemas.append((sorted(schema, key=repr), version))
    assert schemas[0] == schemas[1]
