"""Filters of message lists, and what a filter that rarely matches may cost (rest-api.md C10)."""

from typing import Any

import pytest

from chathooks.chat import history
from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import Shape, Window
from chathooks.chat.requests import NewAttachment, NewContent, SendMessage, UserChange
from support.chat import Chat, plain

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


async def test_a_window_of_messages_that_are_gone_says_where_to_go_on(chat: Chat) -> None:
    kept = await chat.say("kept", by="alice", to="bob")
    await chat.add_group("g", owner="alice")
    for number in range(3):
        await chat.say(f"m{number}", by="alice", to="g", group=True)
    # Marked only: rows of a deleted group may stay for a while until upkeep takes them away.
    chat.sql("UPDATE chat_groups SET deleted_at = 1")
    page = await chat.history.page(chat.app, MessageFilter(), Window(2))
    assert list(page) == []
    assert page.reached is not None
    after = Window(3, message_id=page.reached[0])
    assert [one.id for one in await chat.history.page(chat.app, MessageFilter(), after)] == [
        kept.id
    ]


async def attach(chat: Chat, type_: str, *mime_types: str | None) -> str:
    files = [
        NewAttachment(url=f"https://a.example/{number}", mime_type=mime_type)
        for number, mime_type in enumerate(mime_types)
    ]
    sent = await chat.messages.send(
        chat.app,
        SendMessage(
            receiver="bob",
            receiver_type="user",
            category="message",
            type=type_,
            data=NewContent(attachments=files),
        ),
        "alice",
    )
    return str(sent.id)


async def test_messages_are_found_by_the_kind_of_what_is_attached(chat: Chat) -> None:
    await chat.say("none", by="alice", to="bob")
    image = await attach(chat, "image", "IMAGE/png")
    mixed = await attach(chat, "file", "application/pdf", "video/mp4")
    untold = await attach(chat, "audio", None)
    imagined = await attach(chat, "file", "x-image/y")
    for kinds, wanted in (
        (("image",), [image]),
        (("video",), [mixed]),
        (("audio",), [untold]),
        (("file",), [mixed, imagined]),
        (("image", "audio"), [image, untold]),
    ):
        assert await found(chat, None, attachment_types=kinds) == wanted, kinds


async def test_my_mentions_are_narrowed_by_other_mentions_too(chat: Chat) -> None:
    await chat.say("<@uid:carol>", by="alice", to="bob")
    both = await chat.say("<@uid:bob> <@uid:carol>", by="alice", to="bob")
    only_me = await chat.say("<@uid:bob>", by="alice", to="bob")
    assert await found(chat, "bob", mentioning_me="bob") == [both.id, only_me.id]
    assert await found(chat, "bob", mentioning_me="bob", mentioned=("carol",)) == [both.id]


async def test_mentions_tell_blocks_and_tags_where_asked(chat: Chat) -> None:
    await chat.users.update(chat.app, "carol", UserChange(tags=["vip"]))
    await chat.say("<@uid:carol> <@uid:bob>", by="alice", to="bob", tags=["t"])
    await chat.blocks.block(chat.app, "bob", ["carol"])

    async def mentions(by: str | None, **shape: bool) -> dict[str, Any]:
        page = await chat.history.page(
            chat.app, MessageFilter(), Window(1), by, shape=Shape(**shape)
        )
        (message,) = plain(list(page))
        assert ("tags" in message) == shape.get("tags", True)
        return dict(message["data"]["mentions"])

    plain_ones = await mentions("bob", tags=False)
    assert set(plain_ones["carol"]) == {"uid", "name", "role", "status"}
    told = await mentions("bob", mentions_blocked=True, mentions_tags=True)
    assert told["carol"]["blockedByMe"] is True
    assert told["carol"]["hasBlockedMe"] is False
    assert told["carol"]["tags"] == ["vip"]
    assert "blockedByMe" not in told["bob"]
