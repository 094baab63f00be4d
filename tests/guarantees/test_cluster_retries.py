"""Retries on the real clock while the nodes that have them are killed: delivery contract §2, §3.4.

"Never early, and at most 250 ms late … The schedule survives a restart": here it survives the node that began it, twice;
so do what an ordered webhook holds back, and the end of what waits at a webhook that is switched off.
"""

from pathlib import Path

import pytest

from support.cluster.nodes import Cluster, running_cluster
from support.crash.process import Client, deliveries, make_users, make_webhook, say, until
from support.crash.sink import Arrival, Sink

pytestmark = [pytest.mark.anyio, pytest.mark.realclock, pytest.mark.timeout(240)]

LATE_S_MAX = 0.250
SECOND_AFTER_S = 10.0
THIRD_AFTER_S = 30.0
TAKEN_OVER_S_MAX = 9.0
"""Well before the retry is due, else nothing would be shown of its time."""
AT_ONCE_S_MAX = 2.0
WEBHOOKS = ("steady", "ordered", "off")


class Late(Exception):
    """A retry came later than promised, which a busy machine can do to any program."""


def status(arrival: Arrival) -> int:
    """Everything fails but what the ordered webhook gets after its very first attempt."""
    first = (arrival.number, arrival.attempt) == (1, 1)
    return 200 if arrival.webhook == "ordered" and not first else 500


def on_time(before: Arrival, after: Arrival, wanted_s: float) -> None:
    assert before.answered_at_s is not None
    gap_s = after.at_s - before.answered_at_s
    assert gap_s >= wanted_s, f"a retry was early: {gap_s:.3f} s"
    if gap_s > wanted_s + LATE_S_MAX:
        raise Late(f"{gap_s:.3f} s instead of {wanted_s:g} s")


async def killed_owner(cluster: Cluster, webhook: str) -> str:
    """Kill the node that delivers for a webhook and wait until others do."""
    name = cluster.owner_of_lane(webhook)
    assert name is not None
    await cluster.kill(name)
    others = [one for one in cluster.workers if one != name]
    await cluster.settled(*others, timeout_s=TAKEN_OVER_S_MAX)
    return name


async def scenario(folder: Path) -> None:
    async with (
        Sink(answer=status) as sink,
        running_cluster(folder, settings={"CHATHOOKS_REQUEST_TIMEOUT": "10"}) as cluster,
    ):
        one, other = cluster.client("api-1"), cluster.client("api-2")
        await make_users(one, "ann", "ben")
        for name in WEBHOOKS:
            fields = {"retryOnFailure": True, "ordered": name == "ordered"}
            await make_webhook(one, name, sink.url(name), **fields)
        assert (await say(one, "ann", "ben", "first")).status == 200
        for name in WEBHOOKS:
            await sink.arrived(1, name)
        assert (await say(other, "ben", "ann", "second")).status == 200
        await until(lambda: waiting(one, "steady", 1), AT_ONCE_S_MAX)
        await until(lambda: waiting(one, "off", 1), AT_ONCE_S_MAX)

        dead = await killed_owner(cluster, "steady")
        # Through another node than the one where it was made, while it waits at a third.
        assert (await other.call("PUT", "/webhooks/off", {"enabled": False})).status == 200
        await until(lambda: cancelled(one), AT_ONCE_S_MAX)
        assert len(sink.of("ordered")) == 1, "the second event waits for the first"
        await cluster.start(dead)

        await sink.arrived(4, "steady")
        first, again, second = await sink.arrived(3, "ordered")
        assert [(a.number, a.attempt) for a in (first, again, second)] == [(1, 1), (1, 2), (2, 1)]
        assert again.answered_at_s is not None
        assert again.answered_at_s <= second.at_s < again.answered_at_s + AT_ONCE_S_MAX
        await until(lambda: waiting(one, "steady", 2), AT_ONCE_S_MAX)
        await cluster.settled()
        await killed_owner(cluster, "steady")

        await sink.arrived(6, "steady")
        await until(lambda: failed(one), AT_ONCE_S_MAX)
        assert len(sink.of("off")) <= 2, "nothing is sent after the cancellation"
        assert {arrival.attempt for arrival in sink.of("off")} == {1}
        one.close()
        other.close()
        on_time(first, again, SECOND_AFTER_S)
        for number in (1, 2):
            tries = [arrival for arrival in sink.of("steady") if arrival.number == number]
            assert [arrival.attempt for arrival in tries] == [1, 2, 3]
            on_time(tries[0], tries[1], SECOND_AFTER_S)
            on_time(tries[1], tries[2], THIRD_AFTER_S)


async def cancelled(client: Client) -> bool:
    return {entry["state"] for entry in await deliveries(client, "off")} == {"cancelled"}


async def waiting(client: Client, webhook: str, attempts: int) -> bool:
    """Whether both deliveries of a webhook wait for their next attempt: before that is recorded a crash makes another."""
    found = await deliveries(client, webhook)
    return [(one["state"], len(one["attempts"])) for one in found] == [("retrying", attempts)] * 2


async def failed(client: Client) -> bool:
    return {entry["state"] for entry in await deliveries(client, "steady")} == {"failed"}


async def test_retries_come_after_10_s_and_30_s_though_the_nodes_that_have_them_are_killed(
    tmp_path: Path,
) -> None:
    try:
        await scenario(tmp_path / "once")
    except Late as late:
        # An early retry fails the test at once; being late must happen twice.
        print(f"late in the first run: {late}")  # noqa: T201 -- shown where the second fails too
    else:
        return
    await scenario(tmp_path / "again")
