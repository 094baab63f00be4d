"""Reactions: who may react, what counts, what is listed (rest-api.md C12)."""

from pathlib import Path

import pytest

from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import Window
from chathooks.chat.limits import REACTIONS_PER_MESSAGE_MAX
from chathooks.chat.reactions import ReactionWindow
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, open_chat, plain

pytestmark = pytest.mark.anyio

WINDOW = ReactionWindow(100)


async def test_counts_are_shown_with_what_the_viewer_did(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.reactions.add(chat.app, sent.id, "👍🏽", "bob")
    await chat.reactions.add(chat.app, sent.id, "❤️", "bob")
    answer = plain(await chat.reactions.add(chat.app, sent.id, "👍🏽", "alice"))
    assert answer["data"]["reactions"] == [
        {"reaction": "👍🏽", "count": 2, "reactedByMe": True},
        {"reaction": "❤️", "count": 1, "reactedByMe": False},
    ]
    assert plain(await chat.history.get(chat.app, sent.id))["data"]["reactions"] == [
        {"reaction": "👍🏽", "count": 2},
        {"reaction": "❤️", "count": 1},
    ]
    (listed,) = await chat.history.page_of_user(
        chat.app, "alice", MessageFilter(), Window(10), "bob"
    )
    assert [one["reactedByMe"] for one in plain(listed)["data"]["reactions"]] == [True, True]


async def test_a_reaction_that_is_there_already_changes_and_fires_nothing(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    first = await chat.reactions.add(chat.app, sent.id, "x", "bob")
    events = chat.triggers()
    assert await chat.reactions.add(chat.app, sent.id, "x", "bob") == first
    assert chat.triggers() == events


async def test_taking_back_what_is_not_there_is_refused(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.reactions.add(chat.app, sent.id, "x", "bob")
    events = chat.triggers()
    for uid, reaction in (("alice", "x"), ("bob", "y")):
        with pytest.raises(ChathooksError, match="ERR_REACTION_NOT_FOUND"):
            await chat.reactions.remove(chat.app, sent.id, reaction, uid)
    assert chat.triggers() == events
    left = await chat.reactions.remove(chat.app, sent.id, "x", "bob")
    assert "reactions" not in plain(left)["data"]
    assert chat.sql("SELECT count(*) FROM reaction_counts") == [(0,)]


async def test_only_those_who_see_a_message_react_to_it(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    to_bob = await chat.say("hi", by="alice", to="bob")
    in_group = await chat.say("hi", by="alice", to="g", group=True)
    for sent, code in ((to_bob, "ERR_MESSAGE_NO_ACCESS"), (in_group, "ERR_GROUP_NOT_JOINED")):
        with pytest.raises(ChathooksError, match=code):
            await chat.reactions.add(chat.app, sent.id, "x", "carol")
        with pytest.raises(ChathooksError, match=code):
            await chat.reactions.page(chat.app, sent.id, WINDOW, on_behalf_of="carol")
    for message_id, uid, code in (
        ("999", "alice", "ERR_MESSAGE_ID_NOT_FOUND"),
        (to_bob.id, "nobody", "ERR_UID_NOT_FOUND"),
    ):
        with pytest.raises(ChathooksError, match=code):
            await chat.reactions.add(chat.app, message_id, "x", uid)
    assert chat.sql("SELECT count(*) FROM reactions") == [(0,)]


async def test_actions_and_deleted_messages_take_no_reactions(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    ((action,),) = chat.sql("SELECT message FROM messages WHERE category = 'action'")
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.messages.delete(chat.app, sent.id, permanent=False)
    for message_id in (str(action), sent.id):
        with pytest.raises(ChathooksError, match="ERR_MESSAGE_ACTION_NOT_ALLOWED"):
            await chat.reactions.add(chat.app, message_id, "x", "alice")


@pytest.mark.parametrize("reaction", ["", " ", "x" * 101, "a\nb", "\x7f"])
async def test_what_nobody_could_see_is_no_reaction(chat: Chat, reaction: str) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    with pytest.raises(ChathooksError, match="ERR_BAD_REQUEST"):
        await chat.reactions.add(chat.app, sent.id, reaction, "bob")


async def test_a_message_has_at_most_so_many_different_reactions(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    for number in range(REACTIONS_PER_MESSAGE_MAX):
        await chat.reactions.add(chat.app, sent.id, f"r{number}", "bob")
    with pytest.raises(ChathooksError, match="ERR_PLAN_QUOTA_RESTRICTION"):
        await chat.reactions.add(chat.app, sent.id, "new", "bob")
    await chat.reactions.add(chat.app, sent.id, "r7", "alice")


async def test_reactions_are_listed_by_age_and_kind_in_windows(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    other = await chat.say("hi", by="alice", to="bob")
    for uid in ("alice", "bob"):
        for reaction in ("x", "y"):
            await chat.reactions.add(chat.app, sent.id, reaction, uid)
    await chat.reactions.add(chat.app, other.id, "x", "bob")
    everything = await chat.reactions.page(chat.app, sent.id, WINDOW)
    assert [(one.uid, one.reaction) for one in everything] == [
        ("alice", "x"),
        ("alice", "y"),
        ("bob", "x"),
        ("bob", "y"),
    ]
    alike = await chat.reactions.page(chat.app, sent.id, WINDOW, reaction="x", on_behalf_of="bob")
    assert [one.uid for one in alike] == ["alice", "bob"]
    newest = await chat.reactions.page(chat.app, sent.id, ReactionWindow(1))
    assert newest == everything[3:]
    older = ReactionWindow(2, reaction_id=newest[0].id)
    assert await chat.reactions.page(chat.app, sent.id, older) == everything[1:3]
    newer = ReactionWindow(2, append=True, reaction_id=everything[0].id)
    assert await chat.reactions.page(chat.app, sent.id, newer) == everything[1:3]


async def test_reactions_of_messages_that_are_gone_are_purged_in_steps(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    kept = await chat.say("hi", by="alice", to="bob")
    for reaction in ("x", "y", "z"):
        await chat.reactions.add(chat.app, sent.id, reaction, "bob")
    await chat.reactions.add(chat.app, kept.id, "x", "bob")
    await chat.messages.delete(chat.app, sent.id, permanent=True)
    assert await chat.reactions.purge(2) == 2
    assert await chat.upkeep.step()
    assert not await chat.upkeep.step()
    assert chat.sql("SELECT message FROM reactions") == [(int(kept.id),)]
    assert chat.sql("SELECT message FROM reaction_counts") == [(int(kept.id),)]
    assert chat.sql("SELECT * FROM messages_gone") == []


async def test_a_deleted_groups_reactions_go_with_it(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        await chat.add_users("alice")
        await chat.add_group("g", owner="alice")
        sent = await chat.say("hi", by="alice", to="g", group=True)
        await chat.reactions.add(chat.app, sent.id, "x", "alice")
        await chat.groups.delete(chat.app, "g")
        await chat.upkeep.round()
        assert chat.sql("SELECT count(*) FROM reactions") == [(0,)]
