"""Names are resolved without threads, and nobody waits for somebody else's name-server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from chathooks.egress.failures import FailureKind
from chathooks.egress.resolver import Answer, Resolver
from support.endpoints import behaviours
from support.endpoints.server import EndpointServer
from support.nameserver import NameServer, addresses, alias, failing, silent
from support.sending import open_sender

pytestmark = pytest.mark.anyio

WAIT_S = 5.0
RCODE_NXDOMAIN = 3
RCODE_REFUSED = 5


class Steady:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
async def resolver(names: NameServer, steady: Steady) -> AsyncIterator[Resolver]:
    opened = Resolver([names.address], monotonic=steady)
    yield opened
    opened.close()


async def resolve(resolver: Resolver, name: str) -> Answer:
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    resolver.lookup(name, answered.set_result)
    return await asyncio.wait_for(answered, WAIT_S)


async def test_both_families_and_aliases_are_resolved(
    resolver: Resolver, names: NameServer
) -> None:
    names.zone["both.example"] = addresses("both.example", "1.1.1.1", "2606:4700::1111")
    names.zone["alias.example"] = alias("alias.example", ("a.example", "b.example"), "1.1.1.2")
    assert set((await resolve(resolver, "both.example")).addresses) == {
        "1.1.1.1",
        "2606:4700::1111",
    }
    assert (await resolve(resolver, "alias.example")).addresses == ("1.1.1.2",)


async def test_the_hosts_file_counts(resolver: Resolver, names: NameServer) -> None:
    answer = await resolve(resolver, "localhost")
    assert "127.0.0.1" in answer.addresses
    assert names.asked == {}


async def test_an_answer_too_large_for_udp_is_fetched_over_tcp_and_cut(
    resolver: Resolver, names: NameServer
) -> None:
    many = tuple(f"1.1.{high}.{low}" for high in range(4) for low in range(250))
    names.zone["many.example"] = addresses("many.example", *many)
    answer = await resolve(resolver, "many.example")
    assert 0 < len(answer.addresses) <= 16
    assert set(answer.addresses) <= set(many)


async def test_an_answer_is_kept_for_its_ttl_within_limits(
    resolver: Resolver, names: NameServer, steady: Steady
) -> None:
    limits = {"short": (0, 5.0), "normal": (60, 60.0), "long": (86_400, 300.0)}
    for name, (ttl_s, _) in limits.items():
        names.zone[f"{name}.example"] = addresses(f"{name}.example", "1.1.1.1", ttl_s=ttl_s)
    for name, (_, kept_s) in limits.items():
        host = f"{name}.example"
        await resolve(resolver, host)
        steady.now_s += kept_s - 0.1
        assert resolver.cached(host) is not None, name
        steady.now_s += 0.2
        assert resolver.cached(host) is None, name
        await resolve(resolver, host)
        assert names.asked[host, "A"] == 2, name


async def test_a_failure_is_kept_for_a_short_while_only(
    resolver: Resolver, names: NameServer, steady: Steady
) -> None:
    names.zone["late.example"] = failing(RCODE_NXDOMAIN)
    names.zone["refused.example"] = failing(RCODE_REFUSED)
    assert (await resolve(resolver, "late.example")).failure is FailureKind.dns_not_found
    assert (await resolve(resolver, "refused.example")).failure is FailureKind.dns_failed
    names.zone["late.example"] = addresses("late.example", "1.1.1.1")
    assert (await resolve(resolver, "late.example")).failure is FailureKind.dns_not_found
    steady.now_s += 20
    assert (await resolve(resolver, "late.example")).addresses == ("1.1.1.1",)


async def test_asking_many_times_at_once_is_one_question(
    resolver: Resolver, names: NameServer
) -> None:
    names.zone["popular.example"] = addresses("popular.example", "1.1.1.1")
    answers = await asyncio.gather(*(resolve(resolver, "popular.example") for _ in range(200)))
    assert {answer.addresses for answer in answers} == {("1.1.1.1",)}
    assert names.asked["popular.example", "A"] == 1


async def test_a_withdrawn_waiter_is_never_called(resolver: Resolver, names: NameServer) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "1.1.1.1")
    called: list[Answer] = []
    withdraw = resolver.lookup("hooks.example", called.append)
    withdraw()
    withdraw()
    assert (await resolve(resolver, "hooks.example")).addresses == ("1.1.1.1",)
    assert called == []


async def test_the_cache_has_a_bounded_size(
    resolver: Resolver, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.egress.resolver.CACHE_NAMES_MAX", 3)
    for index in range(5):
        names.zone[f"n{index}.example"] = addresses(f"n{index}.example", "1.1.1.1")
        await resolve(resolver, f"n{index}.example")
    kept = [index for index in range(5) if resolver.cached(f"n{index}.example") is not None]
    assert kept == [2, 3, 4]


async def test_one_domain_cannot_take_all_places(names: NameServer) -> None:
    names.zone["*"] = silent
    names.zone["good.example"] = addresses("good.example", "1.1.1.1")
    resolver = Resolver([names.address], lookups_max=8, lane_lookups_max=4)
    for index in range(50):
        resolver.lookup(f"n{index}.hole.example", lambda _: None)
    assert resolver.lookups_under_way == 4
    assert (await resolve(resolver, "good.example")).addresses == ("1.1.1.1",)
    resolver.close()


async def test_names_that_timed_out_share_a_small_lane(names: NameServer) -> None:
    names.zone["*"] = silent
    names.zone["good.test"] = addresses("good.test", "1.1.1.1")
    steady = Steady()
    resolver = Resolver([names.address], suspect_lookups_max=1, monotonic=steady)
    holes = [f"hole{index}.example{index}.org" for index in range(20)]
    answers = await asyncio.gather(*(resolve_slowly(resolver, hole) for hole in holes))
    assert {answer.failure for answer in answers} == {FailureKind.timeout_dns}
    steady.now_s += 5
    for hole in holes:
        resolver.lookup(hole, lambda _: None)
    assert resolver.lookups_under_way == 1
    assert (await resolve(resolver, "good.test")).addresses == ("1.1.1.1",)
    resolver.close()


async def resolve_slowly(resolver: Resolver, name: str) -> Answer:
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    resolver.lookup(name, answered.set_result)
    return await asyncio.wait_for(answered, 12)


@pytest.mark.usefixtures("settled_heap")
async def test_forty_black_hole_names_delay_no_good_name(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.answering())
    names.zone["*"] = silent
    names.zone["good.example"] = addresses("good.example", "127.0.0.1")
    threads_before = threading.active_count()
    async with open_sender(names.address) as sender:
        holes = [
            asyncio.ensure_future(sender.post(f"http://hole{index}.example/"))
            for index in range(40)
        ]
        await asyncio.sleep(0)
        started_s = time.perf_counter()
        for _ in range(5):
            exchange = await sender.post(endpoint.url(host="good.example"))
            assert exchange.status == 200
        assert time.perf_counter() - started_s < 0.5, "they waited behind the holes"
        assert threading.active_count() <= threads_before + 1, (
            "pycares has one for closing channels"
        )
        answers = await asyncio.gather(*holes)
    assert {answer.failure for answer in answers} == {FailureKind.timeout_dns}
    assert all(1.9 <= answer.duration_ms / 1000 <= 2.3 for answer in answers)


async def test_closing_answers_whoever_waits_and_leaves_no_socket_watched(
    names: NameServer,
) -> None:
    names.zone["*"] = silent
    resolver = Resolver([names.address])
    waiting = [asyncio.ensure_future(resolve(resolver, f"n{n}.example")) for n in range(30)]
    await asyncio.sleep(0)
    resolver.close()
    resolver.close()
    assert {(await answer).failure for answer in waiting} == {FailureKind.interrupted}
    assert (await resolve(resolver, "more.example")).failure is FailureKind.interrupted


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "", "a..b", "\u00fc.example"])
async def test_what_is_no_name_is_an_answer_too(resolver: Resolver, name: str) -> None:
    answer = await resolve(resolver, name)
    assert answer.addresses == ()
    assert answer.failure is not None


async def test_a_waiter_may_ask_again_from_its_callback(
    resolver: Resolver, names: NameServer
) -> None:
    names.zone["one.example"] = addresses("one.example", "1.1.1.1")
    names.zone["two.example"] = addresses("two.example", "1.1.1.2")
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def ask_again(_: Answer) -> None:
        resolver.lookup("two.example", answered.set_result)

    resolver.lookup("one.example", ask_again)
    assert (await asyncio.wait_for(answered, WAIT_S)).addresses == ("1.1.1.2",)
