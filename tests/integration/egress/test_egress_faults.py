"""Each thing an endpoint can do wrong is one classified, plainly explained, bounded attempt."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from chathooks.delivery.outcome import classify, explain
from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import FailureKind
from support.certificates import Authority
from support.endpoints import behaviours
from support.endpoints.server import EndpointServer, free_port
from support.nameserver import NameServer, addresses, failing, silent
from support.sending import Sender

pytestmark = pytest.mark.anyio

ATTEMPT_S_MAX = 2.3
RCODE_SERVFAIL = 2
MIB = 1024 * 1024


@dataclass
class Timed:
    exchange: Exchange
    took_s: float


async def timed(sender: Sender, url: str) -> Timed:
    started_s = time.perf_counter()
    exchange = await sender.post(url)
    return Timed(exchange, time.perf_counter() - started_s)


def explanation(exchange: Exchange) -> str:
    return explain(classify(exchange.status, exchange.failure), exchange.detail)


PATH_FAULTS = {
    "/hang": (FailureKind.timeout_response, "answer 200 first"),
    "/drip-headers": (FailureKind.timeout_response, "headers within 2 s"),
    "/slow-interim": (FailureKind.timeout_response, "headers within 2 s"),
    "/reset": (FailureKind.connection_reset, "before it answered"),
    "/close": (FailureKind.connection_reset, "before it answered"),
    "/garbage": (FailureKind.protocol, "not a valid HTTP answer"),
    "/many-headers": (FailureKind.headers_too_large, "32 KiB"),
    "/endless-headers": (FailureKind.headers_too_large, "32 KiB"),
    "/huge-header": (FailureKind.headers_too_large, "32 KiB"),
    "/endless-interim": (FailureKind.headers_too_large, "32 KiB"),
}


async def test_every_fault_after_the_request_is_one_classified_failure_in_time(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    results = await asyncio.gather(*(timed(sender, endpoint.url(path)) for path in PATH_FAULTS))
    seen = {
        path: result.exchange.failure for path, result in zip(PATH_FAULTS, results, strict=True)
    }
    assert seen == {path: kind for path, (kind, _) in PATH_FAULTS.items()}
    for (path, (_, words)), result in zip(PATH_FAULTS.items(), results, strict=True):
        assert words in explanation(result.exchange), path
        assert result.took_s <= ATTEMPT_S_MAX, path
        assert result.exchange.status is None, path
        assert not result.exchange.resent, path
    assert len(endpoint.requests) == len(PATH_FAULTS)


ACKNOWLEDGED = (
    "/ok",
    "/drip-body",
    "/late",
    "/endless-body",
    "/body-too-short",
    "/body-too-long",
    "/interim",
    "/trailers",
    "/compressed",
    "/status/204",
)


async def test_a_2xx_in_time_is_acknowledged_whatever_the_body_does(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    results = await asyncio.gather(*(timed(sender, endpoint.url(path)) for path in ACKNOWLEDGED))
    for path, result in zip(ACKNOWLEDGED, results, strict=True):
        exchange = result.exchange
        assert classify(exchange.status, exchange.failure).acknowledged, path
        assert result.took_s <= ATTEMPT_S_MAX, path
        assert len(exchange.response_body) <= 4096, path
        assert exchange.response_headers.startswith(b"HTTP/1.1 2"), path
        assert exchange.response_headers.endswith(b"\r\n\r\n"), path
        assert exchange.response_headers.count(b"HTTP/") == 1, path


async def test_reading_stops_at_64_kib_of_an_endless_body(
    sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    result = await timed(sender, endpoint.url("/endless-body"))
    assert result.took_s < 1.0
    assert len(result.exchange.response_body) == 4096


async def test_nothing_is_decompressed(sender: Sender, endpoints: EndpointServer) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    exchange = await sender.post(endpoint.url("/compressed"))
    assert exchange.response_body.startswith(b"\x1f\x8b")
    assert "accept-encoding" not in endpoint.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_an_answer_and_never_followed(
    status: int, sender: Sender, endpoints: EndpointServer
) -> None:
    endpoint = endpoints.listen(behaviours.by_path)
    exchange = await sender.post(endpoint.url(f"/status/{status}"))
    assert exchange.status == status
    assert "redirect" in explanation(exchange)
    assert endpoint.connections == 1
    assert len(endpoint.requests) == 1


async def test_a_port_where_nothing_listens_is_a_refused_connection(sender: Sender) -> None:
    exchange = await sender.post(f"http://127.0.0.1:{free_port()}/")
    assert exchange.failure is FailureKind.connection_refused
    assert "nothing listens" in explanation(exchange)


async def test_connections_broken_on_accept_are_resets(
    sender: Sender, endpoints: EndpointServer
) -> None:
    reset = endpoints.listen(behaviours.reset_on_accept)
    close = endpoints.listen(behaviours.close_on_accept)
    for endpoint in (reset, close):
        exchange = await sender.post(endpoint.url())
        assert exchange.failure is FailureKind.connection_reset
        assert endpoint.connections == 1


async def test_each_tls_fault_is_told_apart(
    sender: Sender, endpoints: EndpointServer, authority: Authority, names: NameServer
) -> None:
    names.zone["hooks.example"] = addresses("hooks.example", "127.0.0.1")
    ok = behaviours.answering()
    good = endpoints.listen(ok, tls=authority.context("hooks.example"))
    expired = endpoints.listen(ok, tls=authority.context("hooks.example", expired=True))
    unknown = endpoints.listen(ok, tls=authority.context("hooks.example", self_signed=True))
    other = endpoints.listen(ok, tls=authority.context("other.example"))
    plain = endpoints.listen(behaviours.plain_bad_request)
    expected = [
        (expired, "expired"),
        (unknown, "self-signed"),
        (other, "another host name"),
    ]
    for endpoint, words in expected:
        exchange = await sender.post(endpoint.url(host="hooks.example"))
        assert exchange.failure is FailureKind.tls, words
        assert words in explanation(exchange), exchange.detail
        assert endpoint.requests == []
    exchange = await sender.post(f"https://hooks.example:{plain.port}/")
    assert exchange.failure is FailureKind.tls
    assert "does not speak TLS" in explanation(exchange), exchange.detail
    exchange = await sender.post(good.url(host="hooks.example"))
    assert exchange.status == 200
    assert exchange.tls_ms > 0


async def test_a_server_that_never_shakes_hands_times_out_in_the_tls_phase(
    sender: Sender, endpoints: EndpointServer
) -> None:
    mute = endpoints.listen(behaviours.mute)
    result = await timed(sender, f"https://127.0.0.1:{mute.port}/")
    assert result.exchange.failure is FailureKind.timeout_tls
    assert "TLS was not set up within 2 s" in explanation(result.exchange)
    assert result.took_s <= ATTEMPT_S_MAX


async def test_name_server_faults_are_told_apart(sender: Sender, names: NameServer) -> None:
    names.zone["servfail.example"] = failing(RCODE_SERVFAIL)
    names.zone["silent.example"] = silent
    names.zone["empty.example"] = addresses("empty.example")
    hosts = {
        "nxdomain.example": FailureKind.dns_not_found,
        "empty.example": FailureKind.dns_not_found,
        "servfail.example": FailureKind.dns_failed,
        "silent.example": FailureKind.timeout_dns,
    }
    results = await asyncio.gather(*(timed(sender, f"https://{host}/") for host in hosts))
    assert [result.exchange.failure for result in results] == list(hosts.values())
    assert all(result.took_s <= ATTEMPT_S_MAX for result in results)
    assert sender.client.connections_opened == 0
