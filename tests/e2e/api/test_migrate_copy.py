"""A SQLite store copied into PostgreSQL and served from there answers every call alike."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.app.build import STORE_FILE, build, copy_to_database, schema
from chathooks.app.chat import ChatCore
from chathooks.app.copying import ROWS_PER_BATCH, Step
from chathooks.app.settings import Settings
from chathooks.apps.bootstrap import Given, bootstrap
from chathooks.apps.records import Credentials
from chathooks.chat.requests import MemberUids, NewContent, NewGroup, NewUser, SendMessage
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import SystemClock
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import EventIds, system_random
from chathooks_events.entities import Message
from support.postgres import Databases
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client
from support.stores import SECRET_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.only("postgres")]

TORTURE = os.environ.get("CHATHOOKS_TORTURE") == "1"
MESSAGES = 5_000
MESSAGES_TORTURE = 100_000
AT_ONCE = 500
DELIVERED_S_MAX = 600.0
LOOK_AGAIN_S = 0.2
KEYS = Credentials(
    "app1", "us", "a" * 40, "b" * 40, management_key="c" * 40, management_secret="d" * 40
)
UIDS = tuple(f"user{place}" for place in range(12))
PLACES = (
    "/users?perPage=5",
    "/users?searchKey=user1",
    "/users/user1",
    "/users/user1/blockedusers",
    "/users/user1/auth_tokens",
    "/groups",
    "/groups/g/members",
    "/groups/g",
    "/messages?limit=1000",
    "/messages?limit=100&searchKey=number 77",
    "/groups/g/messages?limit=1000",
    "/users/user1/conversations",
    "/apikeys",
    "/webhooks",
    "/webhooks/w/triggers",
)
PAGED = (
    "/events?limit=1000",
    "/webhooks/w/deliveries?limit=100",
    "/webhooks/broken/deliveries?limit=100",
)


def _settings(tmp_path: Path, **more: Any) -> Settings:
    settings = Settings(
        data_dir=tmp_path / "data",
        port=0,
        app_id=KEYS.app_id,
        api_key=KEYS.api_key,
        auth_key=KEYS.auth_key,
        management_key=KEYS.management_key,
        management_secret=KEYS.management_secret,
        secret_key=SECRET_KEY,
        allow_http_targets=True,
        allow_target_networks=(ip_network("127.0.0.0/8"),),
        retry_schedule=(0.1,),
    )
    return replace(settings, **more)


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[Client]:
    runtime = await build(settings)
    await runtime.start()
    try:
        yield Client(runtime.port, KEYS)
    finally:
        await runtime.stop()


async def _chat(path: Path, messages: int) -> None:
    """A store with a bit of everything and many messages."""
    store = await SqliteStore.open(path)
    clock = SystemClock()
    given = Given(
        app_id=KEYS.app_id,
        api_key=KEYS.api_key,
        auth_key=KEYS.auth_key,
        management_key=KEYS.management_key,
        management_secret=KEYS.management_secret,
    )
    await bootstrap(store, random=system_random, now_ms=clock.wall_ms(), given=given)
    core = ChatCore.on(
        store, Outbox(clock, EventIds(clock.wall_ms, system_random)), clock, system_random
    )
    for uid in UIDS:
        tags = [uid, "all"]
        await core.users.create(1, NewUser(uid=uid, name=f"Näme {uid}", tags=tags))
    await core.groups.create(
        1,
        NewGroup(guid="g", name="G", owner=UIDS[0], members=MemberUids(participants=list(UIDS))),
    )
    await core.tokens.create(1, UIDS[1])

    def message(place: int) -> SendMessage:
        to_group = place % 2 == 0
        return SendMessage(
            receiver="g" if to_group else UIDS[place % len(UIDS)],
            receiver_type="group" if to_group else "user",
            category="message",
            type="text",
            data=NewContent(text=f"number {place}: grüße 🙂"),
        )

    sent: list[Message] = []
    for start in range(0, messages, AT_ONCE):
        sent += await asyncio.gather(
            *(
                core.messages.send(1, message(place), UIDS[(place + 1) % len(UIDS)])
                for place in range(start, min(start + AT_ONCE, messages))
            )
        )
    for one in sent[:27]:
        await core.reactions.add(1, str(one.id), "👍", one.sender)
    await core.blocks.block(1, UIDS[1], [UIDS[2]])
    await store.close()


async def _all_pages(client: Client, path: str) -> list[Any]:
    found: list[Any] = []
    cursor, name = "", "after" if path.startswith("/events") else "cursor"
    while True:
        answer = await client.call("GET", f"{path}&{name}={cursor}" if cursor else path)
        found += answer.data
        following = answer.json.get("meta", {}).get("next")
        if not following:
            return found
        cursor = following["cursor"]


async def _answers(client: Client) -> dict[str, Any]:
    found = {}
    for path in PLACES:
        answer = await client.call("GET", path.replace(" ", "%20"))
        found[path] = (answer.status, answer.json)
    for path in PAGED:
        found[path] = await _all_pages(client, path)
    return found


async def _deliver(client: Client, endpoint: ScriptedEndpoint, events: int) -> None:
    for name, path in (("w", "/good"), ("broken", "/broken")):
        body = {
            "id": name,
            "name": name,
            "webhookURL": endpoint.url(path),
            "triggers": ["message_sent", "message_reaction_added", "group_created"],
            "retryOnFailure": True,
            "maxConcurrency": 200,
        }
        assert (await client.call("POST", "/webhooks", body)).status == 200
    for place in range(events):
        body = {
            "receiver": UIDS[1],
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": f"delivered {place}"},
        }
        headers = {"onBehalfOf": UIDS[3]}
        assert (await client.call("POST", "/messages", body, headers=headers)).status == 200
    async with asyncio.timeout(DELIVERED_S_MAX):
        for name in ("w", "broken"):
            # Fan-out has many events to pass before it comes to these.
            while not await _have_ended(client, name, events):  # noqa: ASYNC110 -- the API has no event for it
                await asyncio.sleep(LOOK_AGAIN_S)


async def _have_ended(client: Client, webhook: str, events: int) -> bool:
    """Whether a webhook's deliveries are all there and none is to be tried any more."""
    found = (await client.call("GET", f"/webhooks/{webhook}/deliveries?limit=100")).data
    return len(found) == events and {one["state"] for one in found} <= {"delivered", "failed"}


async def _copied_and_served(tmp_path: Path, databases: Databases, messages: int) -> None:
    settings = _settings(tmp_path)
    settings.data_dir.mkdir()
    path = settings.data_dir / STORE_FILE
    await _chat(path, messages)
    async with ScriptedEndpoint() as endpoint:
        endpoint.answer = lambda request: 500 if request.path == "/broken" else 200
        async with _served(settings) as client:
            await _deliver(client, endpoint, 40)
            before = await _answers(client)
        requests = len(endpoint.requests)
        shared = replace(settings, database_url=databases.copy())
        steps: list[Step] = []
        rows = await copy_to_database(path, shared, steps.append)
        assert rows > 2 * messages
        assert {step.table for step in steps if step.verified} == {step.table for step in steps}
        async with _served(shared) as client:
            assert await _answers(client) == before
            body = {"uid": "after", "name": "After"}
            assert (await client.call("POST", "/users", body)).status == 200
            await _deliver_one_more(client, endpoint, requests)
    highest = max(int(message["id"]) for message in before["/messages?limit=1000"][1]["data"])
    with psycopg.connect(str(shared.database_url)) as connection:
        numbers = connection.execute(
            "SELECT max(number), count(*) FROM deliveries GROUP BY lane"
        ).fetchall()
        newest = connection.execute("SELECT max(message) FROM messages").fetchone()
    assert all(number == count for number, count in numbers)
    assert newest == (highest + 1,)


async def _deliver_one_more(client: Client, endpoint: ScriptedEndpoint, before: int) -> None:
    """Numbering goes on, and nothing that was delivered is sent again."""
    body = {
        "receiver": UIDS[1],
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "one more"},
    }
    assert (
        await client.call("POST", "/messages", body, headers={"onBehalfOf": UIDS[3]})
    ).status == 200
    await endpoint.arrived(before + 2)
    fresh = [request for request in endpoint.requests[before:] if request.path == "/good"]
    assert [request.number for request in fresh] == [41]


async def test_a_copied_store_answers_every_call_alike_and_goes_on_counting(
    tmp_path: Path, databases: Databases
) -> None:
    await _copied_and_served(tmp_path, databases, MESSAGES)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not TORTURE, reason="long; set CHATHOOKS_TORTURE=1")
async def test_a_copied_store_with_100000_events_answers_every_call_alike(
    tmp_path: Path, databases: Databases
) -> None:
    await _copied_and_served(tmp_path, databases, MESSAGES_TORTURE)


async def test_a_copy_that_was_cut_short_goes_on_and_nobody_serves_it_meanwhile(
    tmp_path: Path, databases: Databases
) -> None:
    settings = _settings(tmp_path, database_url=databases.copy())
    settings.data_dir.mkdir()
    path = settings.data_dir / STORE_FILE
    await _chat(path, 3 * ROWS_PER_BATCH)

    class Cut(Exception):
        pass

    def cut(step: Step) -> None:
        if step.table == "messages" and step.copied >= 2 * ROWS_PER_BATCH:
            raise Cut

    with pytest.raises(Cut):
        await copy_to_database(path, settings, cut)
    with pytest.raises(StartRefused) as refused:
        await build(settings)
    assert refused.value.code == "ERR_COPY_UNFINISHED"
    steps: list[Step] = []
    await copy_to_database(path, settings, steps.append)
    first = next(step for step in steps if step.table == "messages")
    assert first.copied == 3 * ROWS_PER_BATCH
    async with _served(settings) as client:
        assert len((await client.call("GET", "/messages?limit=1000")).data) == 1000


async def test_a_copy_that_differs_is_refused_and_stays_closed(
    tmp_path: Path, databases: Databases
) -> None:
    settings = _settings(tmp_path, database_url=databases.copy())
    settings.data_dir.mkdir()
    path = settings.data_dir / STORE_FILE
    await _chat(path, 10)

    def spoil(step: Step) -> None:
        if step.table == "messages" and not step.verified:
            with psycopg.connect(str(settings.database_url), autocommit=True) as connection:
                connection.execute("UPDATE users SET name = 'someone else' WHERE uid = 'user3'")

    with pytest.raises(StartRefused, match="users is not the same") as refused:
        await copy_to_database(path, settings, spoil)
    assert refused.value.code == "ERR_COPY_FAILED"
    with pytest.raises(StartRefused, match="not finished"):
        await build(settings)


async def test_a_copy_into_a_store_in_use_or_from_nothing_is_refused(
    tmp_path: Path, databases: Databases
) -> None:
    settings = _settings(tmp_path, database_url=databases.copy())
    with pytest.raises(StartRefused) as refused:
        await copy_to_database(tmp_path / "nothing.sqlite3", settings, print)
    assert refused.value.code == "ERR_STORE_NOT_FOUND"
    settings.data_dir.mkdir()
    path = settings.data_dir / STORE_FILE
    await _chat(path, 1)
    async with _served(settings):
        pass
    with pytest.raises(StartRefused) as refused:
        await copy_to_database(path, settings, print)
    assert refused.value.code == "ERR_STORE_NOT_EMPTY"
    with pytest.raises(StartRefused, match="--to"):
        await copy_to_database(path, replace(settings, database_url=None), print)


async def test_without_the_secret_key_or_with_another_one_a_start_is_refused(
    tmp_path: Path, databases: Databases
) -> None:
    settings = _settings(tmp_path, database_url=databases.copy())
    with pytest.raises(StartRefused, match="must be given") as refused:
        await build(replace(settings, secret_key=None))
    assert refused.value.code == "ERR_SECRET_KEY"
    async with _served(settings):
        pass
    other = "_" * 43 + "="
    with pytest.raises(
        StartRefused, match="is not the one that the store was made with"
    ) as refused:
        await build(replace(settings, secret_key=other[:-2] + "8="))
    assert refused.value.code == "ERR_SECRET_KEY"


async def test_the_schema_is_told_and_applied(tmp_path: Path, databases: Databases) -> None:
    store = schema(_settings(tmp_path, database_url=databases.make()))
    version, missing = await store.status()
    assert version == 0
    assert await store.apply() == missing
    assert await store.status() == (missing[-1][0], [])
    assert await store.apply() == []
