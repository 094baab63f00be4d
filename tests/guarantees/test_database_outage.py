"""PostgreSQL restarted and killed under load: nothing answered is lost, nothing is made twice, and it goes on by itself.

Delivery contract §3.1 and §3.2: "a call that changed chat state and was answered has its events stored in the same
transaction"; "duplicates come only from attempts in flight at a crash, … or while the store cannot record". §7: "503
ERR_STORE_UNAVAILABLE", with Retry-After.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.schema import apply
from support.crash.campaign import check_order
from support.crash.process import (
    LIVE,
    Client,
    Served,
    deliveries,
    make_users,
    make_webhook,
    say,
    served,
    until,
)
from support.crash.sink import Sink
from support.postgres import Databases, NoPostgres, PrivateServer
from support.stores import SECRET_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.only("postgres"), pytest.mark.timeout(300)]

IN_CI = os.environ.get("CI") == "true"
SENDERS = 4
ANSWERED_BEFORE = 30
ENDED_S_MAX = 60.0
RECOVERED_S_MAX = 30.0
SETTINGS = {"CHATHOOKS_RETRY_SCHEDULE": "0.2,0.4", "CHATHOOKS_REQUEST_TIMEOUT": "10"}


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    """A server of this module's own: others must not be disturbed."""
    try:
        private = PrivateServer()
        private.start()
    except NoPostgres as error:
        if IN_CI:
            raise
        pytest.skip(f"no PostgreSQL: {error}")
    yield private
    private.close()


@pytest.fixture
async def chathooks(tmp_path: Path, server: PrivateServer) -> AsyncIterator[Served]:
    """`chathooks serve` on a database of that server."""
    databases = Databases(server.url(), stem=tmp_path.name[-20:])
    url = databases.make()
    connection = await Database(url=url).connect_or_refuse()
    await apply(connection)
    await connection.close()
    settings = {**SETTINGS, "CHATHOOKS_DATABASE_URL": url, "CHATHOOKS_SECRET_KEY": SECRET_KEY}
    async with served(tmp_path, settings) as running:
        yield running


class Load:
    """Messages sent side by side until it is ended; notes what was answered how."""

    def __init__(self, chathooks: Served) -> None:
        self._chathooks = chathooks
        self.answered: set[str] = set()
        self.refused = 0
        self.after_break = 0
        self.broken = False
        self._ending = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._send(place)) for place in range(SENDERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def _send(self, place: int) -> None:
        client = self._chathooks.client()
        while not self._ending:
            answer = await say(client, f"user{place % 2}", f"user{2 + place % 2}")
            if answer.status == 503:
                self.refused += 1
                assert answer.code == "ERR_STORE_UNAVAILABLE"
                assert int(answer.headers["retry-after"]) >= 1
                await asyncio.sleep(0.05)
            else:
                self.answered.add(str(answer.data["id"]))
                self.after_break += self.broken
        client.close()

    async def answers(self, count: int) -> None:
        """Wait until so many messages were answered."""
        wanted = len(self.answered) + count

        async def enough() -> bool:
            return len(self.answered) >= wanted

        await until(enough, RECOVERED_S_MAX)


async def _prepare(client: Client, sink: Sink) -> None:
    await make_users(client, *(f"user{place}" for place in range(4)))
    await make_webhook(client, "plain", sink.url("plain"), retryOnFailure=True)
    await make_webhook(client, "ordered", sink.url("ordered"), retryOnFailure=True, ordered=True)


async def _all_ended(client: Client) -> None:
    for webhook in ("plain", "ordered"):

        async def ended(webhook: str = webhook) -> bool:
            path = f"/webhooks/{webhook}/deliveries?state={LIVE}&limit=1"
            return not (await client.call("GET", path)).data

        await until(ended, ENDED_S_MAX)


async def _account(client: Client, sink: Sink, answered: set[str]) -> None:
    """Every answered message came at each webhook under one number, and nothing acknowledged and recorded came twice."""
    for webhook in ("plain", "ordered"):
        log = await deliveries(client, webhook)
        assert sorted(one["number"] for one in log) == list(range(1, len(log) + 1))
        assert {one["state"] for one in log} == {"delivered"}
        arrivals = sink.of(webhook)
        assert answered <= {str(arrival.data["message"]["id"]) for arrival in arrivals}
        attempts = {
            (one["number"], attempt["number"]): attempt
            for one in log
            for attempt in one["attempts"]
        }
        seen = [(arrival.number, arrival.attempt) for arrival in arrivals]
        assert len(set(seen)) == len(seen)
        assert set(seen) <= set(attempts)
        for one in log:
            kept = [attempt for attempt in one["attempts"] if attempt.get("failure") is None]
            assert len(kept) == 1, one
    check_order(sink.of("ordered"))


BREAKS: dict[str, Callable[[PrivateServer], None]] = {
    "restarted": lambda server: server.restart(),
    "killed": lambda server: (server.kill(), server.start())[1],
}


@pytest.mark.parametrize("how", BREAKS)
async def test_a_database_that_is_gone_for_a_moment_costs_no_answered_message(
    chathooks: Served, server: PrivateServer, how: str
) -> None:
    async with Sink(answer=lambda _: 200, delay_s=lambda _: 0.002) as sink:
        client = chathooks.client()
        await _prepare(client, sink)
        async with Load(chathooks) as load:
            for _ in range(3):
                await load.answers(ANSWERED_BEFORE)
                await asyncio.to_thread(BREAKS[how], server)
                load.broken = True
            await load.answers(ANSWERED_BEFORE)
        assert load.after_break > 0
        await _all_ended(client)
        await _account(client, sink, load.answered)
        client.close()
    assert not [line for line in chathooks.lines if "critical" in line]


async def test_while_the_database_is_away_calls_are_refused_and_it_goes_on_once_it_is_back(
    chathooks: Served, server: PrivateServer
) -> None:
    async with Sink(answer=lambda _: 200, delay_s=lambda _: 0.0) as sink:
        client = chathooks.client()
        await _prepare(client, sink)
        async with Load(chathooks) as load:
            await load.answers(ANSWERED_BEFORE)
            await asyncio.to_thread(server.kill)

            async def refusing() -> bool:
                return load.refused >= SENDERS

            await until(refusing, RECOVERED_S_MAX)
            ready = await client.call("GET", "/triggers/message_sent")
            assert ready.status in (200, 503)
            await asyncio.to_thread(server.start)
            await load.answers(ANSWERED_BEFORE)
        await _all_ended(client)
        await _account(client, sink, load.answered)
        client.close()
