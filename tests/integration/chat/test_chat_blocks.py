"""Blocks: what they stop, who sees them (rest-api.md C5)."""

import pytest

from chathooks.chat.filters import UserFilter
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


async def test_neither_of_the_two_writes_to_the_other_until_the_block_is_lifted(
    chat: Chat,
) -> None:
    await chat.blocks.block(chat.app, "alice", ["bob"])
    events = chat.triggers()
    with pytest.raises(ChathooksError, match="ERR_BLOCKED_RECEIVER"):
        await chat.say("x", by="alice", to="bob")
    with pytest.raises(ChathooksError, match="ERR_BLOCKED_SENDER"):
        await chat.say("x", by="bob", to="alice")
    assert chat.triggers() == events
    assert chat.sql("SELECT count(*) FROM messages") == [(0,)]
    await chat.say("x", by=None, to="alice")
    await chat.say("x", by="bob", to="carol")
    await chat.blocks.unblock(chat.app, "alice", ["bob"])
    await chat.say("x", by="bob", to="alice")


async def test_each_uid_has_its_own_result(chat: Chat) -> None:
    told = plain(
        await chat.blocks.block(chat.app, "alice", ["BOB", "alice", "nobody", "app_system"])
    )
    assert told["bob"] == {
        "success": True,
        "message": "The user with UID alice has blocked user with UID bob successfully.",
    }
    assert told["alice"]["error"]["code"] == "ERR_CANNOT_BLOCK_SELF"
    assert told["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert told["app_system"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    with pytest.raises(ChathooksError, match="ERR_UID_NOT_FOUND"):
        await chat.blocks.block(chat.app, "nobody", ["bob"])


async def test_what_changes_nothing_fires_nothing(chat: Chat) -> None:
    await chat.blocks.block(chat.app, "alice", ["bob"])
    assert plain(await chat.blocks.block(chat.app, "alice", ["bob"]))["bob"]["success"] is True
    await chat.blocks.block(chat.app, "alice", ["alice", "nobody"])
    await chat.blocks.unblock(chat.app, "alice", ["carol"])
    assert chat.triggers() == ["user_blocked"]


async def test_users_are_seen_with_who_blocks_whom(chat: Chat) -> None:
    await chat.blocks.block(chat.app, "alice", ["bob"])
    bob = plain(await chat.users.get(chat.app, "bob", "alice"))
    assert (bob["blockedByMe"], bob["blockedByMeAt"]) == (True, chat.now_s)
    assert bob["hasBlockedMe"] is False
    page = await chat.users.page(chat.app, UserFilter(), limit=10, offset=0, on_behalf_of="bob")
    seen = {user.uid: (user.blocked_by_me, user.has_blocked_me) for user in page.users}
    assert seen == {
        "alice": (False, True),
        "bob": (None, None),
        "carol": (False, False),
        "dave": (False, False),
    }
    assert (await chat.users.get(chat.app, "bob")).blocked_by_me is None


async def test_the_list_of_blocked_users_is_searched_and_paged(chat: Chat) -> None:
    await chat.blocks.block(chat.app, "alice", ["bob", "carol", "dave"])
    chat.deactivate("dave")
    page = await chat.blocks.page(chat.app, "alice", None, limit=1, offset=1)
    assert ([one.uid for one in page.blocked], page.total) == (["carol"], 2)
    assert page.blocked[0].blocked_by_me is True
    assert page.blocked[0].blocked_by_me_at == chat.now_s
    found = await chat.blocks.page(chat.app, "alice", "BO", limit=10, offset=0)
    assert ([one.uid for one in found.blocked], found.total) == (["bob"], 1)
    assert (await chat.blocks.page(chat.app, "bob", None, limit=10, offset=0)).total == 0
