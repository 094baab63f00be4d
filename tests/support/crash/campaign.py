"""Rounds of traffic against a served process that is killed in each, and the account at the end."""

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from support.crash.process import (
    LIVE,
    Client,
    Served,
    deliveries,
    make_users,
    make_webhook,
    say,
    until,
)
from support.crash.sink import Arrival, Sink

USERS = ("ann", "ben", "cem", "dua")
SENDERS = 5
SETTINGS = {
    "CHATHOOKS_RETRY_SCHEDULE": "0.2,0.4",
    # An answer that the busy machine of a test run delays must not count as a failed attempt.
    "CHATHOOKS_REQUEST_TIMEOUT": "10",
}
SUBSCRIBED = ("plain", "flaky", "ordered", "slow")
SILENT = ("disabled", "elsewhere")
KILL_AFTER_READY_S = (0.02, 0.7)
KILL_AFTER_SPAWN_S = (0.0, 0.7)
STARTS_KILLED_EARLY = 0.2
STARTS_STOPPED_GENTLY = 0.15
RESTART_S_MAX = 10.0
"""Delivery contract §7: an attempt in flight at a crash is made again within 10 s of the start."""
DRAIN_S_MAX = 30.0
ROUNDS_DRAINED_IN_THAT = 20
DRAIN_S_PER_FURTHER_ROUND = 0.5
"""The slow endpoint's backlog grows with the rounds of a long run."""
MS_PER_S = 1000


@dataclass
class Account:
    """What the campaign found."""

    rounds: int = 0
    acknowledged: int = 0
    unacknowledged_kept: int = 0
    deliveries: int = 0
    interrupted: int = 0
    duplicates: int = 0

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.acknowledged} messages answered, "
            f"{self.unacknowledged_kept} kept unanswered, {self.deliveries} deliveries, 0 lost, "
            f"{self.interrupted} attempts interrupted, {self.duplicates} duplicates, all of them such"
        )


@dataclass
class Campaign:
    """Make it, `run` it, then `account`."""

    server: Served
    random: random.Random
    acknowledged: set[str] = field(default_factory=set)
    spawned_at_ms: list[int] = field(default_factory=list)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._failed_once: set[tuple[str, str]] = set()
        self._failing = random.Random(self.random.random())
        self.sink = Sink(answer=self._answer, delay_s=self._delay_s)

    def _answer(self, arrival: Arrival) -> int:
        share = {"flaky": 0.2, "ordered": 0.03}.get(arrival.webhook, 0.0)
        key = (arrival.webhook, arrival.event_id)
        if key not in self._failed_once and self._failing.random() < share:
            self._failed_once.add(key)
            return 500
        return 200

    def _delay_s(self, arrival: Arrival) -> float:
        return self._failing.uniform(0.005, 0.04) if arrival.webhook == "slow" else 0.0

    # -- rounds ------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        await self._spawn()
        await self.server.ready()
        client = self.server.client()
        await make_users(client, *USERS)
        url = self.sink.url
        await make_webhook(client, "plain", url("plain"))
        await make_webhook(client, "flaky", url("flaky"), retryOnFailure=True)
        await make_webhook(client, "ordered", url("ordered"), retryOnFailure=True, ordered=True)
        await make_webhook(client, "slow", url("slow"), maxConcurrency=20)
        await make_webhook(client, "disabled", url("disabled"), enabled=False)
        await make_webhook(client, "elsewhere", url("elsewhere"), triggers=["group_created"])
        client.close()
        await self.server.kill()

    async def _spawn(self) -> None:
        self.spawned_at_ms.append(time.time_ns() // 1_000_000)
        await self.server.spawn()

    async def round(self) -> None:
        """Start, send, end it at a random instant."""
        self.rounds += 1
        await self._spawn()
        if self.random.random() < STARTS_KILLED_EARLY:
            await self._pass(self.random.uniform(*KILL_AFTER_SPAWN_S))
            await self.server.kill()
            return
        await self.server.ready()
        senders = [asyncio.create_task(self._send(place)) for place in range(SENDERS)]
        await self._pass(self.random.uniform(*KILL_AFTER_READY_S))
        if self.random.random() < STARTS_STOPPED_GENTLY:
            assert await self.server.stop() == 0
        else:
            await self.server.kill()
        await asyncio.gather(*senders)

    async def _pass(self, seconds: float) -> None:
        # Not a wait for anything: the instant of the kill is what the round is about.
        await asyncio.sleep(seconds)

    async def _send(self, place: int) -> None:
        client = self.server.client()
        picked = random.Random(self.rounds * 100 + place)
        try:
            while True:
                sender, receiver = picked.sample(USERS, 2)
                answer = await say(client, sender, receiver)
                if answer.status == 503:
                    return  # it is stopping
                self.acknowledged.add(answer.data["id"])
        except (OSError, EOFError):
            return  # the server is gone; whether the message exists is not known
        finally:
            client.close()

    # -- the account -------------------------------------------------------------------------------------

    async def account(self) -> Account:
        """Start once more, let everything end, and hold the promises against log and arrivals."""
        await self._spawn()
        await self.server.ready()
        client = self.server.client()
        further = max(0, self.rounds - ROUNDS_DRAINED_IN_THAT)
        for webhook in SUBSCRIBED:

            async def ended(webhook: str = webhook) -> bool:
                path = f"/webhooks/{webhook}/deliveries?state={LIVE}&limit=1"
                return not (await client.call("GET", path)).data

            try:
                await until(ended, DRAIN_S_MAX + further * DRAIN_S_PER_FURTHER_ROUND)
            except AssertionError:
                path = f"/webhooks/{webhook}/deliveries?state={LIVE}&limit=3"
                left = (await client.call("GET", path)).data
                raise AssertionError(f"{webhook} does not end: {left}") from None
        messages = await all_messages(client)
        assert self.acknowledged <= messages
        account = Account(self.rounds, len(self.acknowledged))
        account.unacknowledged_kept = len(messages - self.acknowledged)
        for webhook in SUBSCRIBED:
            log = await deliveries(client, webhook)
            self._check_webhook(webhook, messages, log, account)
        for webhook in SILENT:
            assert await deliveries(client, webhook) == []
            assert self.sink.of(webhook) == []
        check_order(self.sink.of("ordered"))
        client.close()
        return account

    def _check_webhook(
        self, webhook: str, messages: set[str], log: list[dict[str, Any]], account: Account
    ) -> None:
        arrivals: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in self.sink.of(webhook):
            arrivals[arrival.event_id].append(arrival)
        assert sorted(one["number"] for one in log) == list(range(1, len(messages) + 1)), webhook
        delivered = set()
        for one in log:
            found = arrivals[one["eventId"]]
            self._check_delivery(one, found, account)
            delivered |= {str(arrival.data["message"]["id"]) for arrival in found}
        assert delivered == messages, webhook
        assert set(arrivals) == {one["eventId"] for one in log}, webhook
        account.deliveries += len(log)

    def _check_delivery(self, one: dict[str, Any], found: list[Arrival], account: Account) -> None:
        about = (one, [(arrival.headers, arrival.status) for arrival in found])
        assert one["state"] == "delivered", about
        assert {arrival.number for arrival in found} == {one["number"]}, about
        logged = {attempt["number"]: attempt for attempt in one["attempts"]}
        assert sorted(logged) == list(range(1, len(logged) + 1)), about
        assert len({arrival.attempt for arrival in found}) == len(found), about
        for arrival in found:
            attempt = logged[arrival.attempt]
            if attempt.get("failure") == "interrupted":
                account.duplicates += arrival.status == 200
            else:
                assert attempt.get("status") == arrival.status, about
        failures = Counter(attempt.get("failure") for attempt in one["attempts"])
        account.interrupted += failures["interrupted"]
        assert set(failures) <= {None, "interrupted", "http_status"}, about
        assert failures[None] == 1, about
        self._check_restart(one["attempts"], about)

    def _check_restart(self, attempts: list[dict[str, Any]], about: object) -> None:
        for cut, again in itertools.pairwise(attempts):
            if cut.get("failure") == "interrupted" != again.get("failure"):
                started = max(at for at in self.spawned_at_ms if at <= cut["startedAt"])
                assert again["startedAt"] - started <= RESTART_S_MAX * MS_PER_S, about


def check_order(arrivals: list[Arrival]) -> None:
    """Each conversation came strictly in order, and its sequence has no gap (§1, §3.4)."""
    conversations: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for arrival in arrivals:
        message = arrival.data["message"]
        pair = tuple(sorted((message["sender"], message["receiver"])))
        conversations[pair].append(int(arrival.headers["chathooks-sequence"]))
    for pair, sequences in conversations.items():
        assert sequences == sorted(sequences), pair
        assert set(sequences) == set(range(1, max(sequences) + 1)), pair


async def all_messages(client: Client) -> set[str]:
    """Ids of all messages that the API shows."""
    found: set[str] = set()
    query = "limit=1000"
    while page := (await client.call("GET", f"/messages?{query}")).data:
        found |= {str(message["id"]) for message in page}
        query = f"limit=1000&affix=prepend&id={min(int(message['id']) for message in page)}"
    return found
