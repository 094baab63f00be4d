"""A name-server on loopback that says what a test tells it to."""

import itertools
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address
from types import TracebackType
from typing import Self

import dnslib  # type: ignore[import-untyped]  # ships no types
from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord

UDP_BYTES_MAX = 1232
TTL_S = 60
PORTS_TRIED_MAX = 50

Records = list[RR]
Script = Callable[[str, int], "Records | int | None"]
"""From query type ("A", "AAAA") and how often it was asked before, to records, an RCODE, or None for silence."""


def addresses(name: str, *ips: str, ttl_s: int = TTL_S) -> Script:
    """Always these addresses."""

    def script(query_type: str, _: int) -> Records:
        return _records(name, query_type, ips, ttl_s)

    return script


def rebinding(name: str, *rounds: tuple[str, ...], ttl_s: int = 0) -> Script:
    """Other addresses at each question; the last round goes on for ever."""

    def script(query_type: str, asked: int) -> Records:
        return _records(name, query_type, rounds[min(asked, len(rounds) - 1)], ttl_s)

    return script


def alias(name: str, chain: tuple[str, ...], *ips: str, ttl_s: int = TTL_S) -> Script:
    """A chain of CNAMEs with the addresses at its end."""

    def script(query_type: str, _: int) -> Records:
        names = (name, *chain)
        links = [
            RR(here, QTYPE.CNAME, rdata=CNAME(there), ttl=ttl_s)
            for here, there in itertools.pairwise(names)
        ]
        return links + _records(names[-1], query_type, ips, ttl_s)

    return script


def failing(rcode: int) -> Script:
    """Always this RCODE."""
    return lambda _type, _asked: rcode


def silent(_query_type: str, _asked: int) -> None:
    """Never answers."""
    return


def _records(name: str, query_type: str, ips: tuple[str, ...], ttl_s: int) -> Records:
    if query_type == "A":
        return [RR(name, QTYPE.A, rdata=A(ip), ttl=ttl_s) for ip in ips if ":" not in ip]
    if query_type == "AAAA":
        return [
            RR(name, QTYPE.AAAA, rdata=AAAA(IPv6Address(ip).exploded), ttl=ttl_s)
            for ip in ips
            if ":" in ip
        ]
    return []


def _bind_both() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port of loopback."""
    for _ in range(PORTS_TRIED_MAX):
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        return udp, tcp
    raise OSError("no port is free for both UDP and TCP")


class NameServer:
    """Answers over UDP and TCP on one loopback port until the `with` block ends."""

    def __init__(self, zone: dict[str, Script] | None = None) -> None:
        self.zone: dict[str, Script] = zone or {}
        """Script by name; `*` is for any other name; without it unknown names do not exist."""
        self.asked: Counter[tuple[str, str]] = Counter()
        self._udp, self._tcp = _bind_both()
        self.port: int = self._udp.getsockname()[1]
        self._stopping = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=run, name="nameserver", daemon=True)
            for run in (self._run_udp, self._run_tcp)
        ]

    @property
    def address(self) -> str:
        """`address:port` as resolvers take it."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def _answer(self, packet: bytes) -> DNSRecord | None:
        question = DNSRecord.parse(packet)
        name = str(question.q.qname).rstrip(".").lower()
        query_type = QTYPE[question.q.qtype]
        with self._lock:
            asked = self.asked[name, query_type]
            self.asked[name, query_type] += 1
            script = self.zone.get(name) or self.zone.get("*") or failing(RCODE.NXDOMAIN)
            said = script(query_type, asked)
        if said is None:
            return None
        reply = question.reply()
        if isinstance(said, int):
            reply.header.rcode = said
        else:
            reply.add_answer(*said)
        return reply

    def _run_udp(self) -> None:
        while True:
            packet, client = self._udp.recvfrom(4096)
            if self._stopping:
                return
            reply = self._answer(packet)
            if reply is None:
                continue
            data = reply.pack()
            if len(data) > UDP_BYTES_MAX:
                reply.rr.clear()
                reply.header.tc = 1
                data = reply.pack()
            self._udp.sendto(data, client)

    def _run_tcp(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                if self._stopping:
                    return
                connection.settimeout(2)
                try:
                    self._serve_tcp(connection)
                except (OSError, dnslib.DNSError):
                    continue

    def _serve_tcp(self, connection: socket.socket) -> None:
        while header := connection.recv(2, socket.MSG_WAITALL):
            (length,) = struct.unpack("!H", header)
            reply = self._answer(connection.recv(length, socket.MSG_WAITALL))
            if reply is None:
                return
            data = reply.pack()
            connection.sendall(struct.pack("!H", len(data)) + data)
