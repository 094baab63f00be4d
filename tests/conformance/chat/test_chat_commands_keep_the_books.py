"""Long random runs of chat commands by random actors: what holds after every one of them.

Delivery contract §3.1, §3.5: a refused call fires nothing, an answered one has its events; and the rows agree
with each other (counts, owners, sequences).
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chathooks.chat.requests import GroupChange, MemberUids, MessageChange, NewContent, SendMessage
from chathooks.kernel.errors import ChathooksError
from support import stores
from support.chat import Chat

pytestmark = pytest.mark.anyio

COMMANDS = {"sqlite": 400, "postgres": 100}
"""Each is followed by many looks at the tables, which take their time on PostgreSQL."""
UIDS = ("alice", "bob", "carol", "dave", "nobody")
GUIDS = ("g", "h")
REPLY = SendMessage(category="message", type="text", data=NewContent(text="re"))


def _draw(chat: Chat, chance: random.Random) -> Callable[[], Awaitable[Any]]:
    """A random command with random parameters, most of them possible."""
    actor = chance.choice((None, *UIDS))
    uid, guid = chance.choice(UIDS), chance.choice(GUIDS)
    message_id = str(chance.randrange(1, 40))
    scope = chance.choice(("admin", "moderator", "participant"))
    text = chance.choice(("hello", "<@uid:bob> hi", ""))
    wanted = MemberUids(admins=[uid], participants=[chance.choice(UIDS)])
    owner = chance.choice((None, uid))
    commands: list[Callable[[], Awaitable[Any]]] = [
        lambda: chat.say(text, by=actor, to=uid),
        lambda: chat.say(text, by=actor, to=guid, group=True),
        lambda: chat.add_group(guid, owner=uid),
        lambda: chat.groups.update(chat.app, guid, GroupChange(name="n", owner=owner), actor),
        lambda: chat.members.add(chat.app, guid, wanted, actor),
        lambda: chat.members.add(chat.app, guid, wanted),
        lambda: chat.members.kick(chat.app, guid, uid, actor),
        lambda: chat.members.change_scope(chat.app, guid, uid, scope, actor),  # type: ignore[arg-type]  # drawn from the literals
        lambda: chat.bans.ban(chat.app, guid, uid, actor),
        lambda: chat.bans.unban(chat.app, guid, uid, actor),
        lambda: chat.messages.reply(chat.app, message_id, REPLY, uid),
        lambda: chat.threads.follow(chat.app, message_id, uid),
        lambda: chat.threads.leave(chat.app, message_id, uid),
        lambda: chat.reactions.add(chat.app, message_id, "x", uid),
        lambda: chat.reactions.remove(chat.app, message_id, "x", uid),
        lambda: chat.messages.edit(
            chat.app, message_id, MessageChange(data=NewContent(text=text)), actor
        ),
        lambda: chat.messages.delete(
            chat.app, message_id, permanent=chance.random() < 0.5, on_behalf_of=actor
        ),
    ]
    if chance.random() < 0.05:
        return lambda: chat.groups.delete(chat.app, guid, actor)
    return chance.choice(commands)


def _events(chat: Chat) -> int:
    count: int = chat.sql("SELECT count(*) FROM feed")[0][0]
    return count


def _rows(chat: Chat) -> list[Any]:
    """All that the commands change and tell of; who follows which thread is told by no event."""
    return [
        chat.sql(f"SELECT * FROM {table}")
        for table in ("chat_groups", "members", "bans", "messages", "reactions")
    ]


def _followers(chat: Chat) -> list[Any]:
    return chat.sql("SELECT * FROM thread_subscriptions")


def _books_agree(chat: Chat) -> None:
    assert (
        chat.sql(
            "SELECT guid FROM chat_groups AS g WHERE members_count <> "
            "(SELECT count(*) FROM members AS m WHERE m.group_key = g.group_key)"
        )
        == []
    )
    owners_scopes = chat.sql(
        "SELECT DISTINCT m.scope FROM chat_groups AS g LEFT JOIN users AS u "
        "ON u.uid = g.owner AND u.app = g.app LEFT JOIN members AS m "
        "ON m.group_key = g.group_key AND m.user = u.user WHERE g.deleted_at IS NULL"
    )
    assert owners_scopes in ([], [("admin",)])
    assert (
        chat.sql(
            "SELECT message FROM messages AS m WHERE reply_count <> "
            "(SELECT count(*) FROM messages AS r WHERE r.parent = m.message)"
        )
        == []
    )
    assert chat.sql(
        "SELECT message, reaction, number FROM reaction_counts ORDER BY 1, 2"
    ) == chat.sql("SELECT message, reaction, count(*) FROM reactions GROUP BY 1, 2 ORDER BY 1, 2")
    counted = chat.sql("SELECT value FROM chat_counters WHERE name = 'groups'") or [(0,)]
    assert counted == chat.sql("SELECT count(*) FROM chat_groups WHERE deleted_at IS NULL")
    by_range = chat.sql("SELECT sum(number) FROM group_ranges GROUP BY sort")
    assert by_range == counted * 3
    in_ranges = chat.sql("SELECT sum(active), sum(deactivated) FROM user_ranges")
    assert in_ranges == chat.sql(
        "SELECT count(*) FILTER (WHERE deactivated_at IS NULL), "
        "count(*) FILTER (WHERE deactivated_at IS NOT NULL) FROM users WHERE built_in = 0"
    )


@pytest.mark.parametrize("seed", range(4))
async def test_random_commands_never_part_state_from_events(chat: Chat, seed: int) -> None:
    chance = random.Random(seed)
    refused = answered = 0
    commands = COMMANDS[stores.current.name]
    for _ in range(commands):
        command = _draw(chat, chance)
        fired_before, before, followers = _events(chat), _rows(chat), _followers(chat)
        try:
            result = await command()
        except ChathooksError:
            refused += 1
            assert _events(chat) == fired_before
            assert _rows(chat) == before
            assert _followers(chat) == followers
        else:
            answered += 1
            fired = _events(chat) - fired_before
            nobody_added = isinstance(result, dict) and not any(
                one.success for array in result.values() for one in array.values()
            )
            assert fired <= (0 if nobody_added else 2)
            assert fired > 0 or _rows(chat) == before
        _books_agree(chat)
    assert refused > commands // 20
    assert answered > commands // 20
    by_stream: dict[str | None, list[int | None]] = {}
    for event in chat.events():
        by_stream.setdefault(event.stream, []).append(event.sequence)
    for sequences in by_stream.values():
        assert sequences == list(range(1, len(sequences) + 1))
