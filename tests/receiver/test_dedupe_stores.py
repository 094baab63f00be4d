"""Every dedupe store keeps the same promises; those that processes share, between processes too."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from chathooks_receiver.dedupe import Claim, Dedupe, DedupeUnavailable
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.dedupe.postgres import PostgresDedupe
from chathooks_receiver.dedupe.redis import RedisDedupe
from chathooks_receiver.dedupe.sqlite import SqliteDedupe
from chathooks_receiver.dedupe.sqlite_shared import PRUNE_EVERY, SharedSqliteDedupe
from support.services import Service
from support.waiting import eventually

pytestmark = pytest.mark.anyio

LEASE_S = 60.0
SHORT_LEASE_S = 0.05
STORES = ("memory", "sqlite", "sqlite shared", "postgres", "redis")
SHARED = ("sqlite shared", "postgres", "redis")

Make = Callable[..., Dedupe]


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, fresh_name: str) -> Make:
    """A maker of stores on the same ground, as two processes have them."""
    kind = request.param
    if kind == "memory":
        return lambda lease_s=LEASE_S: MemoryDedupe()
    path = tmp_path / "seen.sqlite3"
    if kind == "sqlite":
        return lambda lease_s=LEASE_S: SqliteDedupe(path)
    if kind == "sqlite shared":
        return lambda lease_s=LEASE_S: SharedSqliteDedupe(path, lease_s=lease_s)
    if kind == "postgres":
        server: Service = request.getfixturevalue("postgres_server")
        dsn = f"postgresql://tests@127.0.0.1:{server.port}/postgres"
        return lambda lease_s=LEASE_S: PostgresDedupe(dsn, lease_s=lease_s)
    server = request.getfixturevalue("redis_server")
    return lambda lease_s=LEASE_S: RedisDedupe(
        f"redis://127.0.0.1:{server.port}", lease_s=lease_s, key_prefix=f"{fresh_name}:"
    )


@pytest.fixture
def key(fresh_name: str) -> bytes:
    return digest(f"dedupe {fresh_name}")


@pytest.mark.parametrize("make", STORES, indirect=True)
async def test_an_event_is_seen_once_confirmed_and_not_before(make: Make, key: bytes) -> None:
    store = make()
    await store.open()
    assert await store.claim(key) is Claim.FRESH
    await store.confirm(key)
    assert await store.claim(key) is Claim.SEEN
    await store.close()


@pytest.mark.parametrize("make", STORES, indirect=True)
async def test_a_released_claim_can_be_taken_again(make: Make, key: bytes) -> None:
    store = make()
    await store.open()
    assert await store.claim(key) is Claim.FRESH
    store.release(key)

    async def is_fresh() -> bool:
        return await store.claim(key) is Claim.FRESH

    await eventually(is_fresh)
    await store.close()


@pytest.mark.parametrize("make", [kind for kind in STORES if kind != "memory"], indirect=True)
async def test_what_was_confirmed_is_known_after_a_restart(make: Make, key: bytes) -> None:
    store = make()
    await store.open()
    await store.claim(key)
    await store.confirm(key)
    await store.close()
    again = make()
    await again.open()
    assert await again.claim(key) is Claim.SEEN
    await again.close()


@pytest.mark.parametrize("make", SHARED, indirect=True)
async def test_a_claim_of_one_process_keeps_the_other_out_until_it_is_confirmed(
    make: Make, key: bytes
) -> None:
    first, second = make(), make()
    await first.open()
    await second.open()
    assert await first.claim(key) is Claim.FRESH
    assert await second.claim(key) is Claim.BUSY
    second.release(key)  # not its own: without effect
    await second.claim(digest(f"another than {key.hex()}"))
    assert await second.claim(key) is Claim.BUSY
    await first.confirm(key)
    assert await second.claim(key) is Claim.SEEN
    await first.close()
    await second.close()


@pytest.mark.parametrize("make", SHARED, indirect=True)
async def test_a_claim_lapses_when_its_process_says_nothing_more(make: Make, key: bytes) -> None:
    dead, alive = make(lease_s=SHORT_LEASE_S), make()
    await dead.open()
    await alive.open()
    assert await dead.claim(key) is Claim.FRESH

    async def is_fresh() -> bool:
        return await alive.claim(key) is Claim.FRESH

    await eventually(is_fresh)
    # It is the other's now, and the lost claim can no longer be given back by the one that had it.
    dead.release(key)
    await dead.close()
    assert await make_busy(make, key) is Claim.BUSY
    await alive.close()


async def make_busy(make: Make, key: bytes) -> Claim:
    third = make()
    await third.open()
    claim = await third.claim(key)
    await third.close()
    return claim


@pytest.mark.parametrize("make", SHARED, indirect=True)
async def test_of_many_claims_at_once_one_wins(make: Make, key: bytes) -> None:
    stores = [make() for _ in range(4)]
    for store in stores:
        await store.open()
    claims = await asyncio.gather(*(store.claim(key) for store in stores for _ in range(5)))
    assert claims.count(Claim.FRESH) == 1
    assert claims.count(Claim.BUSY) == len(claims) - 1
    for store in stores:
        await store.close()


async def test_a_look_says_what_a_claim_says_or_nothing(tmp_path: Path) -> None:
    alone = SqliteDedupe(tmp_path / "seen.sqlite3")
    await alone.open()
    assert alone.look(digest("a")) is Claim.FRESH
    await alone.confirm(digest("a"))
    assert alone.look(digest("a")) is Claim.SEEN
    await alone.close()
    for shared in (RedisDedupe("redis://127.0.0.1:1"), SharedSqliteDedupe(tmp_path / "x.sqlite3")):
        assert shared.look(digest("a")) is None


async def test_the_window_in_a_shared_file_is_bounded(tmp_path: Path) -> None:
    store = SharedSqliteDedupe(tmp_path / "seen.sqlite3", events_max=100)
    await store.open()
    keys = [digest(str(number)) for number in range(PRUNE_EVERY)]
    await asyncio.gather(*(store.confirm(item) for item in keys))
    assert store.count() == 100
    assert await store.claim(keys[0]) is Claim.FRESH
    assert await store.claim(keys[-1]) is Claim.SEEN
    await store.close()


async def test_the_window_in_a_file_is_bounded_and_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite3"
    store = SqliteDedupe(path, events_max=100)
    await store.open()
    keys = [digest(str(number)) for number in range(1_000)]
    for start in range(0, len(keys), 7):
        await asyncio.gather(*(store.confirm(item) for item in keys[start : start + 7]))
    assert store.count() == 100
    await store.close()
    again = SqliteDedupe(path, events_max=100)
    await again.open()
    seen = [key for key in keys if again.look(key) is Claim.SEEN]
    assert seen == keys[-100:]
    await again.close()
    assert path.stat().st_size < 100_000


async def test_one_that_gives_up_waiting_takes_no_other_confirmation_with_it(
    tmp_path: Path,
) -> None:
    store = SqliteDedupe(tmp_path / "seen.sqlite3")
    await store.open()
    impatient = asyncio.create_task(store.confirm(digest("a")))
    patient = asyncio.create_task(store.confirm(digest("b")))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert store.look(digest("b")) is Claim.SEEN
    await store.confirm(digest("c"))
    await store.close()


async def test_a_file_that_cannot_be_opened_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(DedupeUnavailable, match="cannot be opened"):
        await SqliteDedupe(tmp_path / "missing" / "seen.sqlite3").open()


@pytest.mark.parametrize(
    "store",
    [
        RedisDedupe("redis://127.0.0.1:1"),
        PostgresDedupe("postgresql://u@127.0.0.1:1/d"),
        SharedSqliteDedupe("unused.sqlite3"),
    ],
    ids=("redis", "postgres", "sqlite"),
)
async def test_a_store_that_is_not_open_says_so(store: Dedupe) -> None:
    with pytest.raises(DedupeUnavailable):
        await store.claim(digest("any"))
    with pytest.raises(DedupeUnavailable):
        await store.confirm(digest("any"))
    await store.close()


@pytest.mark.parametrize("kind", ["redis", "postgres"])
async def test_a_store_that_cannot_be_reached_says_so_at_the_start(kind: str) -> None:
    store: Dedupe = RedisDedupe("redis://127.0.0.1:1")
    if kind == "postgres":
        store = PostgresDedupe("postgresql://u@127.0.0.1:1/d")
    with pytest.raises(DedupeUnavailable, match=r"^(Redis|PostgreSQL): "):
        await store.open()


@pytest.mark.parametrize("events_max", [0, -1])
def test_a_window_of_nothing_is_refused(events_max: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        SharedSqliteDedupe(tmp_path / "seen.sqlite3", events_max=events_max)
    with pytest.raises(ValueError, match="at least one"):
        SqliteDedupe(tmp_path / "seen.sqlite3", events_max=events_max)
