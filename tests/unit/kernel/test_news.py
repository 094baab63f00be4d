"""What commits say reaches those who asked, here and elsewhere, whatever one of them does."""

import pytest

from chathooks.kernel.news import EVERYTHING, News
from chathooks.kernel.transactions import Topic


class Heard:
    def __init__(self, news: News, *topics: Topic) -> None:
        self.keys: list[int] = []
        self.ends = [news.subscribe(topic, self.keys.append) for topic in topics]


def test_listeners_hear_their_topic_alone() -> None:
    news = News()
    feed, webhook = Heard(news, Topic.FEED), Heard(news, Topic.WEBHOOK)
    news.ring(Topic.WEBHOOK, 7)
    assert (feed.keys, webhook.keys) == ([], [7])


def test_what_was_committed_here_is_relayed_and_what_comes_from_elsewhere_is_not() -> None:
    news, relayed = News(), []
    heard = Heard(news, Topic.KEYS)
    news.relay = lambda topic, key: relayed.append((topic, key))
    news.committed(Topic.KEYS, 1)
    news.ring(Topic.KEYS, 2)
    news.ring_everything()
    assert relayed == [(Topic.KEYS, 1)]
    assert heard.keys == [1, 2, EVERYTHING]


def test_everything_reaches_every_topic() -> None:
    news = News()
    heard = Heard(news, *Topic)
    news.ring_everything()
    assert heard.keys == [EVERYTHING] * len(Topic)


def test_who_has_unsubscribed_hears_nothing_more_and_may_say_so_twice() -> None:
    news = News()
    heard = Heard(news, Topic.FEED)
    for _ in range(2):
        heard.ends[0]()
    news.ring(Topic.FEED, 0)
    assert heard.keys == []


def test_a_listener_may_unsubscribe_while_it_is_told() -> None:
    news, heard = News(), []

    def once(key: int) -> None:
        heard.append(key)
        end()

    end = news.subscribe(Topic.FEED, once)
    other = Heard(news, Topic.FEED)
    news.ring(Topic.FEED, 1)
    news.ring(Topic.FEED, 2)
    assert (heard, other.keys) == ([1], [1, 2])


def test_a_fault_of_one_listener_is_logged_and_the_others_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    news = News()

    def fails(_key: int) -> None:
        raise RuntimeError("broken listener")

    news.subscribe(Topic.FEED, fails)
    heard = Heard(news, Topic.FEED)
    news.committed(Topic.FEED, 3)
    assert heard.keys == [3]
    told = capsys.readouterr()
    assert "a listener failed" in told.out + told.err
