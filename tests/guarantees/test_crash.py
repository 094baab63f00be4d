"""The real server killed at random instants loses nothing: delivery contract §3.1, §3.2 and §7.

"A call that changed chat state and was answered has its events stored in the same transaction. Kill the process
at any instant: each such event is still delivered to every webhook that was enabled and subscribed"; "Duplicates
come only from attempts in flight at a crash"; "an attempt that was in flight is made again within 10 s of the
start, with the next attempt number, as an extra attempt".
"""

import os
import random
from pathlib import Path

import pytest

from support import stores
from support.crash.campaign import SETTINGS, Account, Campaign
from support.crash.process import served

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("CHATHOOKS_SEED", "20261123"))
ROUNDS = {"sqlite": 20, "postgres": 8}
ROUNDS_TORTURE = 200
TORTURE = os.environ.get("CHATHOOKS_TORTURE") == "1"


async def campaign(tmp_path: Path, rounds: int) -> Account:
    async with served(tmp_path, SETTINGS, started=False) as server:
        campaign = Campaign(server, random.Random(SEED))
        async with campaign.sink:
            await campaign.prepare()
            for _ in range(rounds):
                await campaign.round()
            return await campaign.account()


def judge(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\nkilled at random (seed {SEED}): {account}")  # noqa: T201 -- the run's figures
    # A run in which no kill hit anything would prove nothing.
    assert account.acknowledged > account.rounds
    assert account.interrupted > 0


async def test_a_server_killed_at_random_instants_loses_no_answered_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: stores.Backend
) -> None:
    judge(await campaign(tmp_path, ROUNDS[backend.name]), capsys)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not TORTURE, reason="long; set CHATHOOKS_TORTURE=1")
async def test_a_server_killed_200_times_loses_no_answered_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge(await campaign(tmp_path, ROUNDS_TORTURE), capsys)
