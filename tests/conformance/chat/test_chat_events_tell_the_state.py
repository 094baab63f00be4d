"""For each command of chat: its event's data is the committed state; no state without event, and the reverse.

Delivery contract §3.1, §3.5, §5; rest-api.md D2.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from chathooks.chat.reactions import ReactionWindow
from chathooks.chat.requests import (
    GroupChange,
    MemberUids,
    MessageChange,
    NewContent,
    NewGroup,
    SendMessage,
)
from chathooks.chat.views import APP_SYSTEM
from chathooks.kernel.errors import ChathooksError
from chathooks_events.catalog import TRIGGERS
from support import stores
from support.chat import Chat, Event, plain

pytestmark = pytest.mark.anyio

Command = Callable[[Chat], Awaitable[Any]]


async def last_events(chat: Chat, command: Awaitable[Any]) -> tuple[list[Event], Any]:
    """What the command appended, each decodable as its trigger's payload, and what it answered."""
    before = len(chat.events())
    answer = await command
    events = chat.events()[before:]
    for event in events:
        msgspec.convert(event.data, TRIGGERS[event.trigger].data_type)
    return events, answer


async def group_state(chat: Chat, guid: str) -> Any:
    """The group as it is read, in the form that events have."""
    return {**plain(await chat.groups.get(chat.app, guid)), "onlineMembersCount": 0}


async def test_message_sent_carries_the_message_as_it_is_read(chat: Chat) -> None:
    events, answer = await last_events(
        chat, chat.say("hello", by="alice", to="bob", muid="m-1", tags=["t"])
    )
    (event,) = events
    assert event.trigger == "message_sent"
    assert event.stream == "user/alice/bob"
    assert event.data == {"message": plain(answer)}
    assert event.data == {"message": plain(await chat.history.get(chat.app, answer.id))}
    assert event.data["message"]["muid"] == "m-1"
    assert event.data["message"]["conversationId"] == "alice_user_bob"


async def test_a_group_message_is_told_in_the_groups_stream(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    events, answer = await last_events(chat, chat.say("hi", by="bob", to="g", group=True))
    (event,) = events
    assert (event.trigger, event.stream) == ("message_sent", "group/g")
    assert event.data == {"message": plain(await chat.history.get(chat.app, answer.id))}


async def test_user_mentioned_fires_once_besides_message_sent_with_the_same_message(
    chat: Chat,
) -> None:
    text = "<@uid:bob> <@uid:CAROL> <@uid:bob> <@uid:nobody>"
    events, answer = await last_events(chat, chat.say(text, by="alice", to="bob"))
    assert [event.trigger for event in events] == ["message_sent", "user_mentioned"]
    assert events[0].data == events[1].data
    assert set(events[1].data["message"]["data"]["mentions"]) == {"bob", "carol"}
    assert events[0].data == {"message": plain(await chat.history.get(chat.app, answer.id))}
    assert [event.sequence for event in events] == [1, 2]


async def test_message_edited_carries_the_message_under_its_own_id(chat: Chat) -> None:
    sent = await chat.say("hello", by="alice", to="bob", tags=["old"])
    chat.clock.advance(5_000)
    change = MessageChange(data=NewContent(text="bye <@uid:bob>"), tags=["new"])
    events, answer = await last_events(chat, chat.messages.edit(chat.app, sent.id, change, "alice"))
    (event,) = events
    assert (event.trigger, event.stream) == ("message_edited", "user/alice/bob")
    message = event.data["message"]
    assert message == plain(await chat.history.get(chat.app, sent.id))
    assert message["id"] == sent.id
    assert (message["editedAt"], message["editedBy"]) == (chat.now_s, "alice")
    assert message["data"]["text"] == "bye <@uid:bob>"
    assert message["tags"] == ["new"]
    action = plain(answer)
    assert (action["category"], action["type"]) == ("action", "message")
    assert action["data"]["action"] == "edited"
    assert int(action["id"]) > int(sent.id)
    assert action["data"]["entities"]["on"] == {"entity": message, "entityType": "message"}
    assert action["data"]["entities"]["by"]["entity"]["uid"] == "alice"
    assert action["data"]["entities"]["for"]["entity"]["uid"] == "bob"


async def test_message_deleted_carries_the_message_without_its_text(chat: Chat) -> None:
    sent = await chat.say("secret", by="alice", to="bob")
    chat.clock.advance(5_000)
    events, answer = await last_events(
        chat, chat.messages.delete(chat.app, sent.id, permanent=False, on_behalf_of="alice")
    )
    (event,) = events
    assert event.trigger == "message_deleted"
    message = event.data["message"]
    assert message == plain(await chat.history.get(chat.app, sent.id))
    assert (message["deletedAt"], message["deletedBy"]) == (chat.now_s, "alice")
    assert "secret" not in str(message)
    assert "secret" not in str(plain(answer))
    assert message["data"]["entities"]["sender"]["entity"]["uid"] == "alice"


async def test_a_permanent_deletion_tells_no_more_than_the_contract_names(chat: Chat) -> None:
    sent = await chat.say("secret", by="alice", to="bob")
    events, answer = await last_events(
        chat, chat.messages.delete(chat.app, sent.id, permanent=True)
    )
    (event,) = events
    assert event.data == {
        "message": {
            "id": sent.id,
            "conversationId": "alice_user_bob",
            "sender": "alice",
            "receiver": "bob",
            "deletedAt": chat.now_s,
            "deletedBy": APP_SYSTEM,
        }
    }
    assert plain(answer)["data"]["entities"]["on"]["entity"] == event.data["message"]
    assert chat.sql("SELECT count(*) FROM messages") == [(0,)]
    with pytest.raises(ChathooksError, match="ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.history.get(chat.app, sent.id)


async def test_group_created_carries_the_group_as_its_owner_reads_it(chat: Chat) -> None:
    request = NewGroup(
        guid="G1", name="One", owner="alice", members=MemberUids(moderators=["bob", "nobody"])
    )
    events, _ = await last_events(chat, chat.groups.create(chat.app, request))
    (event,) = events
    assert (event.trigger, event.stream) == ("group_created", "group/g1")
    assert event.data["group"] == plain(await chat.groups.get(chat.app, "g1", "alice"))
    assert event.data["group"]["membersCount"] == 2
    page = await chat.members.page(chat.app, "g1", (), limit=10, offset=0)
    assert set(event.data["members"]) == {member.uid for member in page.members}


async def test_group_updated_carries_the_group_after_the_change(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    chat.clock.advance(5_000)
    change = GroupChange(name="New", description="d", metadata={"k": [1]})
    events, _ = await last_events(chat, chat.groups.update(chat.app, "g", change, "alice"))
    (event,) = events
    assert event.trigger == "group_updated"
    assert event.data["group"] == await group_state(chat, "g")
    assert event.data["group"]["updatedBy"] == "alice"
    assert event.data["group"]["metadata"] == {"k": [1]}


async def test_group_owner_transferred_fires_instead_of_group_updated(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    change = GroupChange(owner="bob", name="Bob's")
    events, _ = await last_events(chat, chat.groups.update(chat.app, "g", change))
    (event,) = events
    assert event.trigger == "group_owner_transferred"
    assert event.data["group"] == {**await group_state(chat, "g"), "oldOwner": "alice"}
    assert event.data["group"]["owner"] == "bob"
    assert plain(await chat.groups.get(chat.app, "g", "bob"))["scope"] == "admin"


async def test_group_deleted_carries_the_group_as_it_last_was_and_tells_no_members(
    chat: Chat,
) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    last = await group_state(chat, "g")
    events, _ = await last_events(chat, chat.groups.delete(chat.app, "g"))
    assert [(event.trigger, event.data) for event in events] == [("group_deleted", {"group": last})]


async def test_group_member_added_carries_all_who_were_added_and_nobody_else(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    wanted = MemberUids(moderators=["bob"], participants=["carol", "alice", "nobody"])
    events, results = await last_events(chat, chat.members.add(chat.app, "g", wanted, "alice"))
    (event,) = events
    assert (event.trigger, event.stream) == ("group_member_added", "group/g")
    assert set(event.data["members"]) == {"bob", "carol"}
    assert event.data["group"] == await group_state(chat, "g")
    assert event.data["by"]["uid"] == "alice"
    assert event.data["members"]["bob"]["conversationId"] == "group_g"
    told = plain(results)
    assert told["participants"]["alice"]["error"]["code"] == "ERR_ALREADY_JOINED"
    assert told["participants"]["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    action = told["moderators"]["bob"]["data"]
    assert action == plain(await chat.history.get(chat.app, action["id"]))
    assert (action["type"], action["data"]["action"]) == ("groupMember", "added")


async def test_a_kick_by_the_app_fires_kicked_then_removed(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    events, _ = await last_events(chat, chat.members.kick(chat.app, "g", "bob"))
    assert [event.trigger for event in events] == ["group_member_kicked", "group_member_removed"]
    assert events[0].data == events[1].data
    assert events[0].data["by"]["uid"] == APP_SYSTEM
    assert set(events[0].data["members"]) == {"bob"}
    assert events[0].data["group"] == await group_state(chat, "g")
    assert events[0].data["group"]["membersCount"] == 1


async def test_a_kick_by_a_user_fires_kicked_alone(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    events, _ = await last_events(chat, chat.members.kick(chat.app, "g", "bob", "alice"))
    (event,) = events
    assert event.trigger == "group_member_kicked"
    assert event.data["by"]["uid"] == "alice"


async def test_group_member_scope_changed_carries_both_scopes(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    events, answer = await last_events(
        chat, chat.members.change_scope(chat.app, "g", "bob", "moderator", "alice")
    )
    (event,) = events
    assert event.trigger == "group_member_scope_changed"
    member = event.data["members"]["bob"]
    assert (member["scope"], member["oldScope"]) == ("moderator", "participant")
    assert event.data["group"] == await group_state(chat, "g")
    assert plain(await chat.groups.get(chat.app, "g", "bob"))["scope"] == "moderator"
    assert plain(answer) == {
        "guid": "g",
        "uid": "bob",
        "scope": "moderator",
        "joinedAt": chat.now_s,
    }


async def test_bans_carry_the_target_and_the_group_after_it(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    (event,), answer = await last_events(chat, chat.bans.ban(chat.app, "g", "bob", "alice"))
    assert (event.trigger, event.stream) == ("group_member_banned", "group/g")
    assert set(event.data["members"]) == {"bob"}
    assert event.data["by"]["uid"] == "alice"
    assert event.data["group"] == await group_state(chat, "g")
    assert event.data["group"]["membersCount"] == 1
    action = plain(answer)
    assert action == plain(await chat.history.get(chat.app, answer.id))
    assert action["data"]["action"] == "banned"
    assert action["data"]["entities"]["on"]["entity"]["uid"] == "bob"
    (event,), answer = await last_events(chat, chat.bans.unban(chat.app, "g", "bob", "alice"))
    assert (event.trigger, set(event.data["members"])) == ("group_member_unbanned", {"bob"})
    assert event.data["group"] == await group_state(chat, "g")
    assert plain(answer)["data"]["action"] == "unbanned"


async def test_one_event_tells_of_all_whom_one_call_bans(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    wanted = MemberUids(users_to_ban=["bob", "carol", "nobody"])
    (event,), _ = await last_events(chat, chat.members.add(chat.app, "g", wanted))
    assert event.trigger == "group_member_banned"
    assert set(event.data["members"]) == {"bob", "carol"}
    assert event.data["group"] == await group_state(chat, "g")


async def test_one_event_tells_of_all_whom_one_call_blocks(chat: Chat) -> None:
    await chat.blocks.block(chat.app, "alice", ["bob"])
    uids = ["bob", "carol", "dave", "nobody"]
    (event,), _ = await last_events(chat, chat.blocks.block(chat.app, "alice", uids))
    assert (event.trigger, event.stream, event.sequence) == ("user_blocked", None, None)
    assert set(event.data["users"]) == {"carol", "dave"}
    assert event.data["by"]["uid"] == "alice"
    page = await chat.blocks.page(chat.app, "alice", None, limit=10, offset=0)
    assert [one.uid for one in page.blocked] == ["bob", "carol", "dave"]
    (event,), _ = await last_events(chat, chat.blocks.unblock(chat.app, "alice", ["bob", "dave"]))
    assert (event.trigger, set(event.data["users"])) == ("user_unblocked", {"bob", "dave"})
    page = await chat.blocks.page(chat.app, "alice", None, limit=10, offset=0)
    assert [one.uid for one in page.blocked] == ["carol"]


async def test_a_departure_is_told_for_each_group_with_the_group_after_it(chat: Chat) -> None:
    for guid in ("g", "h"):
        await chat.add_group(guid, owner="alice", participants=["bob"])
    events, _ = await last_events(chat, chat.departures.deactivate(chat.app, ["bob"]))
    assert [(event.trigger, event.stream) for event in events] == [
        ("group_member_removed", "group/g"),
        ("group_member_removed", "group/h"),
    ]
    for event, guid in zip(events, ("g", "h"), strict=True):
        assert event.data["group"] == await group_state(chat, guid)
        assert event.data["by"]["uid"] == APP_SYSTEM
        assert set(event.data["members"]) == {"bob"}


async def test_a_reply_is_told_with_its_parent_and_counted_there(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    request = SendMessage(category="message", type="text", data=NewContent(text="<@uid:carol>"))
    events, answer = await last_events(chat, chat.messages.reply(chat.app, sent.id, request, "bob"))
    assert [event.trigger for event in events] == ["message_sent", "user_mentioned"]
    assert events[0].data == {"message": plain(await chat.history.get(chat.app, answer.id))}
    assert events[0].data["message"]["parentId"] == sent.id
    edit = chat.messages.edit(chat.app, sent.id, MessageChange(tags=["t"]), "alice")
    (event,), _ = await last_events(chat, edit)
    assert event.data["message"] == plain(await chat.history.get(chat.app, sent.id))
    assert event.data["message"]["replyCount"] == 1


async def test_reactions_carry_who_reacted_how_to_which_message(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    (added,), _ = await last_events(chat, chat.reactions.add(chat.app, sent.id, "👍", "bob"))
    assert (added.trigger, added.stream) == ("message_reaction_added", "user/alice/bob")
    (listed,) = await chat.reactions.page(chat.app, sent.id, ReactionWindow(10))
    assert added.data == {"reaction": plain(listed)}
    assert added.data["reaction"]["messageId"] == sent.id
    assert added.data["reaction"]["reactedBy"]["uid"] == "bob"
    (removed,), _ = await last_events(chat, chat.reactions.remove(chat.app, sent.id, "👍", "bob"))
    assert (removed.trigger, removed.data) == ("message_reaction_removed", added.data)
    assert await chat.reactions.page(chat.app, sent.id, ReactionWindow(10)) == []


async def test_message_edited_carries_the_reactions_too(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.reactions.add(chat.app, sent.id, "👍", "bob")
    change = MessageChange(data=NewContent(text="bye"))
    (event,), _ = await last_events(chat, chat.messages.edit(chat.app, sent.id, change, "alice"))
    assert event.data["message"] == plain(await chat.history.get(chat.app, sent.id))
    assert event.data["message"]["data"]["reactions"] == [{"reaction": "👍", "count": 1}]


async def test_a_groups_events_are_numbered_without_gap_whatever_they_tell(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    await chat.say("<@uid:alice>", by="bob", to="g", group=True)
    await chat.groups.update(chat.app, "g", GroupChange(name="n"))
    await chat.members.kick(chat.app, "g", "bob")
    await chat.groups.delete(chat.app, "g")
    await chat.add_group("g", owner="bob")
    in_stream = [event.sequence for event in chat.events() if event.stream == "group/g"]
    assert in_stream == list(range(1, 9))


async def _send(chat: Chat) -> Any:
    return await chat.say("<@uid:bob>", by="alice", to="bob")


async def _edit(chat: Chat) -> Any:
    return await chat.messages.edit(chat.app, "1", MessageChange(data=NewContent(text="x")))


async def _delete(chat: Chat) -> Any:
    return await chat.messages.delete(chat.app, "1", permanent=True)


async def _create_group(chat: Chat) -> Any:
    return await chat.add_group("new", owner="alice", participants=["bob"])


async def _update_group(chat: Chat) -> Any:
    return await chat.groups.update(chat.app, "g", GroupChange(owner="bob"))


async def _delete_group(chat: Chat) -> Any:
    return await chat.groups.delete(chat.app, "g")


async def _add_members(chat: Chat) -> Any:
    return await chat.members.add(chat.app, "g", MemberUids(admins=["carol"]))


async def _kick(chat: Chat) -> Any:
    return await chat.members.kick(chat.app, "g", "bob")


async def _change_scope(chat: Chat) -> Any:
    return await chat.members.change_scope(chat.app, "g", "bob", "admin")


async def _react(chat: Chat) -> Any:
    return await chat.reactions.add(chat.app, "1", "y", "bob")


async def _take_back(chat: Chat) -> Any:
    return await chat.reactions.remove(chat.app, "1", "x", "bob")


async def _ban(chat: Chat) -> Any:
    return await chat.bans.ban(chat.app, "g", "bob")


async def _unban(chat: Chat) -> Any:
    return await chat.bans.unban(chat.app, "g", "dave")


async def _block(chat: Chat) -> Any:
    return await chat.blocks.block(chat.app, "alice", ["bob"])


async def _unblock(chat: Chat) -> Any:
    return await chat.blocks.unblock(chat.app, "carol", ["dave"])


async def _deactivate(chat: Chat) -> Any:
    return await chat.departures.deactivate(chat.app, ["bob"])


async def _erase(chat: Chat) -> Any:
    return await chat.departures.delete(chat.app, "alice", permanent=True)


async def _reply(chat: Chat) -> Any:
    request = SendMessage(category="message", type="text", data=NewContent(text="x"))
    return await chat.messages.reply(chat.app, "1", request, "bob")


COMMANDS: list[Command] = [
    _send,
    _edit,
    _delete,
    _create_group,
    _update_group,
    _delete_group,
    _add_members,
    _kick,
    _change_scope,
    _react,
    _take_back,
    _ban,
    _unban,
    _block,
    _unblock,
    _deactivate,
    _erase,
    _reply,
]
STATE = (
    "SELECT * FROM users",
    "SELECT * FROM chat_groups",
    "SELECT * FROM members",
    "SELECT * FROM bans",
    "SELECT * FROM messages",
    "SELECT * FROM blocks",
    "SELECT * FROM departures",
    "SELECT * FROM reactions",
    "SELECT * FROM reaction_counts",
    "SELECT * FROM chat_counters",
    "SELECT * FROM streams",
    "SELECT * FROM feed",
)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_rollback_leaves_neither_rows_nor_events(
    chat: Chat, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.say("hello", by="alice", to="bob")
    await chat.reactions.add(chat.app, "1", "x", "bob")
    await chat.add_group("g", owner="alice", participants=["bob", "dave"])
    await chat.bans.ban(chat.app, "g", "dave")
    await chat.blocks.block(chat.app, "carol", ["dave"])
    before = [chat.sql(statement) for statement in STATE]
    transaction = stores.current.transaction
    append = transaction.append_to_feed

    async def fail_after_appending(self: Any, *entry: Any) -> int:
        await append(self, *entry)
        raise ChathooksError("ERR_OPERATION_FAILED", "The command was made to fail at its end.")

    with monkeypatch.context() as broken:
        broken.setattr(transaction, "append_to_feed", fail_after_appending)
        with pytest.raises(ChathooksError, match="ERR_OPERATION_FAILED"):
            await command(chat)
    assert [chat.sql(statement) for statement in STATE] == before
    await command(chat)
    assert [chat.sql(statement) for statement in STATE] != before
