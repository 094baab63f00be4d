"""The bell between nodes, on a real NATS."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from chathooks.adapters.nats import bell as bell_module
from chathooks.adapters.nats import line as line_module
from chathooks.adapters.nats.bell import SWEEP_EVERY_S, NatsBell
from chathooks.adapters.nats.messages import KEYS_MAX
from chathooks.adapters.nats.stream import stream_name, subject
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.news import EVERYTHING, News
from chathooks.kernel.telemetry import BELL_RECONNECTS
from chathooks.kernel.transactions import Topic
from support.certificates import Authority
from support.nats import nats_server, nats_url, url
from support.services import Service, running
from support.waiting import eventually

pytestmark = pytest.mark.anyio

STORE = "postgresql://db/chathooks"
NEWS_S_MAX = 0.1
TRIES = 5


class Node:
    """A hub with a bell, and what it heard."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.news = News()
        self.clock = ManualClock()
        self.heard: list[tuple[Topic, int]] = []
        for topic in Topic:
            self.news.subscribe(topic, partial(self._hear, topic))
        self.bell: NatsBell

    def _hear(self, topic: Topic, key: int) -> None:
        self.heard.append((topic, key))

    async def open(self, address: str, store: str = STORE, ca_file: Path | None = None) -> None:
        self.bell = await NatsBell.open(
            address, store, self.news, node=self.name, clock=self.clock,
            randomness=random.Random(self.name), ca_file=ca_file,
        )  # fmt: skip

    async def hears(self, topic: Topic, key: int, timeout_s: float = 15.0) -> None:
        await eventually(lambda: (topic, key) in self.heard, timeout_s)

    @property
    def rung_everything(self) -> int:
        return self.heard.count((Topic.KEYS, EVERYTHING))


@asynccontextmanager
async def nodes(address: str, *names: str) -> AsyncIterator[list[Node]]:
    async with AsyncExitStack() as stack:
        opened = [Node(name) for name in names]
        for node in opened:
            await node.open(address)
            stack.push_async_callback(node.bell.close)
        yield opened


@asynccontextmanager
async def client(address: str) -> AsyncIterator[Client]:
    connection = await nats.connect(address)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Service]:
    with running(nats_server(tmp_path)) as service:
        yield service


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with nats_url(tmp_path) as where:
        yield where


async def test_every_node_hears_the_others_soon_and_not_itself(address: str) -> None:
    async with nodes(address, "a", "b", "c") as (a, b, c):
        took_s = []
        for key in range(1, TRIES + 1):
            began = time.monotonic()
            a.bell.publish(Topic.WEBHOOK, key)
            b.bell.publish(Topic.FEED, key)
            await eventually(
                lambda key=key: (
                    {(Topic.WEBHOOK, key), (Topic.FEED, key)} <= set(c.heard)
                    and (Topic.WEBHOOK, key) in b.heard
                    and (Topic.FEED, key) in a.heard
                )
            )
            took_s.append(time.monotonic() - began)

        assert min(took_s) < NEWS_S_MAX
        assert {topic for topic, _ in a.heard} == {Topic.FEED}
        assert {topic for topic, _ in b.heard} == {Topic.WEBHOOK}


async def test_a_commit_of_one_node_reaches_the_listeners_of_another(address: str) -> None:
    async with nodes(address, "a", "b") as (a, b):
        a.news.committed(Topic.REPLAY, 7)

        await b.hears(Topic.REPLAY, 7)
        assert a.heard == [(Topic.REPLAY, 7)], "told once, by its own hub"


async def test_news_of_one_turn_go_as_one_message_and_a_flood_as_everything(address: str) -> None:
    async with client(address) as other, nodes(address, "a", "b") as (a, b):
        sent = await other.subscribe(subject(stream_name(STORE)))
        await other.flush()
        for _ in range(3):
            a.bell.publish(Topic.WEBHOOK, 1)
            a.bell.publish(Topic.WEBHOOK, 2)
            a.bell.publish(Topic.FEED, 0)

        assert json.loads((await sent.next_msg(5)).data) == {"webhook": [1, 2], "feed": [0]}

        for key in range(100_000):
            a.bell.publish(Topic.WEBHOOK, key)
        assert len(a.bell._gathered) <= KEYS_MAX
        assert json.loads((await sent.next_msg(5)).data) == {"webhook": [EVERYTHING]}
        await b.hears(Topic.WEBHOOK, EVERYTHING)


async def test_a_server_that_is_killed_and_comes_back_carries_news_again(server: Service) -> None:
    async with nodes(url(server), "a", "b") as (a, b):
        a.bell.publish(Topic.WEBHOOK, 1)
        await b.hears(Topic.WEBHOOK, 1)

        server.kill()
        for key in range(2, 1_000):
            a.bell.publish(Topic.WEBHOOK, key)
        assert len(a.bell._gathered) <= KEYS_MAX * len(Topic)
        server.start()

        await eventually(lambda: a.rung_everything > 0 and b.rung_everything > 0)
        b.bell.publish(Topic.REPLAY, 5)
        await a.hears(Topic.REPLAY, 5)


async def test_a_stream_that_is_deleted_is_made_again_and_everything_is_rung(address: str) -> None:
    async with client(address) as other, nodes(address, "a", "b") as (a, b):
        await other.request(f"$JS.API.STREAM.DELETE.{stream_name(STORE)}", b"")
        a.bell.publish(Topic.WEBHOOK, 1)

        await eventually(lambda: a.rung_everything > 0 and b.rung_everything > 0)
        a.bell.publish(Topic.REPLAY, 5)
        await b.hears(Topic.REPLAY, 5)


async def _consumers(other: Client) -> list[str]:
    answer = await other.request(f"$JS.API.CONSUMER.NAMES.{stream_name(STORE)}", b"")
    return list(json.loads(answer.data).get("consumers") or [])


async def test_a_consumer_that_is_deleted_is_made_again_and_misses_nothing(address: str) -> None:
    async with client(address) as other, nodes(address, "a") as (a,):
        (consumer,) = await _consumers(other)
        await other.request(f"$JS.API.CONSUMER.DELETE.{stream_name(STORE)}.{consumer}", b"")
        await other.publish(subject(stream_name(STORE)), b'{"webhook":[9]}')

        await a.hears(Topic.WEBHOOK, 9)
        assert a.rung_everything > 0


async def test_a_connection_that_is_cut_misses_nothing(address: str) -> None:
    async with client(address) as other, nodes(address, "a", "b") as (a, b):
        assert b.bell._line is not None
        socket = b.bell._line._client._transport
        assert socket is not None
        socket.close()  # type: ignore[no-untyped-call]
        for key in range(1, 50):
            a.bell.publish(Topic.WEBHOOK, key)
            await other.flush()

        for key in range(1, 50):
            await b.hears(Topic.WEBHOOK, key)


async def test_messages_that_were_dropped_on_the_way_show_as_a_gap(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "ARRIVED_MAX", 1)
    async with client(address) as other, nodes(address, "a") as (a,):
        before = BELL_RECONNECTS._value.get()
        for key in range(200):
            await other.publish(subject(stream_name(STORE)), b'{"webhook":[%d]}' % key)
        await other.flush()

        await eventually(lambda: a.rung_everything > 0)
        assert len(a.heard) < 200 + len(Topic) * a.rung_everything
        assert BELL_RECONNECTS._value.get() == before


@pytest.mark.parametrize(
    "data", [b"no json", b'{"feed":["x"]}', b'{"later":[1],"feed":[3]}', b"0" * 200_000]
)
async def test_garbage_is_a_reason_to_look_and_harms_nothing(address: str, data: bytes) -> None:
    async with client(address) as other, nodes(address, "a", "b") as (a, b):
        for _ in range(20):
            await other.publish(subject(stream_name(STORE)), data)
        await other.flush()
        b.bell.publish(Topic.REPLAY, 5)
        await a.hears(Topic.REPLAY, 5)

        assert a.rung_everything == 1, "at most once a second, and the clock stands"


async def test_two_stores_on_one_server_do_not_hear_each_other(address: str) -> None:
    async with nodes(address, "a", "b") as (a, b):
        other = Node("other")
        await other.open(address, "postgresql://db/another")
        try:
            other.bell.publish(Topic.WEBHOOK, 1)
            a.bell.publish(Topic.WEBHOOK, 2)
            await b.hears(Topic.WEBHOOK, 2)
            other.bell.publish(Topic.WEBHOOK, 3)
            b.bell.publish(Topic.WEBHOOK, 4)
            await a.hears(Topic.WEBHOOK, 4)
        finally:
            await other.bell.close()

        assert (a.heard, b.heard, other.heard) == (
            [(Topic.WEBHOOK, 4)],
            [(Topic.WEBHOOK, 2)],
            [],
        )


async def test_everything_is_rung_within_ten_seconds_again_and_again(address: str) -> None:
    async with nodes(address, "a") as (a,):
        for passed in range(1, 6):
            a.clock.advance(SWEEP_EVERY_S * 1_000)
            assert a.rung_everything >= passed


async def test_a_node_that_starts_again_is_heard(address: str) -> None:
    async with nodes(address, "b") as (b,):
        for key in (1, 2):
            node = Node("a")
            node.clock = ManualClock()
            bell = await NatsBell.open(
                address, STORE, node.news, node="a", clock=node.clock, randomness=random.Random()
            )
            bell.publish(Topic.WEBHOOK, key)
            await bell.close()
            await b.hears(Topic.WEBHOOK, key)


async def test_closing_leaves_neither_tasks_nor_a_consumer(address: str) -> None:
    async with client(address) as other:
        await other.request("$JS.API.INFO", b"")  # its own task for answers is there from now on
        before = asyncio.all_tasks()
        node = Node("a")
        await node.open(address)
        assert len(await _consumers(other)) == 1

        await node.bell.close()

        assert await _consumers(other) == []
        assert node.news.relay is None
        node.bell.publish(Topic.FEED, 1)
        await eventually(lambda: asyncio.all_tasks() <= before)


async def test_a_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    with (
        running(nats_server(tmp_path, jetstream=False)) as service,
        pytest.raises(StartRefused, match="has no JetStream") as refused,
    ):
        await Node("a").open(url(service))
    assert refused.value.code == "ERR_NATS"


async def test_a_node_starts_while_nats_is_away_and_hears_others_once_it_is_there(
    server: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is owed is in NATS, so a node that restarts during its outage must not stay away with it."""
    monkeypatch.setattr(bell_module, "START_S_MAX", 0.5)
    server.kill()
    async with nodes(url(server), "a", "b") as (a, b):
        await eventually(lambda: b.rung_everything > 0)
        server.start()
        await eventually(lambda: a.bell._line is not None and b.bell._line is not None, 20.0)
        a.bell.publish(Topic.WEBHOOK, 1)
        await b.hears(Topic.WEBHOOK, 1)


async def test_a_wrong_password_is_refused_and_not_told(tmp_path: Path) -> None:
    config = 'authorization { user: node, password: "right:p@ss" }\n'
    with running(nats_server(tmp_path, config=config)) as service:
        good = f"nats://node:right%3Ap%40ss@127.0.0.1:{service.port}"
        async with nodes(good, "a", "b") as (a, b):
            a.bell.publish(Topic.WEBHOOK, 1)
            await b.hears(Topic.WEBHOOK, 1)
        with pytest.raises(StartRefused, match="does not accept the user") as refused:
            await Node("a").open(f"nats://node:wr0ng@127.0.0.1:{service.port}")
    assert "wr0ng" not in str(refused.value) + refused.value.message


async def test_a_token_in_the_address_is_used(tmp_path: Path) -> None:
    config = 'authorization { token: "s3cret" }\n'
    with running(nats_server(tmp_path, config=config)) as service:
        async with nodes(f"nats://s3cret@127.0.0.1:{service.port}", "a", "b") as (a, b):
            a.bell.publish(Topic.WEBHOOK, 1)
            await b.hears(Topic.WEBHOOK, 1)


@pytest.mark.parametrize("given", ["http://host", "nats://", "nats://h:port", "", "nats://h/db"])
async def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(StartRefused, match="CHATHOOKS_NATS_URL is nats://"):
        await Node("a").open(given)


async def test_tls_is_spoken_where_asked_for_and_nothing_else(
    tmp_path: Path, server: Service
) -> None:
    authority = Authority(tmp_path)
    pem = authority.pem("127.0.0.1")
    config = f'tls {{ cert_file: "{pem}", key_file: "{pem}" }}\n'
    folder = tmp_path / "tls"
    folder.mkdir()
    with running(nats_server(folder, config=config)) as service:
        secure = f"tls://127.0.0.1:{service.port}"
        a, b = Node("a"), Node("b")
        await a.open(secure, ca_file=authority.ca_file)
        await b.open(secure, ca_file=authority.ca_file)
        a.bell.publish(Topic.WEBHOOK, 1)
        await b.hears(Topic.WEBHOOK, 1)
        await a.bell.close()
        await b.bell.close()
    with pytest.raises(StartRefused, match="NoTls"):
        await Node("c").open(f"tls://127.0.0.1:{server.port}", ca_file=authority.ca_file)
