"""A store that an earlier version made opens, with what was in it."""

import sqlite3
from pathlib import Path

import pytest

from chathooks.adapters.sqlite.statements import migrations
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.app.chat import ChatCore
from chathooks.chat.requests import NewContent, SendMessage
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.ids import EventIds, system_random
from support.chat import plain, seeded_random

pytestmark = pytest.mark.anyio

FIRST_CHAT_VERSION = 3
CONTENT = """
INSERT INTO apps (id, name, region, created_at) VALUES ('app1', 'App', 'us', 1);
INSERT INTO users (app, uid, name, name_folded, role, created_at)
VALUES (1, 'alice', 'Alice', 'alice', 'default', 1), (1, 'bob', 'Bob', 'bob', 'default', 1);
INSERT INTO auth_tokens (digest, app, user, created_at) VALUES (x'00', 1, 2, 1);
INSERT INTO messages (app, sender, receiver_user, category, type, content, sent_at, updated_at)
VALUES (1, 2, 3, 'message', 'text', '{"text":"old"}', 1, 1);
"""


def make_store(path: Path, version: int) -> None:
    """A store as the version made it, with a conversation in it."""
    connection = sqlite3.connect(path)
    for number, _, script in migrations():
        if number <= version:
            connection.executescript(script)
    connection.executescript(f"{CONTENT} PRAGMA user_version = {version};")
    connection.close()


async def test_what_an_earlier_version_kept_is_served_with_what_came_since(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    make_store(path, FIRST_CHAT_VERSION)
    store = await SqliteStore.open(path)
    try:
        clock = ManualClock()
        outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))
        chat = ChatCore.on(store, outbox, clock, seeded_random)
        await chat.reactions.add(1, "1", "x", "bob")
        request = SendMessage(category="message", type="text", data=NewContent(text="new"))
        reply = await chat.messages.reply(1, "1", request, "bob")
        old = plain(await chat.history.get(1, "1"))
        assert old["data"]["text"] == "old"
        assert old["data"]["reactions"] == [{"reaction": "x", "count": 1}]
        assert old["replyCount"] == 1
        assert (reply.receiver, reply.parent_id) == ("alice", "1")
        (token,) = (await chat.tokens.page(1, "alice", limit=10, offset=0)).tokens
        assert token.auth_token == "********"
        assert await chat.departures.deactivate(1, ["alice"]) == ["alice"]
    finally:
        await store.close()
