"""Mentions in texts."""

import re

from hypothesis import given
from hypothesis import strategies as st

from chathooks.chat.mentions import mentioned_uids

uids = st.from_regex(re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII), fullmatch=True)
plain = st.text(alphabet=st.characters(exclude_characters="<>", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(plain, uids), max_size=10), plain)
def test_every_mention_is_found_once_in_order(parts: list[tuple[str, str]], tail: str) -> None:
    text = "".join(f"{before}<@uid:{uid}>" for before, uid in parts) + tail
    assert mentioned_uids(text) == list(dict.fromkeys(uid.lower() for _, uid in parts))


@given(plain)
def test_a_text_without_marks_mentions_nobody(text: str) -> None:
    assert mentioned_uids(text) == []


@given(st.text())
def test_whatever_is_found_stands_in_the_text_and_is_a_uid(text: str) -> None:
    for uid in mentioned_uids(text):
        assert re.fullmatch(r"[a-z0-9_-]{1,100}", uid)
        assert f"<@uid:{uid}>" in text.lower()


def test_what_only_looks_like_a_mention_is_none() -> None:
    for text in ("<@uid:>", "<@uid:a b>", "<@uid:é>", "@uid:a", "<@uid:a", f"<@uid:{'a' * 101}>"):
        assert mentioned_uids(text) == []
    assert mentioned_uids(None) == []
