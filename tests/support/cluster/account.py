"""The account at the end of a load: what the contract promises, held against the delivery log and what arrived."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from support.cluster.load import GROUP, Load
from support.cluster.nodes import Cluster
from support.crash.process import LIVE, Client, deliveries, until
from support.crash.sink import Arrival

DRAIN_S_MAX = 60.0
INTERRUPTED = "interrupted"


@dataclass
class Account:
    """What was found."""

    acknowledged: int = 0
    unanswered_kept: int = 0
    unknown: int = 0
    deliveries: int = 0
    attempts: int = 0
    interrupted: int = 0
    duplicates: int = 0

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} messages answered, {self.unanswered_kept} of {self.unknown} unanswered ones kept, "
            f"{self.deliveries} deliveries, 0 lost, {self.attempts} attempts, {self.interrupted} interrupted, "
            f"{self.duplicates} duplicates, all of them such"
        )


async def drained(cluster: Cluster, *, timeout_s: float = DRAIN_S_MAX) -> None:
    """Wait until everything is fanned out and every delivery has ended."""
    statement = (
        "SELECT (SELECT coalesce(max(position), 0) FROM feed) - (SELECT position FROM fanout), "
        "(SELECT count(*) FROM deliveries WHERE state IN (0, 1, 2, 7))"
    )

    async def ended() -> bool:
        return tuple(cluster.rows(statement)[0]) == (0, 0)

    try:
        await until(ended, timeout_s, 0.05)
    except AssertionError:
        left = cluster.rows(
            "SELECT lane, number, state, attempt, due_at FROM deliveries WHERE state IN (0, 1, 2, 7) LIMIT 5"
        )
        about = (cluster.rows(statement), left, cluster.owners(), cluster.leader())
        raise AssertionError(f"it does not end: {about}") from None


async def all_messages(client: Client) -> set[str]:
    """Ids of all messages that users sent and the API shows."""
    found: set[str] = set()
    query = "limit=1000"
    while page := (await client.call("GET", f"/messages?{query}")).data:
        found |= {str(message["id"]) for message in page if message["category"] == "message"}
        query = f"limit=1000&affix=prepend&id={min(int(message['id']) for message in page)}"
    return found


async def settle_account(load: Load, *, drain_s: float = DRAIN_S_MAX) -> Account:
    """Let everything end, and hold the promises against log and arrivals."""
    cluster = load.cluster
    await drained(cluster, timeout_s=drain_s)
    client = cluster.client(cluster.api_nodes[0])
    try:
        messages = await all_messages(client)
        assert load.acknowledged <= messages, "answered and not kept"
        account = Account(acknowledged=len(load.acknowledged), unknown=load.unknown)
        account.unanswered_kept = len(messages - load.acknowledged)
        for webhook in load.webhooks:
            await _check_webhook(client, webhook, messages, load, account)
    finally:
        client.close()
    return account


async def _check_webhook(
    client: Client, webhook: str, messages: set[str], load: Load, account: Account
) -> None:
    live = await client.call("GET", f"/webhooks/{webhook}/deliveries?state={LIVE}&limit=1")
    assert live.data == []
    log = await deliveries(client, webhook)
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in load.sink.of(webhook):
        arrivals[arrival.event_id].append(arrival)
    assert sorted(one["number"] for one in log) == list(range(1, len(messages) + 1)), webhook
    delivered = set()
    first_runs: list[Arrival] = []
    for one in log:
        found = arrivals[one["eventId"]]
        first_runs += _check_delivery(one, found, account)
        delivered |= {str(arrival.data["message"]["id"]) for arrival in found}
    assert delivered == messages, webhook
    assert set(arrivals) == {one["eventId"] for one in log}, webhook
    account.deliveries += len(log)
    check_sequences(load.sink.of(webhook))
    if webhook == "ordered":
        check_order(sorted(first_runs, key=lambda arrival: arrival.at_s))


def _check_delivery(one: dict[str, Any], found: list[Arrival], account: Account) -> list[Arrival]:
    """One delivery: delivered, and every request that came has its line in the log; answers the requests of attempts
    that were recorded."""
    about = (one, [(arrival.headers, arrival.status) for arrival in found])
    assert one["state"] == "delivered", about
    assert {arrival.number for arrival in found} == {one["number"]}, about
    logged = {attempt["number"]: attempt for attempt in one["attempts"]}
    assert sorted(logged) == list(range(1, len(logged) + 1)), about
    assert len({arrival.attempt for arrival in found}) == len(found), about
    recorded = []
    for arrival in found:
        attempt = logged[arrival.attempt]
        if attempt.get("failure") == INTERRUPTED:
            # The only reason for which an acknowledged delivery may be sent again.
            account.duplicates += arrival.status == 200
        else:
            assert attempt.get("status") == arrival.status, about
            recorded.append(arrival)
    failures = Counter(attempt.get("failure") for attempt in one["attempts"])
    account.attempts += len(logged)
    account.interrupted += failures[INTERRUPTED]
    assert set(failures) <= {None, INTERRUPTED, "http_status"}, about
    assert failures[None] == 1, about
    return recorded


def conversation(arrival: Arrival) -> tuple[str, ...]:
    message = arrival.data["message"]
    if message["receiverType"] == "group":
        return (GROUP,)
    return tuple(sorted((message["sender"], message["receiver"])))


def check_sequences(arrivals: list[Arrival]) -> None:
    """No sequence of a stream was given twice or left out."""
    numbers: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for arrival in arrivals:
        numbers[conversation(arrival)][arrival.event_id] = int(
            arrival.headers["chathooks-sequence"]
        )
    for stream, by_event in numbers.items():
        found = sorted(by_event.values())
        # The group's first ones were its members' coming.
        first = found[0] if stream == (GROUP,) else 1
        assert found == list(range(first, first + len(found))), stream


def check_order(arrivals: list[Arrival]) -> None:
    """Events of one conversation came strictly one after the other (§3.4)."""
    latest: dict[tuple[str, ...], tuple[int, float]] = {}
    for arrival in arrivals:
        stream, sequence = conversation(arrival), int(arrival.headers["chathooks-sequence"])
        before, ended_at_s = latest.get(stream, (0, 0.0))
        assert sequence >= before, (stream, before, sequence)
        if sequence > before:
            assert arrival.at_s >= ended_at_s, (stream, before, sequence)
        latest[stream] = (sequence, arrival.answered_at_s or arrival.at_s)
