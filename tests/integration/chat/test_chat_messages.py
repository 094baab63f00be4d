"""Messages on a real store: sending, editing, deleting, reading in windows (rest-api.md A5, C10)."""

from typing import Any

import msgspec
import pytest

from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import Window
from chathooks.chat.limits import MENTIONS_MAX
from chathooks.chat.requests import MessageChange, NewContent, SendMessage
from chathooks.kernel.errors import ChathooksError
from support.chat import Chat, plain

pytestmark = pytest.mark.anyio

ALL = MessageFilter()


def refused(code: str) -> Any:
    return pytest.raises(ChathooksError, match=code)


def request(**fields: Any) -> SendMessage:
    """A text message to Bob, with the fields given put in place."""
    body = {
        "receiver": "bob",
        "receiverType": "user",
        "category": "message",
        "type": "text",
        "data": {"text": "hello"},
        **fields,
    }
    return msgspec.convert(body, SendMessage)


def edit(**data: Any) -> MessageChange:
    return MessageChange(data=msgspec.convert(data, NewContent))


def ids(found: list[Any]) -> list[int]:
    return [int(message.id) for message in found]


async def test_refused_messages_leave_no_row_and_no_event(chat: Chat) -> None:
    await chat.add_group("g", owner="alice")
    before = chat.events()
    refusals = [
        ("ERR_EMPTY_RECEIVER", request(receiver=""), "alice"),
        ("ERR_INVALID_RECEIVER_TYPE", request(receiverType="channel"), "alice"),
        ("ERR_EMPTY_MESSAGE_CATEGORY", request(category=None), "alice"),
        ("ERR_INVALID_MESSAGE_CATEGORY", request(category="call"), "alice"),
        ("ERR_EMPTY_MESSAGE_TYPE", request(type=None), "alice"),
        ("ERR_INVALID_MESSAGE_TYPE", request(type="poll"), "alice"),
        ("ERR_EMPTY_MESSAGE_TEXT", request(data={"text": ""}), "alice"),
        ("ERR_INVALID_MESSAGE_TEXT", request(data={"text": "x" * 70_000}), "alice"),
        ("ERR_UID_NOT_FOUND", request(receiver="nobody"), "alice"),
        ("ERR_UID_NOT_FOUND", request(), "nobody"),
        ("ERR_GUID_NOT_FOUND", request(receiver="none", receiverType="group"), "alice"),
        ("ERR_GROUP_NOT_JOINED", request(receiver="g", receiverType="group"), "bob"),
    ]
    for code, body, sender in refusals:
        with refused(code):
            await chat.messages.send(chat.app, body, sender)
    assert chat.events() == before
    assert chat.sql("SELECT count(*) FROM messages") == [(0,)]


async def test_the_app_writes_where_it_likes_and_a_sender_in_the_body_is_ignored(
    chat: Chat,
) -> None:
    await chat.add_group("g", owner="alice")
    body = request(receiver="G", receiverType="group", sender="carol")
    assert (await chat.messages.send(chat.app, body)).sender == "app_system"


async def test_custom_and_media_messages_are_read_as_they_were_sent(chat: Chat) -> None:
    photo = {"url": "https://files.example.com/a.jpg", "mimeType": "image/jpeg", "size": 3}
    bodies: list[dict[str, Any]] = [
        {"category": "custom", "type": "poll", "data": {"customData": {"q": "?", "n": [1, None]}}},
        {"type": "image", "data": {"attachments": [photo], "text": "look <@uid:carol>"}},
        {"data": {"text": "hi", "metadata": {"a": {"b": "ü"}}}, "tags": ["x"], "muid": "m"},
    ]
    for fields in bodies:
        sent = plain(await chat.messages.send(chat.app, request(**fields), "alice"))
        assert sent == plain(await chat.history.get(chat.app, sent["id"]))
        for name, value in fields["data"].items():
            assert sent["data"][name] == value
    assert chat.triggers().count("user_mentioned") == 1


async def test_a_message_mentions_at_most_25_users(chat: Chat) -> None:
    text = "".join(f"<@uid:u{number}>" for number in range(MENTIONS_MAX + 1))
    with refused("ERR_INVALID_MESSAGE_TEXT"):
        await chat.say(text, by="alice", to="bob")
    await chat.say(text.replace("<@uid:u0>", ""), by="alice", to="bob")
    assert chat.triggers() == ["message_sent"]


async def test_only_the_sender_or_the_app_edits_and_deletes(chat: Chat) -> None:
    sent = await chat.say("hello", by="alice", to="bob")
    for uid, code in (("bob", "ERR_MESSAGE_NOT_A_SENDER"), ("nobody", "ERR_UID_NOT_FOUND")):
        with refused(code):
            await chat.messages.edit(chat.app, sent.id, edit(text="x"), uid)
        with refused(code):
            await chat.messages.delete(chat.app, sent.id, permanent=True, on_behalf_of=uid)
    assert chat.triggers() == ["message_sent"]
    await chat.messages.edit(chat.app, sent.id, edit(text="x"), "alice")
    await chat.messages.edit(chat.app, sent.id, edit(text="y"))
    edited = plain(await chat.history.get(chat.app, sent.id))
    assert (edited["data"]["text"], edited["editedBy"]) == ("y", "app_system")


async def test_a_sender_who_left_the_group_changes_nothing_there(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    sent = await chat.say("hello", by="bob", to="g", group=True)
    await chat.members.kick(chat.app, "g", "bob")
    before = chat.events()
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.messages.edit(chat.app, sent.id, edit(text="x"), "bob")
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.messages.delete(chat.app, sent.id, permanent=False, on_behalf_of="bob")
    assert chat.events() == before


async def test_an_edit_keeps_what_it_does_not_name(chat: Chat) -> None:
    data = {"text": "hello", "metadata": {"a": 1}}
    sent = await chat.messages.send(chat.app, request(data=data, tags=["t"], muid="m"), "alice")
    await chat.messages.edit(chat.app, sent.id, edit(text="bye"))
    await chat.messages.edit(chat.app, sent.id, MessageChange(tags=["u"]))
    edited = plain(await chat.history.get(chat.app, sent.id))
    assert (edited["data"]["text"], edited["data"]["metadata"]) == ("bye", {"a": 1})
    assert (edited["tags"], edited["muid"]) == (["u"], "m")


async def test_edits_that_are_refused_change_nothing(chat: Chat) -> None:
    sent = await chat.say("hello", by="alice", to="bob")
    before = (chat.events(), chat.sql("SELECT * FROM messages"))
    for code, change in (
        ("ERR_INVALID_MESSAGE_DATA", MessageChange()),
        ("ERR_EMPTY_MESSAGE_TEXT", edit(text=" ")),
        ("ERR_INVALID_MESSAGE_TEXT", edit(text="x" * 70_000)),
        ("ERR_INVALID_METADATA", edit(metadata={"a": "x" * 6_000})),
    ):
        with refused(code):
            await chat.messages.edit(chat.app, sent.id, change, "alice")
    assert (chat.events(), chat.sql("SELECT * FROM messages")) == before


@pytest.mark.parametrize("unknown", ["999999999999", "0", "-1", "x", "", "9" * 19, "٣", "1 "])
async def test_an_id_of_no_message_is_not_found(chat: Chat, unknown: str) -> None:
    await chat.say("hello", by="alice", to="bob")
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.history.get(chat.app, unknown)
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.messages.edit(chat.app, unknown, edit(text="x"))
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.messages.delete(chat.app, unknown, permanent=False)
    assert chat.triggers() == ["message_sent"]


async def test_a_deleted_message_is_changed_no_more_but_can_be_taken_away(chat: Chat) -> None:
    sent = await chat.say("hello", by="alice", to="bob")
    await chat.messages.delete(chat.app, sent.id, permanent=False)
    before = chat.events()
    with refused("ERR_MESSAGE_ACTION_NOT_ALLOWED"):
        await chat.messages.edit(chat.app, sent.id, edit(text="x"))
    with refused("ERR_MESSAGE_ACTION_NOT_ALLOWED"):
        await chat.messages.delete(chat.app, sent.id, permanent=False)
    assert chat.events() == before
    await chat.messages.delete(chat.app, sent.id, permanent=True)
    assert chat.sql("SELECT count(*) FROM messages") == [(0,)]


async def test_action_messages_are_listed_but_not_changed(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    (action,) = await chat.history.page_of_group(chat.app, "g", ALL, Window(10))
    assert action.category == "action"
    with refused("ERR_MESSAGE_ACTION_NOT_ALLOWED"):
        await chat.messages.edit(chat.app, action.id, edit(text="x"))
    with refused("ERR_MESSAGE_ACTION_NOT_ALLOWED"):
        await chat.messages.delete(chat.app, action.id, permanent=True)


async def test_windows_go_back_and_forth_by_id_and_by_time(chat: Chat) -> None:
    start_s = chat.now_s
    for number in range(10):
        await chat.say(str(number), by="alice", to="bob")
        chat.clock.advance(1_000)

    async def page(**window: Any) -> list[int]:
        return ids(await chat.history.page(chat.app, ALL, Window(**window)))

    assert await page(limit=3) == [8, 9, 10]
    assert await page(limit=3, message_id=8) == [5, 6, 7]
    assert await page(limit=3, append=True) == [1, 2, 3]
    assert await page(limit=3, append=True, message_id=8) == [9, 10]
    assert await page(limit=3, sent_at=start_s + 4) == [2, 3, 4]
    assert await page(limit=3, append=True, sent_at=start_s + 4) == [6, 7, 8]
    assert await page(limit=100, from_timestamp=start_s + 2, to_timestamp=start_s + 4) == [3, 4, 5]
    assert await page(limit=100, to_timestamp=start_s - 1) == []
    assert await page(limit=100, from_timestamp=start_s + 100) == []


async def test_the_place_of_a_time_is_found_whatever_gaps_the_ids_have(chat: Chat) -> None:
    times = {}
    for number in range(30):
        sent = await chat.say(str(number), by="alice", to="bob")
        times[int(sent.id)] = sent.sent_at
        chat.clock.advance(700)
    for gone in (1, 2, 7, 8, 9, 15, 30):
        await chat.messages.delete(chat.app, str(gone), permanent=True)
        del times[gone]
    for second in range(min(times.values()) - 2, max(times.values()) + 2):
        expected = max((id_ for id_, sent_at in times.items() if sent_at <= second), default=0)
        found = await chat.store.read(
            lambda tx, second=second: tx.last_message_sent_by(chat.app, second)  # type: ignore[misc]  # bound as a default
        )
        assert found == expected


async def test_conversations_are_told_apart_by_their_people_not_by_their_display_id(
    chat: Chat,
) -> None:
    await chat.add_users("a", "b_user_c", "a_user_b", "c")
    first = await chat.say("one", by="a", to="b_user_c")
    second = await chat.say("two", by="a_user_b", to="c")
    assert first.conversation_id == second.conversation_id
    found = await chat.history.page_of_user(chat.app, "b_user_c", ALL, Window(10), "a")
    assert ids(found) == [int(first.id)]
    assert len({event.stream for event in chat.events()}) == 2


async def test_who_sees_which_messages(chat: Chat) -> None:
    await chat.add_group("g", owner="alice", participants=["bob"])
    only = MessageFilter(categories=("message",))
    window = Window(100)
    one = int((await chat.say("1", by="alice", to="bob")).id)
    two = int((await chat.say("2", by="bob", to="alice")).id)
    three = int((await chat.say("3", by="carol", to="dave")).id)
    four = int((await chat.say("4", by="bob", to="g", group=True)).id)
    five = int((await chat.say("5", by="alice", to="alice")).id)

    async def seen(uid: str | None = None, **fields: Any) -> list[int]:
        narrowed = msgspec.structs.replace(only, **fields)
        return ids(await chat.history.page(chat.app, narrowed, window, uid))

    async def of_user(uid: str, viewer: str | None = None) -> list[int]:
        return ids(await chat.history.page_of_user(chat.app, uid, only, window, viewer))

    assert await seen() == [one, two, three, four, five]
    assert await seen("alice") == [one, two, four, five]
    assert await seen("bob") == [one, two, four]
    assert await seen("carol") == [three]
    assert await seen("bob", receiver_type="group") == [four]
    assert await of_user("bob") == [one, two, four]
    assert await of_user("bob", "alice") == await of_user("alice", "bob") == [one, two]
    assert await of_user("alice", "alice") == [five]
    assert await of_user("carol", "alice") == []
    with refused("ERR_GROUP_NOT_JOINED"):
        await chat.history.page_of_group(chat.app, "g", only, window, "carol")
    found = await chat.history.page_of_group(chat.app, "g", only, window, "alice")
    assert ids(found) == [four]
    by_bob = await chat.history.page(chat.app, only, window, "alice", sender="bob")
    assert ids(by_bob) == [two, four]
    await chat.members.kick(chat.app, "g", "bob")
    assert await seen("bob") == [one, two]


async def test_a_display_id_finds_all_conversations_that_it_may_stand_for(chat: Chat) -> None:
    await chat.add_users("a", "b_user_c", "a_user_b", "c", "group", "group_user_x")
    await chat.add_group("user_x", owner="alice")
    await chat.add_users("x")
    one = int((await chat.say("1", by="a", to="b_user_c")).id)
    two = int((await chat.say("2", by="c", to="a_user_b")).id)
    three = int((await chat.say("3", by="alice", to="user_x", group=True)).id)
    four = int((await chat.say("4", by="x", to="group")).id)

    async def found(conversation_id: str, uid: str | None = None, limit: int = 10) -> list[int]:
        page = await chat.history.page(
            chat.app, ALL, Window(limit), uid, conversation_id=conversation_id
        )
        return ids(page)

    assert await found("a_user_b_user_c") == [one, two]
    assert await found("a_user_b_user_c", limit=1) == [two]
    assert await found("a_user_b_user_c", "a") == [one]
    assert await found("a_user_b_user_c", "c") == [two]
    assert await found("a_user_b_user_c", "alice") == []
    assert await found("group_user_x") == [three, four]
    assert await found("group_user_x", "alice") == [three]
    assert await found("group_user_x", "x") == [four]
    for nothing in ("", "group_", "group_none", "_user_", "a_user_nobody", "c_user_a"):
        assert await found(nothing) == []


async def test_deleted_messages_can_be_hidden_or_singled_out(chat: Chat) -> None:
    await chat.say("1", by="alice", to="bob")
    await chat.say("2", by="alice", to="bob")
    await chat.messages.delete(chat.app, "1", permanent=False)
    for deleted, expected in ((None, [1, 2]), (False, [2]), (True, [1])):
        found = await chat.history.page(chat.app, MessageFilter(deleted=deleted), Window(10))
        assert ids(found) == expected


async def test_apps_do_not_see_each_others_messages(chat: Chat) -> None:
    sent = await chat.say("hello", by="alice", to="bob")
    chat.sql("INSERT INTO apps (id, name, region, created_at) VALUES ('other', '', 'us', 0)")
    other = chat.sql("SELECT app FROM apps WHERE id = 'other'")[0][0]
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.history.get(other, sent.id)
    with refused("ERR_MESSAGE_ID_NOT_FOUND"):
        await chat.messages.delete(other, sent.id, permanent=True)
    assert await chat.history.page(other, ALL, Window(10)) == []


@pytest.mark.parametrize(
    "place",
    [
        "app = 1",
        "receiver_user IS NOT NULL AND min(sender, receiver_user) = 1 "
        "AND max(sender, receiver_user) = 2",
        "group_key = 1",
        "sender = 1",
        "receiver_user = 1",
    ],
)
@pytest.mark.only("sqlite")
async def test_every_list_of_messages_runs_along_an_index(chat: Chat, place: str) -> None:
    statement = (
        f"EXPLAIN QUERY PLAN SELECT * FROM messages WHERE {place} "
        "AND message > 5 AND message < 100 ORDER BY message DESC LIMIT 10"
    )
    (step,) = [row[-1] for row in chat.sql(statement)]
    assert step.startswith("SEARCH messages USING INDEX messages_")


async def test_the_answer_is_the_very_message_that_the_event_carries(chat: Chat) -> None:
    mentioning = request(data={"text": "look, <@uid:carol>"}, muid="m-1", tags=["tour"])
    encoded = await chat.messages.send_encoded(chat.app, mentioning, "alice")
    data = chat.sql("SELECT data FROM feed ORDER BY position DESC LIMIT 2")
    assert data == [(b'{"message":' + encoded + b"}",)] * 2
    assert msgspec.json.decode(encoded)["muid"] == "m-1"
    assert chat.triggers()[-2:] == ["message_sent", "user_mentioned"]
