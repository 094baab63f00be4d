"""News as they travel."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathooks.adapters.nats.messages import (
    KEYS_MAX,
    MESSAGE_BYTES_MAX,
    Gathered,
    UnreadableNews,
    decode,
    encode,
)
from chathooks.kernel.news import EVERYTHING
from chathooks.kernel.transactions import Topic

INT64_MAX = 2**63 - 1
topics = st.sampled_from(Topic)
keys = st.integers(min_value=EVERYTHING, max_value=INT64_MAX)


@given(st.dictionaries(topics, st.sets(keys, max_size=KEYS_MAX)))
def test_what_is_encoded_is_decoded(news: dict[Topic, set[int]]) -> None:
    wanted = {(topic, key) for topic, each in news.items() for key in each}

    assert set(decode(encode(news))) == wanted


@given(st.lists(st.tuples(topics, keys), max_size=600))
def test_gathered_news_are_told_once_or_stand_under_everything(
    news: Iterable[tuple[Topic, int]],
) -> None:
    gathered = Gathered()
    for topic, key in news:
        gathered.add(topic, key)

    told = list(decode(gathered.take()))

    assert len(told) == len(set(told))
    assert all((t, k) in told or (t, EVERYTHING) in told for t, k in news)
    assert not gathered


def test_any_number_of_news_fits_in_one_message() -> None:
    gathered = Gathered()
    for topic in Topic:
        for below in range(KEYS_MAX):
            gathered.add(topic, INT64_MAX - below)
    assert len(gathered) == KEYS_MAX * len(Topic)
    assert len(encode(dict.fromkeys(Topic, [INT64_MAX] * KEYS_MAX))) <= MESSAGE_BYTES_MAX / 2

    for topic in Topic:
        gathered.add(topic, 0)

    assert set(decode(gathered.take())) == {(topic, EVERYTHING) for topic in Topic}


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_news_or_unreadable(data: bytes) -> None:
    try:
        told = list(decode(data))
    except UnreadableNews:
        return
    assert all(isinstance(topic, Topic) and key >= EVERYTHING for topic, key in told)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"feed":0}',
        b'{"feed":[-2]}',
        b'{"feed":[9223372036854775808]}',
        b'{"feed":["0"]}',
        b"[" * 60_000,
        b'{"feed":[' + b"0," * MESSAGE_BYTES_MAX + b"0]}",
    ],
)
def test_what_is_no_news_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableNews):
        list(decode(data))


def test_a_later_versions_topics_are_told_of_after_those_that_are_known() -> None:
    news = decode(b'{"sideways":[1],"webhook":[4]}')

    assert next(news) == (Topic.WEBHOOK, 4)
    with pytest.raises(UnreadableNews, match="topic"):
        next(news)
