"""Contents of messages and fields of chat objects: what is kept, what is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.chat import limits
from chathooks.chat.content import (
    build_content,
    check_category_and_type,
    check_receiver,
    stored_content,
)
from chathooks.chat.fields import checked_url, stored_metadata, stored_tags, whole_metadata
from chathooks.chat.passwords import hashed_password, password_matches
from chathooks.chat.requests import NewContent, SendMessage
from chathooks.chat.users import auth_token
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import system_random
from support.chat import plain, seeded_random

PHOTO = {"url": "https://files.example.com/a.jpg", "name": "a.jpg", "size": 3}
TEXT_FRAME = len('{"text":""}')


def content(**fields: Any) -> NewContent:
    return msgspec.convert(fields, NewContent)


def refusal(category: str, type_: str, data: NewContent | None) -> str:
    with pytest.raises(ChathooksError) as caught:
        stored_content(build_content(category, type_, data), None, None)
    assert caught.value.details
    return caught.value.code


@pytest.mark.parametrize(
    ("category", "type_", "code"),
    [
        (None, "text", "ERR_EMPTY_MESSAGE_CATEGORY"),
        ("", "text", "ERR_EMPTY_MESSAGE_CATEGORY"),
        ("call", "audio", "ERR_INVALID_MESSAGE_CATEGORY"),
        ("action", "message", "ERR_INVALID_MESSAGE_CATEGORY"),
        ("message", None, "ERR_EMPTY_MESSAGE_TYPE"),
        ("message", "poll", "ERR_INVALID_MESSAGE_TYPE"),
        ("custom", "x" * 101, "ERR_INVALID_MESSAGE_TYPE"),
    ],
)
def test_categories_and_types_that_cannot_be_sent(
    category: str | None, type_: str | None, code: str
) -> None:
    with pytest.raises(ChathooksError) as caught:
        check_category_and_type(category, type_)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("receiver", "receiver_type", "code"),
    [
        (None, "user", "ERR_EMPTY_RECEIVER"),
        ("", "user", "ERR_EMPTY_RECEIVER"),
        ("bob", None, "ERR_INVALID_RECEIVER_TYPE"),
        ("bob", "channel", "ERR_INVALID_RECEIVER_TYPE"),
    ],
)
def test_receivers_that_are_none(
    receiver: str | None, receiver_type: str | None, code: str
) -> None:
    with pytest.raises(ChathooksError) as caught:
        check_receiver(SendMessage(receiver=receiver, receiver_type=receiver_type))
    assert caught.value.code == code


def test_a_text_message_needs_text() -> None:
    assert refusal("message", "text", None) == "ERR_INVALID_MESSAGE_DATA"
    assert refusal("message", "text", content()) == "ERR_EMPTY_MESSAGE_TEXT"
    assert refusal("message", "text", content(text=" \n\t")) == "ERR_EMPTY_MESSAGE_TEXT"


def test_a_text_of_70000_characters_is_refused() -> None:
    assert refusal("message", "text", content(text="x" * 70_000)) == "ERR_INVALID_MESSAGE_TEXT"


def test_a_message_may_have_65536_characters_as_json_and_no_more() -> None:
    longest = limits.MESSAGE_CHARS_MAX - TEXT_FRAME
    built = build_content("message", "text", content(text="é" * longest))
    assert len(stored_content(built, None, None)) == limits.MESSAGE_CHARS_MAX
    with pytest.raises(ChathooksError) as caught:
        stored_content(built, "m", None)
    assert caught.value.code == "ERR_INVALID_MESSAGE_DATA"


def test_a_media_message_needs_attachments_with_web_addresses() -> None:
    assert build_content("message", "image", content(attachments=[PHOTO])).attachments
    assert refusal("message", "image", content(text="look")) == "ERR_EMPTY_MESSAGE_FILE"
    many = content(attachments=[PHOTO] * (limits.ATTACHMENTS_MAX + 1))
    assert refusal("message", "image", many) == "ERR_INVALID_MEDIA_MESSAGE"
    wrong = content(attachments=[{"url": "javascript:alert(1)"}])
    assert refusal("message", "image", wrong) == "ERR_INVALID_MEDIA_MESSAGE"


def test_a_custom_message_needs_custom_data_of_at_most_10_kb() -> None:
    assert refusal("custom", "poll", content()) == "ERR_EMPTY_CUSTOM_DATA"
    assert refusal("custom", "poll", content(customData={})) == "ERR_EMPTY_CUSTOM_DATA"
    frame = len(msgspec.json.encode({"customData": {"a": ""}}))
    fits = content(customData={"a": "x" * (limits.MESSAGE_DATA_BYTES_MAX - frame)})
    build_content("custom", "poll", fits)
    beyond = content(customData={"a": "x" * (limits.MESSAGE_DATA_BYTES_MAX - frame + 1)})
    assert refusal("custom", "poll", beyond) == "ERR_INVALID_MESSAGE_DATA"


def test_message_metadata_has_at_most_5_kb() -> None:
    frame = len('{"a":""}')
    fits = {"a": "x" * (limits.MESSAGE_METADATA_BYTES_MAX - frame)}
    build_content("message", "text", content(text="hi", metadata=fits))
    beyond = {"a": "x" * (limits.MESSAGE_METADATA_BYTES_MAX - frame + 1)}
    assert refusal("message", "text", content(text="hi", metadata=beyond)) == "ERR_INVALID_METADATA"


@pytest.mark.parametrize("url", ["ftp://a.example", "a.example/x", "https://", "https://a b"])
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ChathooksError) as caught:
        checked_url("avatar", url)
    assert (caught.value.code, list(caught.value.details)) == ("ERR_BAD_REQUEST", ["avatar"])


def test_tags_are_kept_once_in_order() -> None:
    assert stored_tags(["b", "a", "b"]) == '["b","a"]'
    assert stored_tags([]) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["@private", "a", "b"]), json_values))
def test_what_is_private_is_parted_and_put_back(metadata: dict[str, Any]) -> None:
    public, private = stored_metadata(metadata)
    assert public is not None
    assert "@private" not in msgspec.json.decode(public)
    whole = whole_metadata(public, private)
    assert whole is not None
    assert msgspec.json.decode(whole) == plain(metadata)


def test_an_auth_token_names_the_user_and_the_second() -> None:
    assert auth_token("bob", 1_700_000_000, seeded_random) == (
        "bob_1700000000000102030405060708090a0b0c0d0e0f10111213"
    )


@pytest.mark.anyio
async def test_a_password_is_kept_as_a_salted_hash() -> None:
    hashed = await hashed_password("secret", system_random)
    assert b"secret" not in hashed
    assert hashed != await hashed_password("secret", system_random)
    assert password_matches("secret", hashed)
    assert not password_matches("Secret", hashed)
