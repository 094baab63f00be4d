"""Users who go: what ends at once, what ends in batches, what stays (rest-api.md C2, delivery contract §5, §7)."""

import pytest

from chathooks.chat.departures import MEMBERSHIPS_PER_STEP
from chathooks.chat.filters import UserFilter
from chathooks.chat.requests import NewUser
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio


async def listed(chat: Chat, *, deactivated: bool | None = False) -> list[str]:
    page = await chat.users.page(chat.app, UserFilter(deactivated=deactivated), limit=100, offset=0)
    assert page.total == len(page.users)
    return [user.uid for user in page.users]


async def test_a_deactivated_user_is_not_found_and_in_no_group(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    done = await chat.departures.deactivate(chat.app, ["BOB", "nobody", "bob"])
    assert done == ["bob"]
    assert (await chat.groups.get(chat.app, "g")).members_count == 1
    assert await listed(chat) == ["alice", "carol", "dave"]
    assert await listed(chat, deactivated=True) == ["bob"]
    for attempt in (
        lambda: chat.users.get(chat.app, "bob"),
        lambda: chat.say("x", by="alice", to="bob"),
        lambda: chat.say("x", by="bob", to="alice"),
        lambda: chat.groups.get(chat.app, "g", "bob"),
        lambda: chat.blocks.block(chat.app, "bob", ["alice"]),
        lambda: chat.departures.delete(chat.app, "bob", permanent=False),
    ):
        with pytest.raises(ChathooksError, match="ERR_UID_NOT_FOUND"):
            await attempt()


async def test_a_user_who_is_activated_again_begins_without_groups(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    await chat.departures.deactivate(chat.app, ["bob"])
    active = await chat.departures.reactivate(chat.app, ["bob", "alice", "nobody", "app_system"])
    assert active == ["bob", "alice"]
    assert (await chat.users.get(chat.app, "bob")).deactivated_at is None
    with pytest.raises(ChathooksError, match="ERR_GROUP_NOT_JOINED"):
        await chat.say("x", by="bob", to="g", group=True)
    assert await listed(chat) == ["alice", "bob", "carol", "dave"]


async def test_many_memberships_end_in_batches_each_told_once(chat: Chat) -> None:
    guids = [f"g{number:03}" for number in range(2 * MEMBERSHIPS_PER_STEP + 5)]
    for guid in guids:
        await chat.add_group(guid, owner="alice", participants=["bob"])
    before = len(chat.events())
    await chat.departures.deactivate(chat.app, ["bob"])
    assert len(chat.events()) == before + MEMBERSHIPS_PER_STEP
    with pytest.raises(ChathooksError, match="ERR_OPERATION_FAILED"):
        await chat.departures.reactivate(chat.app, ["bob"])
    assert await chat.departures.cascade(10) == 10
    await chat.upkeep.round()
    assert await chat.departures.cascade() == 0
    told = chat.events()[before:]
    assert {event.trigger for event in told} == {"group_member_removed"}
    assert sorted(event.data["group"]["guid"] for event in told) == guids
    assert chat.sql("SELECT * FROM departures") == []
    assert await chat.departures.reactivate(chat.app, ["bob"]) == ["bob"]


async def test_the_app_inherits_the_groups_of_a_user_who_goes(chat: Chat) -> None:
    await chat.add_group("g", owner="bob", participants=["alice"])
    await chat.departures.deactivate(chat.app, ["bob"])
    assert chat.triggers()[-2:] == ["group_owner_transferred", "group_member_removed"]
    transferred = chat.events()[-2].data["group"]
    assert (transferred["owner"], transferred["oldOwner"]) == ("app_system", "bob")
    group = await chat.groups.get(chat.app, "g")
    assert (group.owner, group.members_count) == ("app_system", 2)
    scopes = chat.sql("SELECT scope FROM members JOIN users USING (user) WHERE uid = 'app_system'")
    assert scopes == [("admin",)]


async def test_a_permanent_deletion_leaves_the_messages_and_frees_the_uid(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    sent = await chat.say("hi", by="bob", to="alice")
    await chat.departures.delete(chat.app, "bob", permanent=True)
    message = plain(await chat.history.get(chat.app, sent.id))
    assert message["data"]["text"] == "hi"
    assert message["sender"] != "bob"
    assert message["data"]["entities"]["sender"]["entity"]["name"] == "Deleted user"
    removed = chat.events()[-1]
    assert (removed.trigger, set(removed.data["members"])) == ("group_member_removed", {"bob"})
    assert await listed(chat, deactivated=None) == ["alice", "carol", "dave"]
    await chat.users.create(chat.app, NewUser(uid="bob", name="Another"))
    with pytest.raises(ChathooksError, match="ERR_MESSAGE_NOT_A_SENDER"):
        await chat.messages.delete(chat.app, sent.id, permanent=False, on_behalf_of="bob")
    assert await listed(chat) == ["alice", "bob", "carol", "dave"]


async def test_a_deactivated_user_may_be_deleted_for_good_and_never_comes_back(
    chat: Chat,
) -> None:
    await chat.departures.delete(chat.app, "bob", permanent=False)
    assert await listed(chat, deactivated=True) == ["bob"]
    await chat.departures.delete(chat.app, "bob", permanent=True)
    assert await listed(chat, deactivated=True) == []
    assert await chat.departures.reactivate(chat.app, ["bob"]) == []
    with pytest.raises(ChathooksError, match="ERR_UID_NOT_FOUND"):
        await chat.departures.delete(chat.app, "bob", permanent=True)


async def test_a_user_who_is_erased_in_batches_keeps_the_uid_until_the_end(chat: Chat) -> None:
    for number in range(MEMBERSHIPS_PER_STEP + 1):
        await chat.add_group(f"g{number}", owner="bob")
    await chat.departures.delete(chat.app, "bob", permanent=True)
    with pytest.raises(ChathooksError, match="ERR_UID_ALREADY_EXISTS"):
        await chat.users.create(chat.app, NewUser(uid="bob", name="Another"))
    await chat.upkeep.round()
    await chat.users.create(chat.app, NewUser(uid="bob", name="Another"))
    removed = [event for event in chat.events() if event.trigger == "group_member_removed"]
    assert len(removed) == MEMBERSHIPS_PER_STEP + 1
    assert all(set(event.data["members"]) == {"bob"} for event in removed)


async def test_the_built_in_user_stays(chat: Chat) -> None:
    with pytest.raises(ChathooksError, match="ERR_PERMISSION_DENIED"):
        await chat.departures.delete(chat.app, "app_system", permanent=True)
    with pytest.raises(ChathooksError, match="ERR_PERMISSION_DENIED"):
        await chat.departures.deactivate(chat.app, ["alice", "app_system"])
    assert "alice" in await listed(chat)


async def test_tokens_go_with_their_user(chat: Chat) -> None:
    await chat.users.create(chat.app, NewUser(uid="erin", name="Erin", with_auth_token=True))
    await chat.departures.deactivate(chat.app, ["erin"])
    assert chat.sql("SELECT * FROM auth_tokens") == []
