"""Filters of message lists, and what a filter that rarely matches may cost (rest-api.md C10)."""

from typing import Any

import pytest

from chathooks.chat import history
from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import Window
from chathooks.chat.requests import NewAttachment, NewContent, SendMessage
from support.chat import Chat

pytestmark = pytest.mark.anyio


async def found(chat: Chat, by: str | None = None, **only: Any) -> list[str]:
    page = await chat.history.page(chat.app, MessageFilter(**only), Window(100), by)
    return [one.id for one in page]


async def test_messages_are_found_by_what_is_in_them(chat: Chat) -> None:
    plain_one = await chat.say("Hello Zoë", by="alice", to="bob", tags=["red", "blue"])
    linked = await chat.say("see HTTPS://example.org", by="alice", to="bob")
    mentioning = await chat.say("<@uid:BOB> look", by="alice", to="bob")
    attached = await chat.messages.send(
        chat.app,
        SendMessage(
            receiver="bob",
            receiver_type="user",
            category="message",
            type="image",
            data=NewContent(attachments=[NewAttachment(url="https://a.example/b.png")]),
        ),
        "alice",
    )
    await chat.reactions.add(chat.app, linked.id, "x", "bob")
    gone = await chat.say("hello https://a <@uid:bob>", by="alice", to="bob", tags=["blue"])
    await chat.messages.delete(chat.app, gone.id, permanent=False)
    for viewer in (None, "bob"):
        assert await found(chat, viewer, text="hello zo") == [plain_one.id]
        assert await found(chat, viewer, linked=True) == [linked.id]
        assert await found(chat, viewer, mentioning=True) == [mentioning.id]
        assert await found(chat, viewer, mentioned=("bob", "carol")) == [mentioning.id]
        assert await found(chat, viewer, mentioned=("carol",)) == []
        assert await found(chat, viewer, attached=True) == [attached.id]
        assert await found(chat, viewer, reacted=True) == [linked.id]
        assert await found(chat, viewer, tags=("blue", "x")) == [plain_one.id, gone.id]


async def test_filters_work_in_the_groups_of_a_user_too(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    sent = await chat.say("hello", by="alice", to="g", group=True)
    await chat.reactions.add(chat.app, sent.id, "x", "alice")
    assert await found(chat, "bob", reacted=True) == [sent.id]
    assert await found(chat, "bob", text="ell") == [sent.id]
    assert await found(chat, "carol", text="ell") == []


async def test_messages_of_blocked_users_may_be_hidden(chat: Chat) -> None:
    await chat.say("x", by="bob", to="alice")
    kept = await chat.say("y", by="carol", to="alice")
    await chat.blocks.block(chat.app, "alice", ["bob"])
    assert await found(chat, "alice", unblocked_by=0) == [kept.id]
    assert len(await found(chat, None, unblocked_by=0)) == 2


@pytest.mark.parametrize("append", [False, True])
async def test_a_filter_that_rarely_matches_ends_early_and_goes_on_from_there(
    chat: Chat, append: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MESSAGES_SCANNED_MAX", 4)
    wanted = []
    for number in range(10):
        sent = await chat.say("needle" if number in (1, 8) else "hay", by="alice", to="bob")
        if number in (1, 8):
            wanted.append(sent.id)
    seen: list[str] = []
    place = None
    rounds = 0
    while True:
        window = Window(5, append=append, message_id=place)
        only = MessageFilter(text="needle")
        page = await chat.history.page_of_user(chat.app, "bob", only, window, "alice")
        seen += [one.id for one in page]
        rounds += 1
        if page.reached is None:
            break
        place = page.reached[0]
    assert sorted(seen) == wanted
    assert rounds == 3
    everything = await chat.history.page_of_user(
        chat.app, "bob", MessageFilter(), Window(10), "alice"
    )
    assert len(everything) == 10
    assert everything.reached is None
