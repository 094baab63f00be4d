"""Limits hold at their very edge, and what callers do in callbacks does no harm."""

import asyncio
import contextlib
import errno
import socket
import sys
import time

import pytest

from chathooks.egress.client import EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import EgressClosed, FailureKind
from chathooks.egress.guard import TargetPolicy, parse_target
from chathooks.egress.resolver import Resolver
from support.endpoints import behaviours
from support.endpoints.server import Connection, EndpointServer, Request
from support.nameserver import NameServer, addresses, silent
from support.sending import Sender, open_sender

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("settled_heap")]

WAIT_S = 5.0
HEADERS_BYTES_MAX = 32 * 1024
BODY_KEPT_BYTES_MAX = 4096
BACKLOG_FILLERS = 8


def answer_with_head_of(size: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("excess", [0, 1])
async def test_headers_of_exactly_32_kib_pass_and_one_byte_more_fails(
    excess: int, sender: Sender, endpoints: EndpointServer
) -> None:
    data = answer_with_head_of(HEADERS_BYTES_MAX + excess)
    exchange = await sender.post(endpoints.listen(behaviours.sending(data)).url())
    if excess:
        assert exchange.failure is FailureKind.headers_too_large
        assert exchange.status is None
    else:
        assert exchange.status == 200
        assert exchange.response_headers == data


async def test_only_the_final_answer_counts_towards_the_limit(
    sender: Sender, endpoints: EndpointServer
) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
    data = interim + answer_with_head_of(20_000)
    exchange = await sender.post(endpoints.listen(behaviours.sending(data)).url())
    assert exchange.status == 200
    assert len(exchange.response_headers) == 20_000


async def test_the_first_4_kib_of_a_body_are_kept(
    sender: Sender, endpoints: EndpointServer
) -> None:
    body = bytes(range(256)) * 200
    exchange = await sender.post(endpoints.listen(behaviours.answering(200, body)).url())
    assert exchange.response_body == body[:BODY_KEPT_BYTES_MAX]
    again = await sender.post(endpoints.listen(behaviours.answering(200, b"")).url())
    assert again.response_body == b""


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_sloppy_but_complete_answers_are_acknowledged(
    data: bytes, sender: Sender, endpoints: EndpointServer
) -> None:
    exchange = await sender.post(endpoints.listen(behaviours.sending(data)).url())
    assert (exchange.status, exchange.response_body) == (200, b"ok")


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n", b"HT"])
async def test_headers_that_break_off_are_no_answer(
    data: bytes, sender: Sender, endpoints: EndpointServer
) -> None:
    exchange = await sender.post(endpoints.listen(behaviours.sending(data)).url())
    assert exchange.status is None
    assert exchange.failure in (FailureKind.connection_reset, FailureKind.protocol)


async def test_an_endpoint_that_does_not_accept_times_out_while_connecting(sender: Sender) -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(BACKLOG_FILLERS):  # the kernel drops further handshakes
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        exchange = await sender.post(f"http://127.0.0.1:{port}/", timeout_s=0.3)
    assert exchange.failure is FailureKind.timeout_connect


async def test_a_shorter_limit_is_kept_to(sender: Sender, endpoints: EndpointServer) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    started_s = time.perf_counter()
    exchange = await sender.post(endpoint.url("/hang"), timeout_s=0.2)
    assert 0.2 <= time.perf_counter() - started_s < 0.5
    assert exchange.failure is FailureKind.timeout_response


async def test_the_clock_of_an_attempt_runs_while_the_name_is_looked_up(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    answer = addresses("slow.example", "127.0.0.1")
    names.zone["slow.example"] = lambda kind, asked: answer(kind, asked) if asked else None
    async with open_sender(names.address) as sender:
        started_s = time.perf_counter()
        exchange = await sender.post(endpoint.url("/hang", host="slow.example"))
        took_s = time.perf_counter() - started_s
    assert exchange.failure is FailureKind.timeout_response
    assert exchange.dns_ms > 300
    assert 1.9 <= took_s <= 2.3


async def test_idle_connections_of_others_make_room_at_the_limit(
    names: NameServer, endpoints: EndpointServer
) -> None:
    origins = [endpoints.listen(behaviours.answering()) for _ in range(5)]
    async with open_sender(names.address, connections_max=2) as sender:
        for endpoint in origins:
            assert (await sender.post(endpoint.url())).status == 200


async def test_waiting_for_a_free_connection_is_not_blamed_on_the_endpoint(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    async with open_sender(names.address, connections_max=1) as sender:
        first = asyncio.ensure_future(sender.post(endpoint.url("/hang"), timeout_s=0.5))
        await asyncio.sleep(0)
        second = await sender.post(endpoint.url("/ok"), timeout_s=0.3)
        assert second.failure is FailureKind.internal
        assert "no connection became free" in second.detail
        assert (await first).failure is FailureKind.timeout_response


async def test_running_out_of_sockets_is_not_blamed_on_the_endpoint(
    sender: Sender, endpoints: EndpointServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = endpoints.listen(behaviours.answering())

    def exhausted(*_: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("chathooks.egress.transfer._GuardedSocket", exhausted)
        exchange = await sender.post(endpoint.url())
    assert exchange.failure is FailureKind.internal
    assert "Too many open files" in exchange.detail
    assert (await sender.post(endpoint.url())).status == 200


async def test_libcurl_never_resolves_a_name_by_itself(
    sender: Sender, endpoints: EndpointServer, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    endpoint = endpoints.listen(behaviours.answering())
    url = endpoint.url(host="hooks.example")
    with monkeypatch.context() as patch:
        # As if libcurl had forgotten what it was told.
        patch.setattr(EgressClient, "_pin", lambda *_: True)
        exchange = await sender.post(url)
    assert exchange.failure is FailureKind.internal
    assert sender.client.connections_opened == 0
    assert (await sender.post(url)).status == 200


async def test_more_names_than_are_kept_pinned_still_work(
    sender: Sender, endpoints: EndpointServer, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chathooks.egress.client.PINS_MAX", 1)
    endpoint = endpoints.listen(behaviours.sending(b"HTTP/1.0 200 OK\r\n\r\n"))
    hosts = [f"n{index}.example" for index in range(4)]
    for host in hosts:
        names.zone[host] = addresses(host, "127.0.0.1")
    for host in hosts * 3:
        assert (await sender.post(endpoint.url(host=host))).status == 200, host


async def test_an_idle_handle_holds_no_large_body(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.answering())
    body = b"x" * 100_000
    held = sys.getrefcount(body)
    for _ in range(3):
        assert (await sender.post(endpoint.url(), body)).status == 200
    assert sys.getrefcount(body) == held


async def test_a_callback_may_send_and_cancel(sender: Sender, endpoints: EndpointServer) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    ok = parse_target(endpoint.url("/ok"), sender.policy)
    hanging = parse_target(endpoint.url("/hang"), sender.policy)
    finished: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    never: list[Exchange] = []
    handles = [sender.client.send(hanging, (), b"", done=never.append) for _ in range(3)]
    left = [20]

    def on_done(exchange: Exchange) -> None:
        assert exchange.status == 200
        left[0] -= 1
        if handles:
            handles.pop().cancel()
        if left[0]:
            sender.client.send(ok, (), b"", done=on_done)
        else:
            finished.set_result(0)

    sender.client.send(ok, (), b"", done=on_done)
    await asyncio.wait_for(finished, WAIT_S)
    assert sender.client.in_flight == 0
    assert never == []


async def test_a_callback_may_close_the_client(
    names: NameServer, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    async with open_sender(names.address) as sender:
        closed = asyncio.get_running_loop().create_future()
        interrupted: list[Exchange] = []

        def on_done(_: Exchange) -> None:
            task = asyncio.ensure_future(sender.client.close(0))
            task.add_done_callback(closed.set_result)

        target = parse_target(endpoint.url("/hang"), sender.policy)
        names.zone["silent.example"] = silent
        looking_up = parse_target("http://silent.example/", sender.policy)
        for other in (target, target, looking_up):
            sender.client.send(other, (), b"", done=interrupted.append)
        sender.client.send(parse_target(endpoint.url(), sender.policy), (), b"", done=on_done)
        await asyncio.wait_for(closed, WAIT_S)
        assert [exchange.failure for exchange in interrupted] == [FailureKind.interrupted] * 3


async def test_a_client_takes_requests_only_between_start_and_close() -> None:
    policy = TargetPolicy()
    resolver = Resolver()
    client = EgressClient(policy, resolver=resolver, user_agent="Chathooks/test")
    target = parse_target("https://1.1.1.1/", policy)
    with pytest.raises(EgressClosed):
        client.send(target, (), b"", done=lambda _: None)
    await client.start()
    with pytest.raises(RuntimeError):
        await client.start()
    await client.close(0)
    with pytest.raises(EgressClosed):
        client.send(target, (), b"", done=lambda _: None)
    resolver.close()


async def test_a_thousand_requests_at_once_are_all_answered(
    sender: Sender, endpoints: EndpointServer
) -> None:
    async def handle(connection: Connection, _: Request) -> None:
        await connection.answer()

    endpoint = endpoints.listen(behaviours.each_request(handle))
    answers = await asyncio.gather(
        *(sender.post(endpoint.url(), timeout_s=WAIT_S) for _ in range(1000))
    )
    assert {answer.status for answer in answers} == {200}
