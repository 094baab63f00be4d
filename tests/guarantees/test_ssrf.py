"""Nothing that is not public is ever connected to, however it is spelled, resolved or rebound.

Observed at the socket: canary listeners on loopback count connections, the client counts the sockets it opens.
Source: delivery contract §4.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from chathooks.egress.failures import FailureKind
from chathooks.egress.guard import TargetPolicy, TargetRefused, parse_target
from support.endpoints import behaviours
from support.endpoints.server import Endpoint, EndpointServer
from support.nameserver import NameServer, addresses, alias, rebinding
from support.sending import Sender, open_sender

pytestmark = pytest.mark.anyio

CORPUS_MIN = 300
# Stands for a public address, since tests never leave loopback.
OPEN_IP = "127.0.0.2"
CANARY_V4 = "127.0.0.1"

REFUSED_V4 = (
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.251",
    "255.255.255.255",
)
REFUSED_V6 = (
    "::",
    "::1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2606:4700::5efe:7f00:1",
)
HAND_PICKED = (
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://sub.localhost:{port}/",
    "http://printer.local:{port}/",
    "http://metadata.google.internal:{port}/computeMetadata/v1/",
    "http://host.docker.internal:{port}/",
    "http://kubernetes.default.svc.cluster.local:{port}/",
    "http://metadata:{port}/",
    "http://127.0.1:{port}/",
    "http://127.000.000.001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0X7F000001:{port}/",
    "http://0000000000000000000000000177.0.0.1:{port}/",
    "http://127.0.0.1..:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000::0001]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://[fe80::1%25eth0]:{port}/",
    "http://::1:{port}/",
    "http://[::1:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://user:pass@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "http://127.0.0.1:{port}#@example.com/",
    "http://example.com#@127.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1 :{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://127.0.0.1%2f.example.com:{port}/",
    "http://%6c%6f%63%61%6c%68%6f%73%74:{port}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://locaлhost:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127．0．0．1:{port}/",
    "http://127｡0｡0｡1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_POST",
    "dict://127.0.0.1:{port}/info",
    "ldap://127.0.0.1:{port}/",
    "scp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "jar:http://127.0.0.1:{port}!/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:6379x/",
    "http://127.0.0.1:+{port}/",
    "http://127.0.0.1:{port}:80/",
)


def spellings(ip: str) -> Iterator[str]:
    """The ways to write an IPv4 address, or to wrap it in an IPv6 one, in the host of a URL."""
    number = int(ipaddress.IPv4Address(ip))
    octets = ip.split(".")
    high, low = number >> 16, number & 0xFFFF
    yield ip
    yield f"{ip}."
    yield str(number)
    yield f"0x{number:x}"
    yield f"0{number:o}"
    yield ".".join(f"0x{int(octet):02x}" for octet in octets)
    yield ".".join(f"0{int(octet):03o}" for octet in octets)
    yield f"{octets[0]}.{number & 0xFFFFFF}"
    yield "".join(f"%{ord(character):02x}" for character in ip)
    yield "".join(chr(ord(character) + 0xFEE0) for character in ip)
    yield f"[::ffff:{ip}]"
    yield f"[::ffff:{high:x}:{low:x}]"
    yield f"[::{ip}]"
    yield f"[::ffff:0:{ip}]"
    yield f"[64:ff9b::{ip}]"
    yield f"[2002:{high:x}:{low:x}::1]"


def url_corpus(port: int) -> list[str]:
    hosts = [spelling for ip in REFUSED_V4 for spelling in spellings(ip)]
    hosts += [f"[{ip}]" for ip in REFUSED_V6]
    urls = [f"http://{host}:{port}/" for host in hosts]
    return urls + [text.replace("{port}", str(port)) for text in HAND_PICKED]


def dns_corpus() -> dict[str, tuple[str, ...]]:
    """Names and what they resolve to; nothing of it is public."""
    ips = [*REFUSED_V4, *REFUSED_V6]
    for ip in REFUSED_V4:
        number = int(ipaddress.IPv4Address(ip))
        high, low = number >> 16, number & 0xFFFF
        ips += [f"::ffff:{ip}", f"64:ff9b::{high:x}:{low:x}", f"2002:{high:x}:{low:x}::1"]
    names: dict[str, tuple[str, ...]] = {f"n{n}.example": (ip,) for n, ip in enumerate(ips)}
    names["many.example"] = (*REFUSED_V4, *REFUSED_V6)
    return names


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def canaries() -> Iterator[list[Endpoint]]:
    """Listeners on loopback, both families, same port."""
    with ExitStack() as stack:
        server = stack.enter_context(EndpointServer())
        first = server.listen(behaviours.answering(), host=CANARY_V4)
        second = server.listen(behaviours.answering(), host="::1", port=first.port)
        yield [first, second]


@pytest.fixture
async def sender(names: NameServer) -> AsyncIterator[Sender]:
    """A client that may use http, so that only the address can be the reason to refuse."""
    async with open_sender(names.address, networks=()) as opened:
        yield opened


def seen(canaries: list[Endpoint]) -> int:
    return sum(canary.connections for canary in canaries)


def test_the_corpus_is_large_and_has_no_twins() -> None:
    corpus = url_corpus(8080)
    assert len(set(corpus)) == len(corpus) >= CORPUS_MIN
    assert len(dns_corpus()) >= 100


async def test_no_url_of_the_corpus_leads_to_a_connection(
    sender: Sender, canaries: list[Endpoint]
) -> None:
    got_through = []
    for url in url_corpus(canaries[0].port):
        try:
            parse_target(url, sender.policy)
        except TargetRefused:
            continue
        got_through.append(url)
    # Names in other scripts are legal; they fail at the name-server, without a connection.
    answers = await asyncio.gather(*(sender.post(url) for url in got_through))
    assert {answer.failure for answer in answers} <= {FailureKind.dns_not_found}
    assert len(got_through) <= 1
    assert sender.client.connections_opened == 0
    assert seen(canaries) == 0


async def test_no_answer_of_a_name_server_leads_to_a_connection(
    sender: Sender, canaries: list[Endpoint], names: NameServer
) -> None:
    corpus = dns_corpus()
    for name, ips in corpus.items():
        names.zone[name] = addresses(name, *ips)
    names.zone["chain.example"] = alias("chain.example", ("a.example", "b.example"), CANARY_V4)
    hosts = [*corpus, "chain.example"]
    answers = await asyncio.gather(
        *(sender.post(f"http://{host}:{canaries[0].port}/") for host in hosts)
    )
    wrong = {
        host: answer.failure
        for host, answer in zip(hosts, answers, strict=True)
        if answer.failure is not FailureKind.address_refused
    }
    assert wrong == {}
    assert sender.client.connections_opened == 0
    assert seen(canaries) == 0


async def test_the_socket_refuses_what_the_walls_before_it_let_through(
    sender: Sender,
    canaries: list[Endpoint],
    names: NameServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = canaries[0].port
    open_policy = TargetPolicy.of(["0.0.0.0/0", "::/0"], allow_http=True)
    monkeypatch.setattr("chathooks.egress.client.judge_address", lambda _ip, _policy: None)
    names.zone["wall.example"] = addresses("wall.example", CANARY_V4, "::1", "10.0.0.1")
    urls = [f"http://{CANARY_V4}:{port}/", f"http://[::1]:{port}/", f"http://wall.example:{port}/"]
    for url in urls:
        answered = asyncio.get_running_loop().create_future()
        target = parse_target(url, open_policy)
        sender.client.send(target, (), b"{}", done=answered.set_result)
        exchange = await asyncio.wait_for(answered, 5)
        assert exchange.failure is FailureKind.address_refused, url
    assert sender.client.connections_opened == 0
    assert seen(canaries) == 0


async def test_a_name_that_is_rebound_between_attempts_reaches_only_what_is_allowed(
    names: NameServer, canaries: list[Endpoint]
) -> None:
    port = canaries[0].port
    rounds = [(OPEN_IP,), (CANARY_V4,), ("::1",), (OPEN_IP, CANARY_V4), ("::1", OPEN_IP)] * 6
    names.zone["rebind.example"] = rebinding("rebind.example", *rounds, (CANARY_V4,))
    with EndpointServer() as server:
        allowed = server.listen(behaviours.answering(), host=OPEN_IP, port=port)
        async with open_sender(names.address, networks=(f"{OPEN_IP}/32",)) as sender:
            answers = [await sender.post(f"http://rebind.example:{port}/") for _ in rounds]
    for round_, answer in zip(rounds, answers, strict=True):
        if OPEN_IP in round_:
            assert (answer.status, answer.remote_ip) == (200, OPEN_IP), round_
        else:
            assert answer.failure is FailureKind.address_refused, round_
    assert len(allowed.requests) == 18
    assert seen(canaries) == 0


async def test_no_redirect_leads_inside(names: NameServer, canaries: list[Endpoint]) -> None:
    location = f"Location: http://{CANARY_V4}:{canaries[0].port}/"
    with EndpointServer() as server:
        async with open_sender(names.address, networks=(f"{OPEN_IP}/32",)) as sender:
            for status in (301, 302, 303, 307, 308):
                endpoint = server.listen(behaviours.answering(status, b"", location), host=OPEN_IP)
                assert (await sender.post(endpoint.url())).status == status
    assert seen(canaries) == 0


async def test_no_proxy_of_the_environment_is_used(
    names: NameServer, canaries: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = f"http://{CANARY_V4}:{canaries[0].port}"
    for variable in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy)
    with EndpointServer() as server:
        endpoint = server.listen(behaviours.answering(), host=OPEN_IP)
        async with open_sender(names.address, networks=(f"{OPEN_IP}/32",)) as sender:
            assert (await sender.post(endpoint.url())).status == 200
    assert seen(canaries) == 0
