"""Groups and members on a real store (rest-api.md C6, C7, C9)."""

from typing import Any

import pytest

from chathooks.chat import admission, groups, limits
from chathooks.chat.filters import GroupFilter
from chathooks.chat.passwords import password_matches
from chathooks.chat.requests import GroupChange, MemberUids, NewGroup
from chathooks.chat.views import APP_SYSTEM
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


def refused(code: str) -> Any:
    return pytest.raises(ChathooksError, match=code)


async def members(chat: Chat, guid: str, *scopes: Any) -> dict[str, str]:
    """Scopes of the members by uid."""
    page = await chat.members.page(chat.app, guid, scopes, limit=1000, offset=0)
    assert page.total == len(page.members)
    return {member.uid: str(member.scope) for member in page.members}


async def guids(chat: Chat, obo: str | None = None, **only: Any) -> list[str]:
    page = await chat.groups.page(
        chat.app, GroupFilter(**only), limit=1000, offset=0, on_behalf_of=obo
    )
    assert page.total == len(page.groups)
    return [group.guid for group in page.groups]


async def test_the_owner_is_the_acting_user_else_the_named_one_else_the_app(chat: Chat) -> None:
    requests = [NewGroup(guid=f"g{n}", name="x", owner="bob") for n in range(2)]
    by_user = await chat.groups.create(chat.app, requests[0], "alice")
    by_app = await chat.groups.create(chat.app, requests[1])
    alone = await chat.groups.create(chat.app, NewGroup(guid="g2", name="x"))
    owners = [created.group.owner for created in (by_user, by_app, alone)]
    assert owners == ["alice", "bob", APP_SYSTEM]
    for created in (by_user, by_app, alone):
        shown = plain(created.group)
        assert (shown["scope"], shown["hasJoined"], shown["membersCount"]) == ("admin", True, 1)
        assert shown["joinedAt"] == shown["createdAt"] == chat.now_s
    assert await members(chat, "g0") == {"alice": "admin"}


async def test_a_uid_in_several_arrays_gets_the_highest_scope(chat: Chat) -> None:
    request = NewGroup(
        guid="g",
        name="g",
        owner="alice",
        members=MemberUids(
            participants=["bob", "carol", "dave"], moderators=["carol", "dave"], admins=["DAVE"]
        ),
    )
    created = await chat.groups.create(chat.app, request)
    assert await members(chat, "g") == {
        "alice": "admin",
        "bob": "participant",
        "carol": "moderator",
        "dave": "admin",
    }
    assert {array: list(results) for array, results in (created.members or {}).items()} == {
        "admins": ["dave"],
        "moderators": ["carol"],
        "participants": ["bob"],
    }
    assert created.group.members_count == 4


async def test_members_that_fail_do_not_fail_the_creation(chat: Chat) -> None:
    request = NewGroup(
        guid="g", name="g", owner="alice", members=MemberUids(admins=["alice", "nobody", "bob"])
    )
    created = await chat.groups.create(chat.app, request)
    results = plain(created.members)["admins"]
    assert results["alice"]["error"]["code"] == "ERR_ALREADY_JOINED"
    assert results["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert results["bob"]["success"] is True
    assert created.group.members_count == 2


async def test_creations_that_are_refused_leave_nothing(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    before = chat.events()
    refusals = [
        ("ERR_GUID_ALREADY_EXISTS", NewGroup(guid="G", name="x")),
        ("ERR_UID_NOT_FOUND", NewGroup(guid="h", name="x", owner="nobody")),
        ("ERR_EMPTY_GROUP_PASS", NewGroup(guid="h", name="x", type="password")),
        ("ERR_BAD_REQUEST", NewGroup(guid="h", name="x", password="p")),
        ("ERR_BAD_REQUEST", NewGroup(guid="h", name="x", icon="no address")),
        ("ERR_INVALID_METADATA", NewGroup(guid="h", name="x", metadata={"a": "x" * 6_000})),
        (
            "ERR_BAD_REQUEST",
            NewGroup(
                guid="h", name="x", members=MemberUids(participants=[f"u{n}" for n in range(26)])
            ),
        ),
    ]
    for code, request in refusals:
        with refused(code):
            await chat.groups.create(chat.app, request)
    with refused("ERR_UID_NOT_FOUND"):
        await chat.groups.create(chat.app, NewGroup(guid="h", name="x"), "nobody")
    assert chat.events() == before
    assert await guids(chat) == ["g"]


async def test_a_password_is_kept_as_a_hash_and_goes_with_the_type(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", type="password", password="secret")
    ((hashed,),) = chat.sql("SELECT password_hash FROM chat_groups")
    assert password_matches("secret", hashed)
    await chat.groups.update(chat.app, "g", GroupChange(name="still protected"))
    assert chat.sql("SELECT password_hash FROM chat_groups") == [(hashed,)]
    await chat.groups.update(chat.app, "g", GroupChange(type="public"))
    assert chat.sql("SELECT type, password_hash FROM chat_groups") == [("public", None)]
    with refused("ERR_EMPTY_GROUP_PASS"):
        await chat.groups.update(chat.app, "g", GroupChange(type="password"))
    with refused("ERR_BAD_REQUEST"):
        await chat.groups.update(chat.app, "g", GroupChange(password="p"))
    await chat.groups.update(chat.app, "g", GroupChange(type="password", password="new"))
    ((hashed,),) = chat.sql("SELECT password_hash FROM chat_groups")
    assert password_matches("new", hashed)
    assert "secret" not in str(chat.events())


async def test_who_may_update_and_delete_a_group(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", moderators=["bob"], participants=["carol"])
    change = GroupChange(name="n")
    for uid, code in (
        ("carol", "ERR_GROUP_NO_MODERATOR_SCOPE"),
        ("dave", "ERR_GROUP_NOT_JOINED"),
        ("nobody", "ERR_UID_NOT_FOUND"),
    ):
        with refused(code):
            await chat.groups.update(chat.app, "g", change, uid)
    for uid, code in (("bob", "ERR_GROUP_NO_ADMIN_SCOPE"), ("dave", "ERR_GROUP_NOT_JOINED")):
        with refused(code):
            await chat.groups.delete(chat.app, "g", uid)
    with refused("ERR_GUID_NOT_FOUND"):
        await chat.groups.update(chat.app, "none", change)
    with refused("ERR_GUID_NOT_FOUND"):
        await chat.groups.delete(chat.app, "none")
    with refused("ERR_BAD_REQUEST"):
        await chat.groups.update(chat.app, "g", GroupChange())
    assert chat.triggers() == ["group_created"]
    await chat.groups.update(chat.app, "g", change, "bob")
    await chat.groups.delete(chat.app, "g", "alice")
    assert chat.triggers() == ["group_created", "group_updated", "group_deleted"]


async def test_an_owner_in_an_update_is_ignored_when_acting_for_a_user(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    updated = await chat.groups.update(chat.app, "g", GroupChange(owner="bob"), "alice")
    assert updated.owner == "alice"
    assert chat.triggers() == ["group_created", "group_updated"]


async def test_only_an_active_member_becomes_owner(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    with refused("ERR_NOT_A_MEMBER"):
        await chat.groups.update(chat.app, "g", GroupChange(owner="bob"))
    with refused("ERR_UID_NOT_FOUND"):
        await chat.groups.update(chat.app, "g", GroupChange(owner="nobody"))
    assert (await chat.groups.get(chat.app, "g")).owner == "alice"
    assert chat.triggers() == ["group_created"]


async def test_a_guid_that_is_used_again_revives_neither_members_nor_messages(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    old = await chat.say("old", by="bob", to="g", group=True)
    await chat.groups.delete(chat.app, "g")
    with refused("ERR_GUID_NOT_FOUND"):
        await chat.groups.get(chat.app, "g")
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.history.get(chat.app, old.id)
    assert await guids(chat) == []
    assert await guids(chat, "bob", joined=True) == []
    await chat.add_group("g", owner="carol")
    assert await members(chat, "g") == {"carol": "admin"}
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.say("hi", by="bob", to="g", group=True)


async def test_the_rows_of_deleted_groups_go_in_batches(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MEMBERS_REMOVED_PER_BATCH", 1)
    await chat.add_group("gone", owner="alice", participants=["bob", "carol"])
    await chat.add_group("kept", owner="alice")
    await chat.groups.delete(chat.app, "gone")
    removed = []
    while rows := await chat.groups.purge(2):
        removed.append(rows)
    assert max(removed) <= 2
    assert 1 + sum(removed) == 3 + 2 + 1  # members, action messages, the group
    assert chat.sql("SELECT guid, members_count FROM chat_groups") == [("kept", 1)]
    assert chat.sql("SELECT count(*) FROM members") == [(1,)]
    assert chat.sql("SELECT count(*) FROM messages") == [(0,)]


async def test_a_small_group_leaves_no_rows_when_it_is_deleted(chat: Chat) -> None:
    await chat.add_group("gone", owner="alice", participants=["bob"], tags=["x"])
    await chat.say("hello", by="bob", to="gone", group=True)
    await chat.groups.delete(chat.app, "gone")
    assert await chat.groups.purge() == 0
    for table in ("chat_groups", "members", "messages", "group_tags"):
        assert chat.sql(f"SELECT count(*) FROM {table}") == [(0,)]
    assert chat.sql("SELECT value FROM chat_counters WHERE name = 'groups'") == [(0,)]


async def test_groups_are_found_filtered_and_sorted(chat: Chat) -> None:
    await chat.add_group("b", owner="alice", tags=["x"])
    await chat.add_group("a", owner="bob", type="private")
    await chat.add_group("c", owner="alice", type="password", password="p")
    assert await guids(chat) == ["a", "b", "c"]
    assert await guids(chat, sort="createdAt", descending=True) == ["c", "a", "b"]
    assert await guids(chat, sort="name", descending=True) == ["c", "b", "a"]
    assert await guids(chat, search="B") == ["b"]
    assert await guids(chat, search="c", search_guid=False) == ["c"]
    assert await guids(chat, types=("private", "password")) == ["a", "c"]
    assert await guids(chat, tags=("x",)) == ["b"]
    assert await guids(chat, "alice") == ["b", "c"]
    assert await guids(chat, "bob", joined=True) == ["a"]


async def test_a_private_group_is_seen_by_its_members_alone(chat: Chat) -> None:
    await chat.add_group("p", owner="alice", type="private")
    await chat.add_group("o", owner="alice")
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.groups.get(chat.app, "p", "bob")
    assert (await chat.groups.get(chat.app, "p", "alice")).scope == "admin"
    seen = plain(await chat.groups.get(chat.app, "o", "bob"))
    assert seen["hasJoined"] is False
    assert "scope" not in seen
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.members.page(chat.app, "o", (), limit=10, offset=0, on_behalf_of="bob")


async def test_adding_members_needs_membership_and_scope(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", moderators=["bob"], participants=["carol"])
    before = chat.events()
    wanted = MemberUids(participants=["dave"])
    for uid, code in (("dave", "ERR_GROUP_NOT_JOINED"), ("carol", "ERR_GROUP_NO_MODERATOR_SCOPE")):
        with refused(code):
            await chat.members.add(chat.app, "g", wanted, uid)
    with refused("ERR_GUID_NOT_FOUND"):
        await chat.members.add(chat.app, "none", wanted)
    with refused("ERR_BAD_REQUEST"):
        await chat.members.add(chat.app, "g", MemberUids())
    results = plain(await chat.members.add(chat.app, "g", MemberUids(admins=["dave"]), "bob"))
    assert results["admins"]["dave"]["error"]["code"] == "ERR_GROUP_NO_SCOPE_CLEARANCE"
    assert chat.events() == before
    await chat.members.add(chat.app, "g", wanted, "bob")
    assert (await members(chat, "g"))["dave"] == "participant"


async def test_who_may_kick_whom(chat: Chat) -> None:
    await chat.add_users("erin")
    await chat.add_group(
        "g", owner="alice", admins=["bob"], moderators=["carol"], participants=["dave"]
    )
    before = chat.events()
    for actor, target, code in (
        ("erin", "dave", "ERR_GROUP_NOT_JOINED"),
        ("dave", "carol", "ERR_GROUP_NO_MODERATOR_SCOPE"),
        ("carol", "bob", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("bob", "alice", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("bob", "bob", "ERR_GROUP_NO_SELF_ACTION"),
        ("bob", "erin", "ERR_NOT_A_MEMBER"),
        ("bob", "nobody", "ERR_UID_NOT_FOUND"),
        (None, "alice", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        (None, "erin", "ERR_NOT_A_MEMBER"),
    ):
        with refused(code):
            await chat.members.kick(chat.app, "g", target, actor)
    assert chat.events() == before
    await chat.members.kick(chat.app, "g", "dave", "carol")
    await chat.members.kick(chat.app, "g", "carol", "bob")
    await chat.members.kick(chat.app, "g", "bob", "alice")
    assert await members(chat, "g") == {"alice": "admin"}


async def test_who_may_change_whose_scope(chat: Chat) -> None:
    await chat.add_group(
        "g", owner="alice", admins=["bob"], moderators=["carol"], participants=["dave"]
    )
    before = chat.events()
    for actor, target, scope, code in (
        ("carol", "dave", "admin", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("carol", "bob", "participant", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        ("dave", "carol", "participant", "ERR_GROUP_NO_MODERATOR_SCOPE"),
        ("bob", "bob", "moderator", "ERR_GROUP_NO_SELF_ACTION"),
        ("bob", "carol", "moderator", "ERR_SAME_SCOPE"),
        (None, "alice", "participant", "ERR_GROUP_NO_SCOPE_CLEARANCE"),
        (None, "dave", "participant", "ERR_SAME_SCOPE"),
        (None, "nobody", "admin", "ERR_UID_NOT_FOUND"),
    ):
        with refused(code):
            await chat.members.change_scope(chat.app, "g", target, scope, actor)  # type: ignore[arg-type]  # a literal of the table above
    assert chat.events() == before
    await chat.members.change_scope(chat.app, "g", "dave", "moderator", "carol")
    await chat.members.change_scope(chat.app, "g", "bob", "participant", "alice")
    assert (await members(chat, "g", "moderator")).keys() == {"carol", "dave"}


async def test_the_members_count_is_that_of_the_rows_after_any_change(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob", "nobody"])
    await chat.members.add(chat.app, "g", MemberUids(participants=["carol", "carol", "dave"]))
    await chat.members.kick(chat.app, "g", "bob")
    await chat.members.change_scope(chat.app, "g", "carol", "admin")
    ((count,),) = chat.sql("SELECT count(*) FROM members")
    assert chat.sql("SELECT members_count FROM chat_groups") == [(count,)] == [(3,)]


async def test_a_full_group_takes_nobody_in(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "GROUP_MEMBERS_MAX", 2)
    await chat.add_group("g", owner="alice")
    results = plain(
        await chat.members.add(chat.app, "g", MemberUids(participants=["bob", "carol"]))
    )
    assert results["participants"]["bob"]["success"] is True
    error = results["participants"]["carol"]["error"]
    assert error["code"] == "ERR_PLAN_QUOTA_RESTRICTION"


async def test_a_user_is_in_at_most_2000_groups_that_exist(chat: Chat) -> None:
    ((bob,),) = chat.sql("SELECT user FROM users WHERE uid = 'bob'")
    chat.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO chat_groups (app, guid, name, name_folded, type, owner, members_count, "
        "created_at) SELECT 1, 'many-' || i, '', '', 'public', 'bob', 1, 0 FROM n",
        limits.GROUPS_PER_USER_MAX,
    )
    chat.sql(
        "INSERT INTO members (group_key, user, scope, joined_at) "
        "SELECT group_key, ?, 'admin', 0 FROM chat_groups",
        bob,
    )
    await chat.add_group("g", owner="alice")
    wanted = MemberUids(participants=["bob"])
    results = plain(await chat.members.add(chat.app, "g", wanted))
    assert results["participants"]["bob"]["error"]["code"] == "ERR_PLAN_QUOTA_RESTRICTION"
    with refused("ERR_PLAN_QUOTA_RESTRICTION"):
        await chat.groups.create(chat.app, NewGroup(guid="h", name="h"), "bob")
    await chat.groups.delete(chat.app, "many-1")
    results = plain(await chat.members.add(chat.app, "g", wanted))
    assert results["participants"]["bob"]["success"] is True
