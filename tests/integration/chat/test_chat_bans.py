"""Bans: what a ban ends, who may lift it, what it keeps out (rest-api.md C6, C7, C8)."""

import pytest

from chathooks.chat.requests import MemberUids, NewGroup
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


async def banned(chat: Chat, guid: str = "g") -> list[str]:
    page = await chat.bans.page(chat.app, guid, limit=10, offset=0)
    assert page.total == len(page.banned)
    return [one.uid for one in page.banned]


async def test_a_ban_ends_the_membership_and_keeps_the_user_out_until_it_is_lifted(
    chat: Chat,
) -> None:
    await chat.add_group("g", owner="alice", moderators=["bob"])
    await chat.bans.ban(chat.app, "g", "bob", "alice")
    page = await chat.members.page(chat.app, "g", (), limit=10, offset=0)
    assert [one.uid for one in page.members] == ["alice"]
    (listed,) = (await chat.bans.page(chat.app, "g", limit=10, offset=0)).banned
    assert (listed.uid, listed.scope, listed.is_banned) == ("bob", "moderator", True)
    assert listed.banned_at == chat.now_s
    wanted = MemberUids(participants=["bob"])
    refused = plain(await chat.members.add(chat.app, "g", wanted))
    assert refused["participants"]["bob"]["error"]["code"] == "ERR_BANNED_GROUPMEMBER"
    await chat.bans.unban(chat.app, "g", "bob", "alice")
    assert await banned(chat) == []
    added = plain(await chat.members.add(chat.app, "g", wanted))
    assert added["participants"]["bob"]["success"] is True


@pytest.mark.parametrize(
    ("uid", "by", "code"),
    [
        ("nobody", None, "ERR_UID_NOT_FOUND"),
        ("dave", None, "ERR_NOT_A_MEMBER"),
        ("alice", None, "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("bob", "bob", "ERR_GROUP_NO_SELF_ACTION"),
        ("bob", "carol", "ERR_GROUP_NO_MODERATOR_SCOPE"),
        ("alice", "bob", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("bob", "dave", "ERR_GROUP_NOT_JOINED"),
    ],
)
async def test_a_refused_ban_changes_nothing(
    chat: Chat, uid: str, by: str | None, code: str
) -> None:
    await chat.add_group("g", owner="alice", moderators=["bob"], participants=["carol"])
    events = chat.triggers()
    with pytest.raises(ChathooksError, match=code):
        await chat.bans.ban(chat.app, "g", uid, by)
    assert await banned(chat) == []
    assert chat.triggers() == events


async def test_a_user_is_banned_once_and_only_the_banned_are_unbanned(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob", "carol"])
    await chat.bans.ban(chat.app, "g", "bob")
    events = chat.triggers()
    with pytest.raises(ChathooksError, match="ERR_ALREADY_BANNED"):
        await chat.bans.ban(chat.app, "g", "bob")
    with pytest.raises(ChathooksError, match="ERR_NOT_A_BANNED_USER"):
        await chat.bans.unban(chat.app, "g", "carol")
    with pytest.raises(ChathooksError, match="ERR_GROUP_NO_MODERATOR_SCOPE"):
        await chat.bans.unban(chat.app, "g", "bob", "carol")
    with pytest.raises(ChathooksError, match="ERR_GROUP_NO_MODERATOR_SCOPE"):
        await chat.bans.page(chat.app, "g", limit=10, offset=0, on_behalf_of="carol")
    assert chat.triggers() == events


async def test_users_to_ban_are_banned_whether_members_or_not(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    wanted = MemberUids(users_to_ban=["bob", "carol", "alice", "nobody"], participants=["dave"])
    results = plain(await chat.members.add(chat.app, "g", wanted, "alice"))
    told = results["usersToBan"]
    assert told["bob"] == told["carol"] == {"success": True}
    assert told["alice"]["error"]["code"] == "ERR_GROUP_NO_SCOPE_CLEARANCE"
    assert told["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert results["participants"]["dave"]["success"] is True
    assert await banned(chat) == ["bob", "carol"]
    assert (await chat.groups.get(chat.app, "g")).members_count == 2
    again = MemberUids(users_to_ban=["bob"])
    refused = plain(await chat.members.add(chat.app, "g", again))
    assert refused["usersToBan"]["bob"]["error"]["code"] == "ERR_ALREADY_BANNED"


async def test_a_group_may_begin_with_bans(chat: Chat) -> None:
    wanted = MemberUids(participants=["bob", "carol"], users_to_ban=["carol", "dave"])
    request = NewGroup(guid="g", name="G", owner="alice", members=wanted)
    created = await chat.groups.create(chat.app, request)
    assert created.group.members_count == 3
    assert await banned(chat) == ["dave"]
    assert chat.triggers() == ["group_created", "group_member_banned"]


async def test_a_deleted_groups_bans_go_with_it(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    await chat.bans.ban(chat.app, "g", "bob")
    await chat.groups.delete(chat.app, "g")
    await chat.upkeep.round()
    assert chat.sql("SELECT * FROM bans") == []
    await chat.add_group("g", owner="alice", participants=["bob"])
    assert await banned(chat) == []
