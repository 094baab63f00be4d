"""A cluster under load to which everything happens, again and again: delivery contract §3, over many nodes.

Each round does one thing to it, at a random instant, and lets the load go on. At the end the account must balance as after
any of these alone (`test_cluster`).
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from support.cluster.account import settle_account
from support.cluster.load import Load
from support.cluster.nodes import Cluster, running_cluster
from support.crash.process import until
from support.crash.sink import Arrival, Sink

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.torture,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.environ.get("CHATHOOKS_TORTURE") != "1", reason="long; set CHATHOOKS_TORTURE=1"
    ),
]

SEED = int(os.environ.get("CHATHOOKS_SEED", "20261127"))
ROUNDS = int(os.environ.get("CHATHOOKS_ROUNDS", "50"))
SETTINGS = {"CHATHOOKS_REQUEST_TIMEOUT": "10", "CHATHOOKS_RETRY_SCHEDULE": "0.2,0.4"}
PAUSE_S = 30.0
SHORT_PAUSE_S = (0.2, 8.0)
DOWN_S = (0.0, 4.0)
BETWEEN_S = (0.1, 1.5)
SENT_PER_ROUND = 20
SENT_S_MAX = 60.0
DRAIN_S_MAX = 180.0
LEADER_S_MAX = 20.0


class Storm:
    """What can happen; each returns once all nodes run again."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            self.kill_worker,
            self.kill_worker,
            self.kill_leader,
            self.kill_api,
            self.kill_several,
            self.restart_any,
            self.pause_any,
            self.kill_nats,
            self.delete_streams,
            self.restart_postgres,
            self.kill_postgres,
        )

    async def happen(self) -> None:
        kind = self.random.choice(self.kinds)
        self.done[kind.__name__] += 1
        await kind()

    async def pass_s(self, bounds: tuple[float, float]) -> None:
        # Not a wait for anything: the instant is what the round is about.
        await asyncio.sleep(self.random.uniform(*bounds))

    async def kill_and_start(self, *names: str) -> None:
        for name in names:
            await self.cluster.kill(name)
        await self.pass_s(DOWN_S)
        await self.cluster.start(*names)

    async def kill_worker(self) -> None:
        await self.kill_and_start(self.random.choice(self.cluster.workers))

    async def kill_api(self) -> None:
        await self.kill_and_start(self.random.choice(self.cluster.api_nodes))

    async def kill_leader(self) -> None:
        await self.kill_and_start(await leader_of(self.cluster))

    async def kill_several(self) -> None:
        """Up to all of them at once."""
        names = list(self.cluster.nodes)
        await self.kill_and_start(*self.random.sample(names, self.random.randint(2, len(names))))

    async def restart_any(self) -> None:
        await self.cluster.restart(self.random.choice(list(self.cluster.nodes)))

    async def pause_any(self) -> None:
        name = self.random.choice(list(self.cluster.nodes))
        self.cluster.pause(name)
        await self.pass_s(SHORT_PAUSE_S)
        self.cluster.resume(name)

    async def kill_nats(self) -> None:
        await self.cluster.kill_nats()
        await self.pass_s(DOWN_S)
        await self.cluster.start_nats()

    async def delete_streams(self) -> None:
        await self.cluster.delete_streams()

    async def restart_postgres(self) -> None:
        await self.cluster.restart_postgres()

    async def kill_postgres(self) -> None:
        await self.cluster.restart_postgres(killed=True)


async def leader_of(cluster: Cluster) -> str:
    found: list[str] = []

    async def leads() -> bool:
        try:
            name = cluster.leader()
        except psycopg.OperationalError:
            return False
        found.extend([name] if name is not None else [])
        return name is not None

    await until(leads, LEADER_S_MAX)
    return found[-1]


def answers(seed: int) -> Callable[[Arrival], int]:
    """Some attempts fail, no delivery's second one."""
    failing = random.Random(seed)
    failed: set[tuple[str, str]] = set()

    def answer(arrival: Arrival) -> int:
        key = (arrival.webhook, arrival.event_id)
        if key not in failed and failing.random() < 0.05:
            failed.add(key)
            return 500
        return 200

    return answer


def delays(seed: int) -> Callable[[Arrival], float]:
    late = random.Random(seed)
    return lambda arrival: late.uniform(0.01, 0.06) if arrival.webhook == "slow" else 0.005


async def test_torture_a_cluster_to_which_everything_happens_50_times_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        Sink(answer=answers(SEED), delay_s=delays(SEED)) as sink,
        running_cluster(tmp_path, settings=SETTINGS) as cluster,
    ):
        load = Load(cluster, sink, seed=SEED)
        await load.prepare()
        storm = Storm(cluster, SEED)
        async with load.running():
            for _ in range(ROUNDS):
                await storm.pass_s(BETWEEN_S)
                await storm.happen()
                await load.sent(SENT_PER_ROUND, SENT_S_MAX)
            await cluster.settled(timeout_s=DRAIN_S_MAX)
        account = await settle_account(load, drain_s=DRAIN_S_MAX)
        with capsys.disabled():
            print(f"\n{ROUNDS} rounds (seed {SEED}): {dict(storm.done)}: {account}")  # noqa: T201 -- figures
        # A storm that hit nothing would prove nothing.
        assert account.interrupted > 0


@pytest.mark.parametrize("victim", ["leader", "worker", "api"])
async def test_torture_a_node_that_stood_still_for_30_s_harms_nobody(
    tmp_path: Path, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        Sink(delay_s=delays(SEED)) as sink,
        running_cluster(tmp_path, settings=SETTINGS) as cluster,
    ):
        load = Load(cluster, sink, seed=SEED)
        await load.prepare()
        leader = await leader_of(cluster)
        worker = next(name for name in cluster.workers if name != leader)
        name = {"leader": leader, "worker": worker, "api": "api-1"}[victim]
        async with load.running():
            await load.sent(100)
            cluster.pause(name)
            await asyncio.sleep(PAUSE_S)  # the promise is about this very stretch of time
            cluster.resume(name)
            await cluster.settled()
            await load.sent(100)
        account = await settle_account(load, drain_s=DRAIN_S_MAX)
        with capsys.disabled():
            print(f"\n{victim} stood still for {PAUSE_S:g} s: {account}")  # noqa: T201 -- figures


async def test_torture_leaders_killed_in_the_middle_of_their_work_leave_no_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        Sink(delay_s=delays(SEED)) as sink,
        running_cluster(tmp_path, api=2, delivery=3, settings=SETTINGS) as cluster,
    ):
        load = Load(cluster, sink, seed=SEED)
        await load.prepare()
        storm = Storm(cluster, SEED)
        async with load.running():
            for _ in range(10):
                await load.sent(30, SENT_S_MAX)
                await storm.pass_s((0.0, 0.1))
                await storm.kill_leader()
                await load.sent(1, SENT_S_MAX)
        account = await settle_account(load, drain_s=DRAIN_S_MAX)
        with capsys.disabled():
            print(f"\n10 leaders killed: {account}")  # noqa: T201 -- figures
