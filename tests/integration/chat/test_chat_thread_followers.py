"""Who follows which threads, and the list of them (rest-api.md C11)."""

import pytest

from chathooks.chat import limits
from chathooks.chat.requests import NewContent, SendMessage
from chathooks.chat.threads import ThreadWindow
from chathooks.chat.upkeep import Upkeep
from chathooks.kernel.errors import ChathooksError
from support import stores
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio

MS_PER_S = 1000


def reply_of(text: str = "re") -> SendMessage:
    return SendMessage(category="message", type="text", data=NewContent(text=text))


async def followed(chat: Chat, uid: str, window: ThreadWindow | None = None) -> list[str]:
    page = await chat.threads.page(chat.app, window or ThreadWindow(100), uid)
    return [thread.parent.id for thread in page]


async def test_sender_replier_and_mentioned_follow_by_themselves(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob", "dave"])
    sent = await chat.say("hi", by="alice", to="g", group=True)
    assert await followed(chat, "alice") == []
    # Carol is mentioned too, but is not in the group.
    await chat.messages.reply(chat.app, sent.id, reply_of("<@uid:dave> <@uid:carol>"), "bob")
    for uid in ("alice", "bob", "dave"):
        assert await followed(chat, uid) == [sent.id]
    assert await followed(chat, "carol") == []
    (thread,) = await chat.threads.page(chat.app, ThreadWindow(1), "dave")
    assert plain(thread.parent)["replyCount"] == 1
    assert plain(thread.last_reply)["sender"] == "bob"


async def test_mentions_between_two_let_nobody_else_follow(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.messages.reply(chat.app, sent.id, reply_of("<@uid:carol> <@uid:alice>"), "bob")
    assert await followed(chat, "alice") == [sent.id]
    assert await followed(chat, "carol") == []


async def test_who_leaves_comes_back_by_a_reply_or_a_mention_alone(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    await chat.threads.leave(chat.app, sent.id, "alice")
    await chat.messages.reply(chat.app, sent.id, reply_of(), "bob")
    assert await followed(chat, "alice") == []
    await chat.messages.reply(chat.app, sent.id, reply_of("<@uid:alice>"), "bob")
    assert await followed(chat, "alice") == [sent.id]
    for _ in range(2):
        await chat.threads.leave(chat.app, sent.id, "alice")
        assert await followed(chat, "alice") == []
    await chat.messages.reply(chat.app, sent.id, reply_of(), "alice")
    assert await followed(chat, "alice") == [sent.id]


async def test_a_thread_is_followed_before_its_first_reply(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    for _ in range(2):
        await chat.threads.follow(chat.app, sent.id, "bob")
    (thread,) = await chat.threads.page(chat.app, ThreadWindow(10), "bob")
    assert (thread.parent.id, thread.last_reply) == (sent.id, None)
    assert chat.triggers() == ["message_sent"]


async def test_messages_tell_who_looks_whether_they_follow(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    reply = await chat.messages.reply(chat.app, sent.id, reply_of(), "alice")
    seen = {uid: await chat.history.get(chat.app, sent.id, uid) for uid in ("alice", "bob")}
    assert plain(seen["alice"])["threadSubscribed"] is True
    assert plain(seen["bob"])["threadSubscribed"] is False
    assert "threadSubscribed" not in plain(await chat.history.get(chat.app, sent.id))
    assert "threadSubscribed" not in plain(await chat.history.get(chat.app, reply.id, "alice"))
    await chat.threads.leave(chat.app, sent.id, "alice")
    assert plain(await chat.history.get(chat.app, sent.id, "alice"))["threadSubscribed"] is False


async def test_the_list_goes_by_the_last_change_in_windows(chat: Chat) -> None:
    sent = []
    for number in range(4):
        chat.clock.advance(MS_PER_S)
        sent.append((await chat.say(f"m{number}", by="alice", to="bob")).id)
        await chat.threads.follow(chat.app, sent[-1], "bob")
    chat.clock.advance(MS_PER_S)
    await chat.messages.reply(chat.app, sent[1], reply_of(), "alice")
    order = [sent[1], sent[3], sent[2], sent[0]]
    assert await followed(chat, "bob") == order
    first = await chat.threads.page(chat.app, ThreadWindow(2), "bob")
    assert [thread.parent.id for thread in first] == order[:2]
    rest = ThreadWindow(2, first[-1].updated_at, first[-1].parent.id)
    assert await followed(chat, "bob", rest) == order[2:]
    assert await followed(chat, "bob", ThreadWindow(2, first[-1].updated_at)) == order[2:]


async def test_threads_that_may_not_be_seen_any_more_are_not_listed(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    sent = await chat.say("hi", by="alice", to="g", group=True)
    await chat.threads.follow(chat.app, sent.id, "bob")
    await chat.members.kick(chat.app, "g", "bob")
    assert await followed(chat, "bob") == []
    await chat.threads.follow(chat.app, sent.id, "alice")
    await chat.groups.delete(chat.app, "g")
    assert await followed(chat, "alice") == []


async def test_what_has_no_thread_or_is_not_seen_cannot_be_followed(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    ((action,),) = chat.sql("SELECT message FROM messages WHERE category = 'action'")
    sent = await chat.say("hi", by="alice", to="bob")
    reply = await chat.messages.reply(chat.app, sent.id, reply_of(), "bob")
    gone = await chat.say("hi", by="alice", to="bob")
    await chat.messages.delete(chat.app, gone.id, permanent=False)
    before = chat.sql("SELECT * FROM thread_subscriptions")
    for message_id, uid, code in (
        (str(action), "bob", "ERR_WRONG_MESSAGE_THREAD_CATEGORY"),
        (reply.id, "bob", "ERR_MESSAGE_THREAD_NESTING"),
        (gone.id, "bob", "ERR_MESSAGE_ACTION_NOT_ALLOWED"),
        (sent.id, "carol", "ERR_MESSAGE_NO_ACCESS"),
        (str(action), "carol", "ERR_GROUP_NOT_JOINED"),
        ("999", "bob", "ERR_MESSAGE_ID_NOT_FOUND"),
        (sent.id, "nobody", "ERR_UID_NOT_FOUND"),
    ):
        with pytest.raises(ChathooksError, match=code):
            await chat.threads.follow(chat.app, message_id, uid)
    with pytest.raises(ChathooksError, match="ERR_MESSAGE_NO_ACCESS"):
        await chat.threads.leave(chat.app, sent.id, "carol")
    assert chat.sql("SELECT * FROM thread_subscriptions") == before


async def test_followers_of_a_message_that_is_gone_are_forgotten(chat: Chat) -> None:
    sent = await chat.say("hi", by="alice", to="bob")
    kept = await chat.say("hi", by="alice", to="bob")
    for uid in ("alice", "bob"):
        for message_id in (sent.id, kept.id):
            await chat.threads.follow(chat.app, message_id, uid)
    await chat.messages.delete(chat.app, sent.id, permanent=True)
    assert await followed(chat, "bob") == [kept.id]
    upkeep: Upkeep = chat.upkeep
    await upkeep.round()
    left = chat.sql("SELECT DISTINCT message FROM thread_subscriptions")
    assert left == [(int(kept.id),)]
    assert chat.sql("SELECT * FROM messages_gone") == []


async def test_a_deleted_parent_keeps_its_thread_without_its_text(chat: Chat) -> None:
    sent = await chat.say("secret", by="alice", to="bob")
    await chat.messages.reply(chat.app, sent.id, reply_of(), "bob")
    await chat.messages.delete(chat.app, sent.id, permanent=False)
    (thread,) = await chat.threads.page(chat.app, ThreadWindow(10), "bob")
    shown = plain(thread.parent)
    assert shown["deletedBy"] == "app_system"
    assert "text" not in shown["data"]


async def test_the_list_looks_at_a_bounded_number_of_threads(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = f"chathooks.adapters.{stores.current.name}"
    monkeypatch.setattr(f"{adapter}.chat_threads.THREADS_FOLLOWED_MAX", 2)
    assert limits.THREADS_FOLLOWED_MAX > 2
    sent = [(await chat.say("m", by="alice", to="bob")).id for _ in range(3)]
    for message_id in sent:
        await chat.threads.follow(chat.app, message_id, "bob")
    assert await followed(chat, "bob") == [sent[2], sent[1]]
