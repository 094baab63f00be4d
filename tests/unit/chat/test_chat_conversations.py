"""Display ids of conversations (delivery contract §7 "Conversations")."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chathooks.chat.conversations import possible_guid, possible_pairs
from chathooks.chat.views import group_conversation_id, user_conversation_id

words = st.sampled_from(["a", "b", "_", "user", "_user_", "group_", "-", "0"])
ids = st.lists(words, min_size=1, max_size=6).map("".join)


@given(ids, ids)
def test_a_pair_is_among_those_that_its_display_id_may_stand_for(uid: str, other: str) -> None:
    shown = user_conversation_id(uid, other)
    assert shown == user_conversation_id(other, uid)
    assert tuple(sorted((uid, other))) in possible_pairs(shown)


@given(ids)
def test_every_pair_found_shows_the_id_it_was_found_by(text: str) -> None:
    for first, second in possible_pairs(text):
        assert user_conversation_id(first, second) == text


@given(ids)
def test_a_guid_is_read_back_from_its_display_id(guid: str) -> None:
    assert possible_guid(group_conversation_id(guid)) == guid


@given(st.text())
def test_what_shows_no_group_has_no_guid(text: str) -> None:
    assert (possible_guid(text) is not None) == bool(re.match(r"group_(?s:.)", text))
