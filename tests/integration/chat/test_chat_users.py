"""Users on a real store (rest-api.md C2)."""

from typing import Any

import msgspec
import pytest

from chathooks.chat.filters import UserFilter
from chathooks.chat.requests import NewUser, UserChange
from chathooks.chat.views import APP_SYSTEM
from chathooks.kernel.crypto import digest
from chathooks.kernel.errors import ChathooksError
from support import stores
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


async def uids(chat: Chat, limit: int = 100, offset: int = 0, **only: Any) -> list[str]:
    page = await chat.users.page(chat.app, UserFilter(**only), limit=limit, offset=offset)
    return [user.uid for user in page.users]


async def total(chat: Chat, **only: Any) -> int:
    return (await chat.users.page(chat.app, UserFilter(**only), limit=1, offset=0)).total


def refused(code: str) -> Any:
    return pytest.raises(ChathooksError, match=code)


async def test_a_user_is_read_as_it_was_created(chat: Chat) -> None:
    request = msgspec.convert(
        {
            "uid": "Eve-1",
            "name": "Eve",
            "avatar": "https://example.com/eve.png",
            "link": "https://example.com/eve",
            "role": "Guest",
            "statusMessage": "here",
            "metadata": {"@private": {"email": "e@example.com"}, "level": 3},
            "tags": ["a", "b"],
        },
        NewUser,
    )
    created = await chat.users.create(chat.app, request)
    assert plain(created.user) == {
        "uid": "eve-1",
        "name": "Eve",
        "avatar": "https://example.com/eve.png",
        "link": "https://example.com/eve",
        "role": "guest",
        "status": "offline",
        "statusMessage": "here",
        "metadata": {"@private": {"email": "e@example.com"}, "level": 3},
        "tags": ["a", "b"],
        "createdAt": chat.now_s,
    }
    assert plain(await chat.users.get(chat.app, "eve-1")) == plain(created.user)


async def test_private_metadata_reaches_neither_other_users_nor_events(chat: Chat) -> None:
    change = UserChange(metadata={"@private": {"email": "a@example.com"}, "level": 3})
    await chat.users.update(chat.app, "alice", change)
    seen = plain(await chat.users.get(chat.app, "alice", "bob"))
    assert seen["metadata"] == {"level": 3}
    assert seen["conversationId"] == "alice_user_bob"
    await chat.say("hello", by="alice", to="bob")
    assert "a@example.com" not in str(chat.events())


async def test_no_user_call_fires_an_event(chat: Chat) -> None:
    await chat.users.update(chat.app, "alice", UserChange(name="A"))
    assert chat.events() == []


async def test_a_taken_uid_is_refused_whatever_its_case(chat: Chat) -> None:
    with refused("ERR_UID_ALREADY_EXISTS"):
        await chat.users.create(chat.app, NewUser(uid="ALICE", name="x"))
    assert await total(chat) == 4
    with refused("ERR_UID_ALREADY_EXISTS"):
        await chat.users.create(chat.app, NewUser(uid=APP_SYSTEM, name="x"))


async def test_an_auth_token_is_stored_as_its_digest_only(chat: Chat) -> None:
    created = await chat.users.create(
        chat.app, NewUser(uid="eve", name="Eve", with_auth_token=True)
    )
    assert created.auth_token is not None
    assert created.auth_token.startswith(f"eve_{chat.now_s}")
    rows = chat.sql("SELECT digest, created_at FROM auth_tokens")
    assert rows == [(digest(created.auth_token), chat.now_s)]
    assert not stores.current.holds(chat.path, created.auth_token)


async def test_an_update_changes_what_it_names_and_unsets_what_it_unsets(chat: Chat) -> None:
    first = UserChange(
        avatar="https://example.com/a.png", link="https://example.com/a", metadata={"a": 1}
    )
    await chat.users.update(chat.app, "alice", first)
    chat.clock.advance(1_000)
    second = UserChange(name="Al", unset=["avatar", "metadata"])
    updated = plain(await chat.users.update(chat.app, "alice", second))
    assert updated == {
        "uid": "alice",
        "name": "Al",
        "link": "https://example.com/a",
        "role": "default",
        "status": "offline",
        "createdAt": chat.now_s - 1,
        "updatedAt": chat.now_s,
    }
    assert plain(await chat.users.get(chat.app, "alice")) == updated


async def test_updates_that_cannot_be_made_are_refused_and_change_nothing(chat: Chat) -> None:
    before = chat.sql("SELECT * FROM users")
    with refused("ERR_UID_NOT_FOUND"):
        await chat.users.update(chat.app, "nobody", UserChange(name="x"))
    with refused("ERR_PERMISSION_DENIED"):
        await chat.users.update(chat.app, APP_SYSTEM, UserChange(name="x"))
    with refused("ERR_BAD_REQUEST"):
        await chat.users.update(chat.app, "alice", UserChange())
    with refused("ERR_BAD_REQUEST"):
        await chat.users.update(chat.app, "alice", UserChange(avatar="file:///etc/passwd"))
    with refused("ERR_INVALID_METADATA"):
        await chat.users.update(chat.app, "alice", UserChange(metadata={"a": "x" * 6_000}))
    assert chat.sql("SELECT * FROM users") == before


async def test_users_are_listed_by_uid_in_pages_without_the_built_in_one(chat: Chat) -> None:
    assert await uids(chat) == ["alice", "bob", "carol", "dave"]
    assert await uids(chat, limit=2, offset=2) == ["carol", "dave"]
    assert await total(chat) == 4


async def test_a_search_finds_beginnings_of_uids_and_names(chat: Chat) -> None:
    await chat.users.create(chat.app, NewUser(uid="x1", name="Ålice"))
    await chat.users.create(chat.app, NewUser(uid="x2", name="Carl"))
    assert await uids(chat, search="CAR") == ["carol", "x2"]
    assert await uids(chat, search="åL") == ["x1"]
    assert await uids(chat, search="car", search_name=False) == ["carol"]
    assert await uids(chat, search="x", search_uid=False) == []
    assert await uids(chat, search="%") == []
    assert await total(chat, search="car") == 2


async def test_roles_and_tags_narrow_the_list(chat: Chat) -> None:
    await chat.users.update(chat.app, "bob", UserChange(role="vip", tags=["x", "y"]))
    await chat.users.update(chat.app, "carol", UserChange(tags=["y"]))
    assert await uids(chat, roles=("vip",)) == ["bob"]
    assert await uids(chat, tags=("y",)) == ["bob", "carol"]
    await chat.users.update(chat.app, "bob", UserChange(tags=["z"]))
    assert await uids(chat, tags=("x", "y")) == ["carol"]


async def test_tags_are_listed_only_where_asked_for(chat: Chat) -> None:
    await chat.users.update(chat.app, "bob", UserChange(tags=["x"]))
    only = UserFilter(search="bob")
    without = await chat.users.page(chat.app, only, limit=1, offset=0)
    with_tags = await chat.users.page(chat.app, only, limit=1, offset=0, with_tags=True)
    assert "tags" not in plain(without.users[0])
    assert plain(with_tags.users[0])["tags"] == ["x"]


async def test_a_deactivated_user_is_not_found_and_listed_only_on_request(chat: Chat) -> None:
    chat.deactivate("bob")
    with refused("ERR_UID_NOT_FOUND"):
        await chat.users.get(chat.app, "bob")
    with refused("ERR_UID_NOT_FOUND"):
        await chat.say("hello", by="alice", to="bob")
    with refused("ERR_UID_NOT_FOUND"):
        await chat.say("hello", by="bob", to="alice")
    assert await uids(chat) == ["alice", "carol", "dave"]
    assert await uids(chat, deactivated=True) == ["bob"]
    assert len(await uids(chat, deactivated=None)) == 4
    counts = [await total(chat, deactivated=which) for which in (False, True, None)]
    assert counts == [3, 1, 4]


async def test_apps_do_not_see_each_others_users(chat: Chat) -> None:
    chat.sql("INSERT INTO apps (id, name, region, created_at) VALUES ('other', '', 'us', 0)")
    other = chat.sql("SELECT app FROM apps WHERE id = 'other'")[0][0]
    with refused("ERR_UID_NOT_FOUND"):
        await chat.users.get(other, "alice")
    await chat.users.create(other, NewUser(uid="alice", name="Other"))
    page = await chat.users.page(other, UserFilter(), limit=10, offset=0)
    assert [user.name for user in page.users] == ["Other"]
    assert (await chat.users.get(chat.app, "alice")).name == "Alice"


@pytest.mark.only("sqlite")
async def test_no_list_of_users_sorts_or_scans_the_whole_table(chat: Chat) -> None:
    """The plain page and the searches run along indexes."""
    plans = {
        "page": (
            "SELECT user FROM users AS u WHERE app = 1 AND built_in = 0 "
            "AND deactivated_at IS NULL ORDER BY uid LIMIT 10"
        ),
        "uid": "SELECT 1 FROM users WHERE app = 1 AND uid >= 'a' AND uid < 'b'",
        "name": "SELECT 1 FROM users WHERE app = 1 AND name_folded >= 'a' AND name_folded < 'b'",
    }
    for statement in plans.values():
        steps = [row[-1] for row in chat.sql(f"EXPLAIN QUERY PLAN {statement}")]
        assert all("SEARCH" in step for step in steps), steps
