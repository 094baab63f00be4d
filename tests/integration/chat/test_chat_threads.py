"""Threads and messages to many (rest-api.md C10, C11)."""

import msgspec
import pytest

from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import Window
from chathooks.chat.requests import NewContent, Receivers, SendMessage
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio

REPLY = SendMessage(category="message", type="text", data=NewContent(text="re"))
ALL = MessageFilter()


async def test_a_reply_goes_to_the_other_one_of_the_two(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    for uid, other in (("bob", "alice"), ("alice", "bob")):
        reply = plain(await chat.messages.reply(chat.app, sent.id, REPLY, uid))
        assert (reply["sender"], reply["receiver"]) == (uid, other)
        assert reply["parentId"] == sent.id
        assert reply["conversationId"] == sent.conversation_id
    parent = plain(await chat.history.get(chat.app, sent.id))
    assert parent["replyCount"] == 2
    assert [event.stream for event in chat.events()] == ["user/alice/bob"] * 3
    assert chat.triggers() == ["message_sent"] * 3


async def test_the_thread_lists_its_replies_in_windows(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    sent = await chat.say("hi", by="alice", to="g", group=True)
    replies = [
        (await chat.messages.reply(chat.app, sent.id, REPLY, uid)).id
        for uid in ("alice", "bob", "alice")
    ]
    page = await chat.history.page_of_thread(chat.app, sent.id, ALL, Window(2), "bob")
    assert [one.id for one in page] == replies[1:]
    without = MessageFilter(replies=False, categories=("message",))
    listed = await chat.history.page_of_group(chat.app, "g", without, Window(10))
    assert [one.id for one in listed] == [sent.id]
    with pytest.raises(ChathooksError, match="ERR_GROUP_NOT_JOINED"):
        await chat.history.page_of_thread(chat.app, sent.id, ALL, Window(2), "carol")


async def test_a_reply_that_is_gone_is_counted_no_more(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    reply = await chat.messages.reply(chat.app, sent.id, REPLY, "bob")
    await chat.messages.delete(chat.app, reply.id, permanent=True)
    assert (await chat.history.get(chat.app, sent.id)).reply_count is None


async def test_what_cannot_be_replied_to_is_refused_and_fires_nothing(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    ((action,),) = chat.sql("SELECT message FROM messages WHERE category = 'action'")
    sent = await chat.say("hi", by="alice", to="bob")
    reply = await chat.messages.reply(chat.app, sent.id, REPLY, "bob")
    deleted = await chat.say("hi", by="alice", to="bob")
    await chat.messages.delete(chat.app, deleted.id, permanent=False)
    in_group = await chat.say("hi", by="alice", to="g", group=True)
    elsewhere = msgspec.structs.replace(REPLY, receiver="carol", receiver_type="user")
    before = chat.triggers()
    for message_id, request, uid, code in (
        (str(action), REPLY, "bob", "ERR_WRONG_MESSAGE_THREAD_CATEGORY"),
        (reply.id, REPLY, "bob", "ERR_MESSAGE_THREAD_NESTING"),
        (deleted.id, REPLY, "bob", "ERR_MESSAGE_ACTION_NOT_ALLOWED"),
        (sent.id, REPLY, "carol", "ERR_MESSAGE_NO_ACCESS"),
        (sent.id, REPLY, "app_system", "ERR_MESSAGE_NO_ACCESS"),
        (in_group.id, REPLY, "carol", "ERR_GROUP_NOT_JOINED"),
        (sent.id, elsewhere, "bob", "ERR_WRONG_MESSAGE_THREAD"),
        ("999", REPLY, "bob", "ERR_MESSAGE_ID_NOT_FOUND"),
        (sent.id, REPLY, "nobody", "ERR_UID_NOT_FOUND"),
    ):
        with pytest.raises(ChathooksError, match=code):
            await chat.messages.reply(chat.app, message_id, request, uid)
    await chat.blocks.block(chat.app, "alice", ["bob"])
    with pytest.raises(ChathooksError, match="ERR_BLOCKED_SENDER"):
        await chat.messages.reply(chat.app, sent.id, REPLY, "bob")
    chat.deactivate("alice")
    with pytest.raises(ChathooksError, match="ERR_UID_NOT_FOUND"):
        await chat.messages.reply(chat.app, sent.id, REPLY, "bob")
    assert chat.triggers() == [*before, "user_blocked"]


def to_many(**receivers: list[str]) -> SendMessage:
    return msgspec.structs.replace(REPLY, multiple_receivers=Receivers(**receivers))


async def test_each_receiver_gets_a_message_of_their_own(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    await chat.add_group("h", owner="carol")
    await chat.blocks.block(chat.app, "dave", ["alice"])
    before = len(chat.events())
    request = to_many(uids=["BOB", "bob", "nobody", "dave"], guids=["g", "h"])
    told = plain(await chat.messages.send_to_many(chat.app, request, "alice"))
    assert told["uids"]["bob"]["data"]["conversationId"] == "alice_user_bob"
    assert told["guids"]["g"]["data"]["conversationId"] == "group_g"
    assert told["uids"]["nobody"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert told["uids"]["dave"]["error"]["code"] == "ERR_BLOCKED_SENDER"
    assert told["guids"]["h"]["error"]["code"] == "ERR_GROUP_NOT_JOINED"
    events = chat.events()[before:]
    assert [event.trigger for event in events] == ["message_sent", "message_sent"]
    assert [event.data["message"] for event in events] == [
        told["uids"]["bob"]["data"],
        told["guids"]["g"]["data"],
    ]


async def test_a_message_to_nobody_or_too_many_is_refused(chat: Chat) -> None:
    many = [f"u{number}" for number in range(26)]
    both = msgspec.structs.replace(to_many(uids=["bob"]), receiver="bob")
    for request, code in (
        (to_many(), "ERR_EMPTY_RECEIVER"),
        (to_many(uids=many), "ERR_BAD_REQUEST"),
        (both, "ERR_BAD_REQUEST"),
    ):
        with pytest.raises(ChathooksError, match=code):
            await chat.messages.send_to_many(chat.app, request, "alice")
    assert chat.events() == []
