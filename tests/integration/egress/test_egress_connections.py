"""Connections are kept, reused for the same origin only, and a resend happens once at most."""

import asyncio
import gc
import time
import tracemalloc

import pycurl
import pytest

from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import EgressClosed, FailureKind
from chathooks.egress.guard import parse_target
from chathooks.egress.poller import EpollPoller, LoopPoller
from support.certificates import Authority
from support.endpoints import behaviours
from support.endpoints.server import EndpointServer
from support.nameserver import NameServer, addresses, rebinding
from support.sending import Sender, open_sender

pytestmark = pytest.mark.anyio

WAIT_S = 5.0
MIB = 1024 * 1024


async def test_the_request_arrives_as_it_was_given(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.by_path)
    body = '{"text":"héllo"}'.encode()
    exchange = await sender.post(
        endpoint.url("/ok/a/../b?x=1&y=%20", host="hooks.example"),
        body,
        ("Content-Type: application/json", b"webhook-id: evt_1"),
    )
    (request,) = endpoint.requests
    assert request.method == "POST"
    assert request.path == "/ok/a/../b?x=1&y=%20"
    assert request.body == body
    assert request.headers["host"] == f"hooks.example:{endpoint.port}"
    assert request.headers["user-agent"] == "Chathooks/test"
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["content-type"] == "application/json"
    assert exchange.remote_ip == "127.0.0.1"
    assert exchange.http_version == "1.1"
    assert 0 < exchange.dns_ms <= exchange.first_byte_ms <= exchange.total_ms


async def test_a_body_of_a_mebibyte_is_sent_without_waiting_for_100_continue(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.answering())
    exchange = await sender.post(endpoint.url(), b"x" * (2 * MIB))
    assert exchange.status == 200
    assert "expect" not in endpoint.requests[0].headers
    assert len(endpoint.requests[0].body) == 2 * MIB


async def test_a_kept_connection_is_reused_for_the_same_origin(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    names.zone["*"] = addresses("one.example", "127.0.0.1")
    names.zone["two.example"] = addresses("two.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.answering())
    first = await sender.post(endpoint.url("/a", host="one.example"))
    second = await sender.post(endpoint.url("/b", host="one.example"))
    other = await sender.post(endpoint.url("/c", host="two.example"))
    assert [first.connection_reused, second.connection_reused] == [False, True]
    assert second.connect_ms == 0
    assert not other.connection_reused
    assert endpoint.connections == 2


async def test_tls_keeps_the_name_though_the_address_is_pinned(
    sender: Sender, endpoints: EndpointServer, names: NameServer, authority: Authority
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.answering(), tls=authority.context("hooks.example"))
    for reused in (False, True):
        exchange = await sender.post(endpoint.url(host="hooks.example"))
        assert exchange.status == 200, exchange.detail
        assert exchange.connection_reused is reused
    assert endpoint.requests[0].headers["host"] == f"hooks.example:{endpoint.port}"


async def test_a_kept_connection_is_left_when_its_epoch_ends(
    sender: Sender,
    endpoints: EndpointServer,
    names: NameServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.answering(), tls=authority.context("hooks.example"))
    target = parse_target(endpoint.url(host="hooks.example"), sender.policy)
    used = []
    even_s, odd_s = 1e12, (time.perf_counter() + target.phase_s) / 1.5
    for epoch_s in (even_s, odd_s, even_s, odd_s):
        monkeypatch.setattr("chathooks.egress.client.EPOCH_S", epoch_s)
        for _ in range(2):
            exchange = await sender.post(endpoint.url(host="hooks.example"))
            assert exchange.status == 200, exchange.detail
        used.append(endpoint.requests[-1].connection)
    assert used == [1, 2, 1, 2], (
        "each epoch has its own; age and idleness part those of the same parity"
    )
    assert endpoint.requests[-1].headers["host"] == f"hooks.example:{endpoint.port}"


async def test_a_request_that_cannot_be_encoded_is_answered_too(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.answering())
    for _ in range(2):  # while the name is looked up, and when it is known
        exchange = await sender.post(
            endpoint.url(host="hooks.example"), headers=("X-Secret: gehe\u00efm",)
        )
        assert exchange.failure is FailureKind.internal
        assert "gehe" not in exchange.detail
    assert sender.client.in_flight == 0


async def test_a_request_on_a_connection_closed_unanswered_is_sent_once_more(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.kept_then(behaviours.close_unanswered))
    assert (await sender.post(endpoint.url())).status == 200
    exchange = await sender.post(endpoint.url())
    assert exchange.status == 200
    assert exchange.resent
    assert [request.connection for request in endpoint.requests] == [1, 1, 2]


@pytest.mark.parametrize("fault", [behaviours.close_unanswered, behaviours.reset_after_request])
async def test_a_second_resend_never_happens_however_many_connections_are_kept(
    fault: behaviours.RequestHandler, sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.warm_until(8, fault))
    warm = await asyncio.gather(*(sender.post(endpoint.url()) for _ in range(8)))
    assert [exchange.status for exchange in warm] == [200] * 8
    kept = endpoint.connections
    assert kept > 2
    exchange = await sender.post(endpoint.url())
    assert exchange.failure is FailureKind.connection_reset
    assert exchange.resent
    assert len(endpoint.requests) == 8 + 2
    assert endpoint.requests[-1].connection == kept + 1, "the resend has a connection of its own"


async def test_a_connection_that_was_new_is_not_sent_to_again(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.warm_until(0, behaviours.close_unanswered))
    exchange = await sender.post(endpoint.url())
    assert exchange.failure is FailureKind.connection_reset
    assert not exchange.resent
    assert len(endpoint.requests) == 1


async def test_a_name_that_moves_is_followed_to_its_new_address(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    names.zone["moving.example"] = rebinding("moving.example", ("127.0.0.1",), ("127.0.0.2",))
    first = endpoints.listen(behaviours.sending(b"HTTP/1.0 200 OK\r\n\r\nfirst"))
    second = endpoints.listen(behaviours.answering(), host="127.0.0.2", port=first.port)
    assert (await sender.post(first.url(host="moving.example"))).response_body == b"first"
    assert (await sender.post(first.url(host="moving.example"))).remote_ip == "127.0.0.2"
    assert len(second.requests) == 1


async def test_an_address_that_does_not_answer_gives_way_to_the_next(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    endpoint = endpoints.listen(behaviours.answering())
    names.zone["two.example"] = addresses("two.example", "::1", "127.0.0.9", "127.0.0.1")
    exchange = await sender.post(endpoint.url(host="two.example"))
    assert exchange.status == 200
    assert exchange.remote_ip == "127.0.0.1"


async def test_a_cancelled_request_never_calls_back_and_harms_no_other(
    sender: Sender, endpoints: EndpointServer, names: NameServer
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.by_path)
    called: list[Exchange] = []

    def send(path: str) -> None:
        target = parse_target(endpoint.url(path, host="hooks.example"), sender.policy)
        handle = sender.client.send(target, (), b"{}", done=called.append)
        handle.cancel()
        handle.cancel()

    for _ in range(3):
        send("/ok")  # while resolving, then before libcurl has started, then after
        send("/hang")
        assert (await sender.post(endpoint.url("/ok", host="hooks.example"))).status == 200
    assert called == []
    assert sender.client.in_flight == 0


async def test_a_hanging_request_can_be_cancelled_after_it_was_sent(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    called: list[Exchange] = []
    target = parse_target(endpoint.url("/hang"), sender.policy)
    handle = sender.client.send(target, (), b"{}", done=called.append)
    assert await asyncio.to_thread(endpoint.arrived.wait, WAIT_S)
    handle.cancel()
    assert (await sender.post(endpoint.url("/ok"))).status == 200
    assert called == []


async def test_closing_interrupts_what_is_under_way_and_takes_nothing_more(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    async with open_sender(names.address) as sender:
        hanging = asyncio.ensure_future(sender.post(endpoint.url("/hang")))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(endpoint.arrived.wait, WAIT_S)
        await sender.client.close(0.05)
        assert (await hanging).failure is FailureKind.interrupted
        with pytest.raises(EgressClosed):
            await sender.post(endpoint.url("/ok"))
        await sender.client.close(0)


async def test_closing_waits_for_answers_within_its_grace(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    async with open_sender(names.address) as sender:
        sent = [asyncio.ensure_future(sender.post(endpoint.url("/ok"))) for _ in range(20)]
        await asyncio.sleep(0)
        await sender.client.close(WAIT_S)
        assert [(await answer).status for answer in sent] == [200] * 20


async def test_a_callback_that_raises_stops_nobody_elses_answer(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.answering())
    loop = asyncio.get_running_loop()
    reported: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))

    def fail(_: Exchange) -> None:
        raise ValueError("a fault of the caller")

    target = parse_target(endpoint.url(), sender.policy)
    sender.client.send(target, (), b"{}", done=fail)
    answers = await asyncio.gather(*(sender.post(endpoint.url()) for _ in range(5)))
    loop.set_exception_handler(None)
    assert [answer.status for answer in answers] == [200] * 5
    assert len(reported) == 1


async def test_memory_does_not_grow_with_the_number_of_requests(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)

    async def burst() -> None:
        for _ in range(10):
            await asyncio.gather(*(sender.post(endpoint.url("/ok")) for _ in range(20)))
        endpoint.requests.clear()

    await burst()
    tracemalloc.start()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(3):
        await burst()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 200_000


@pytest.mark.parametrize("kind", [EpollPoller, LoopPoller])
async def test_both_pollers_carry_kept_and_closed_connections(
    kind: type[EpollPoller] | type[LoopPoller],
    names: NameServer,
    endpoints: EndpointServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chathooks.egress.client.make_poller", kind)
    endpoint = endpoints.listen(behaviours.by_path)
    async with open_sender(names.address) as sender:
        for _ in range(3):
            paths = ["/ok", "/close", "/body-too-short", "/endless-body"] * 4
            answers = await asyncio.gather(*(sender.post(endpoint.url(path)) for path in paths))
            kinds = [answer.failure for answer in answers]
            assert kinds == [None, FailureKind.connection_reset, None, None] * 4


def test_libcurl_can_do_what_the_client_builds_on() -> None:
    for name in ("RESOLVER_START_FUNCTION", "PREREQFUNCTION", "MAXLIFETIME_CONN"):
        assert hasattr(pycurl, name)
