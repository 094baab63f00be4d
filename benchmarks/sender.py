"""Requests per CPU-second of the egress client, next to a bare pycurl loop.

`python -m benchmarks.sender [--requests N] [--connections N]`. Both sides talk to an endpoint in a process of its
own that answers 200 to everything; only the sender's CPU time counts, so the endpoint's speed does not matter.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import select
import socket
from multiprocessing.connection import Connection
from typing import cast

import pycurl
import uvloop

from chathooks.egress.client import EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.guard import TargetPolicy, parse_target
from chathooks.egress.resolver import Resolver

BODY_BYTES = 1200
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok"
HEADERS = [
    "Content-Type: application/json",
    "webhook-id: evt_01890a5d-ac96-774b-bcce-b302099a8057",
    "webhook-timestamp: 1700000000",
    "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "chathooks-delivery: dlv_1_1",
    "chathooks-attempt: 1",
    "chathooks-number: 1",
    "chathooks-sequence: 1",
]
BODY = b"x" * BODY_BYTES
_EPOLL_MASKS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class _Answering(asyncio.Protocol):
    """Answers when a request's body, which no other byte sequence ends with, has arrived."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._got = 0

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" in data:
            self._got = len(data) - data.index(b"\r\n\r\n") - 4
        else:
            self._got += len(data)
        if self._got >= BODY_BYTES:
            self._got = 0
            self._transport.write(ANSWER)


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    uvloop.run(run())


def cpu_s() -> float:
    """CPU seconds this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Bare:
    """A multi driven by epoll with the callbacks that the guard needs, and nothing else."""

    def __init__(self, port: int, connections: int) -> None:
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self.epoll = select.epoll()
        self._masks: dict[int, int] = {}
        self._due = False
        self.heads: dict[pycurl.Curl, list[bytes]] = {}
        self.bodies: dict[pycurl.Curl, list[bytes]] = {}
        for _ in range(connections):
            easy = pycurl.Curl()
            self.heads[easy], self.bodies[easy] = [], []
            easy.setopt(pycurl.URL, f"http://127.0.0.1:{port}/hook")
            easy.setopt(pycurl.USERAGENT, "Chathooks/bench")
            easy.setopt(pycurl.NOSIGNAL, 1)
            easy.setopt(pycurl.TIMEOUT_MS, 2000)
            easy.setopt(pycurl.HEADERFUNCTION, self.heads[easy].append)
            easy.setopt(pycurl.WRITEFUNCTION, self.bodies[easy].append)
            easy.setopt(pycurl.PREREQFUNCTION, lambda *_: pycurl.PREREQFUNC_OK)

    def _on_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        mask = _EPOLL_MASKS.get(what)
        known = self._masks.get(fd)
        if mask is None or mask == known:
            return
        if known is None:
            self.epoll.register(fd, mask)
        else:
            self.epoll.modify(fd, mask)
        self._masks[fd] = mask

    def _on_timer(self, timeout_ms: int) -> None:
        self._due = timeout_ms == 0

    def step(self) -> None:
        """Let libcurl work on what is ready."""
        if self._due:
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        for fd, events in self.epoll.poll(1.0, 512):
            flags = pycurl.CSELECT_IN if events & select.EPOLLIN else 0
            flags |= pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            self.multi.socket_action(fd, flags)

    def close(self) -> None:
        """Release everything."""
        for easy in self.heads:
            easy.close()
        self.multi.close()
        self.epoll.close()


def bare(port: int, requests: int, connections: int) -> float:
    """The bare loop; requests per CPU-second."""
    loop = _Bare(port, connections)
    free = list(loop.heads)
    sent = done = 0
    start_s = cpu_s()
    while done < requests:
        while free and sent < requests:
            easy = free.pop()
            loop.heads[easy].clear()
            loop.bodies[easy].clear()
            easy.setopt(pycurl.HTTPHEADER, HEADERS)
            easy.setopt(pycurl.POSTFIELDS, BODY)
            loop.multi.add_handle(easy)
            sent += 1
        loop.step()
        _, finished, failed = loop.multi.info_read(1000)
        assert not failed, failed
        for easy in finished:
            assert easy.getinfo(pycurl.RESPONSE_CODE) == 200
            loop.multi.remove_handle(easy)
            free.append(easy)
        done += len(finished)
    rate = requests / (cpu_s() - start_s)
    loop.close()
    return rate


async def _client(port: int, requests: int, connections: int) -> float:
    policy = TargetPolicy.of(["127.0.0.0/8"], allow_http=True)
    resolver = Resolver()
    client = EgressClient(
        policy, resolver=resolver, user_agent="Chathooks/bench", connections_max=connections * 2
    )
    await client.start()
    target = parse_target(f"http://localhost:{port}/hook", policy)
    finished = asyncio.Event()
    left = {"send": requests, "done": requests}

    def send() -> None:
        left["send"] -= 1
        client.send(target, HEADERS, BODY, done=on_done)

    def on_done(exchange: Exchange) -> None:
        assert exchange.status == 200, exchange
        left["done"] -= 1
        if left["send"] > 0:
            send()
        elif not left["done"]:
            finished.set()

    start_s = cpu_s()
    for _ in range(connections):
        send()
    await finished.wait()
    rate = requests / (cpu_s() - start_s)
    await client.close(0)
    resolver.close()
    return rate


def egress(port: int, requests: int, connections: int) -> float:
    """The egress client on uvloop; requests per CPU-second."""
    return uvloop.run(_client(port, requests, connections))


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the egress client.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    port = ours.recv()
    socket.create_connection(("127.0.0.1", port)).close()
    try:
        bare_rates, egress_rates = [], []
        for _ in range(options.rounds):
            bare_rates.append(bare(port, options.requests, options.connections))
            egress_rates.append(egress(port, options.requests, options.connections))
        best_bare, best_egress = max(bare_rates), max(egress_rates)
        print(
            json.dumps(
                {
                    "bare_pycurl_per_cpu_s": round(best_bare),
                    "egress_per_cpu_s": round(best_egress),
                    "ratio": round(best_egress / best_bare, 3),
                }
            )
        )
    finally:
        ours.send(None)
        server.join(5)


if __name__ == "__main__":
    main()
