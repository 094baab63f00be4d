"""The bare libcurl loop: what any sender on this stack pays at the least.

A `CurlMulti` on uvloop that sends one request, made beforehand, over and over. It has the headers, the body, the
transport options and the callbacks of the real client, and nothing else: no pool, no judgement, no timings, no
records; its callbacks before a request and before a look-up only say yes. It is written to be fast, so that it is a hard measure: libcurl's sockets stay in one epoll that
the loop watches, what has ended is read once for many ready sockets, and a kick is a plain call of the loop. Side
"plain" is the loop as libcurl's manual has it, each socket registered with the event loop as libcurl asks.
"""

import asyncio
import select
import socket
from collections.abc import Callable

import pycurl

from benchmarks.side import Counted, Spec, Window
from benchmarks.workload import USER_AGENT, endpoint_url, one_request

TIMEOUT_MS = 2000
EVENTS_MAX = 512


class _EpollSockets:
    """libcurl's sockets in an epoll of their own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ready: Callable[[int, int], object],
        settled: Callable[[], None],
    ) -> None:
        self._epoll = select.epoll()
        self._masks: dict[int, int] = {}
        self._ready = ready
        self._settled = settled
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    def want(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        """libcurl's M_SOCKETFUNCTION. A kept connection stays registered: it is wanted again at once."""
        if what == pycurl.POLL_REMOVE:
            return
        mask = 0
        if what & pycurl.POLL_IN:
            mask |= select.EPOLLIN
        if what & pycurl.POLL_OUT:
            mask |= select.EPOLLOUT
        before = self._masks.get(fd)
        if before is None:
            self._epoll.register(fd, mask)
        elif before != mask:
            self._epoll.modify(fd, mask)
        self._masks[fd] = mask

    def _on_ready(self) -> None:
        ready = self._ready
        for fd, events in self._epoll.poll(0, EVENTS_MAX):
            flags = pycurl.CSELECT_IN if events & select.EPOLLIN else 0
            if events & select.EPOLLOUT:
                flags |= pycurl.CSELECT_OUT
            ready(fd, flags)
        self._settled()


class _LoopSockets:
    """Each socket registered with the event loop itself."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ready: Callable[[int, int], object],
        settled: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._ready = ready
        self._settled = settled

    def want(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        """libcurl's M_SOCKETFUNCTION."""
        loop = self._loop
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        if what == pycurl.POLL_REMOVE:
            return
        if what & pycurl.POLL_IN:
            loop.add_reader(fd, self._on_ready, fd, pycurl.CSELECT_IN)
        if what & pycurl.POLL_OUT:
            loop.add_writer(fd, self._on_ready, fd, pycurl.CSELECT_OUT)

    def _on_ready(self, fd: int, flags: int) -> None:
        self._ready(fd, flags)
        self._settled()


def _go_on(*_: object) -> int:
    return pycurl.PREREQFUNC_OK


def _open_socket(_purpose: int, address: "pycurl.SocketAddress") -> socket.socket:
    return _Socket(address.family, address.socktype, address.protocol)


class _Socket(socket.socket):
    """libcurl works on a duplicate of the descriptor, so this one may be closed at once."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


class BareLoop:
    """The loop; `start` begins `connections` requests and each answer begins the next."""

    def __init__(self, spec: Spec) -> None:
        self.done = 0
        self.running = True
        self.failure = ""
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        kind = _LoopSockets if spec.side == "plain" else _EpollSockets
        self._sockets = kind(self._loop, self._multi.socket_action, self._settle)
        self._timer: asyncio.TimerHandle | None = None
        self._kicked = False
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.want)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer_wanted)
        self._multi.setopt(pycurl.M_MAXCONNECTS, spec.connections * 2)
        self._headers, self._body = one_request(spec.port)
        self._answers = {self._easy(spec): ([], []) for _ in range(spec.connections)}

    _answers: dict[pycurl.Curl, tuple[list[bytes], list[bytes]]]

    def _easy(self, spec: Spec) -> pycurl.Curl:
        easy = pycurl.Curl()
        easy.setopt(pycurl.URL, endpoint_url(spec.port))
        easy.setopt(pycurl.RESOLVE, [f"localhost:{spec.port}:127.0.0.1"])
        easy.setopt(pycurl.CAINFO, spec.ca_file)
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.USERAGENT, USER_AGENT)
        easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        easy.setopt(pycurl.PROXY, "")
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.PATH_AS_IS, 1)
        easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        easy.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        easy.setopt(pycurl.TIMEOUT_MS, TIMEOUT_MS)
        easy.setopt(pycurl.OPENSOCKETFUNCTION, _open_socket)
        easy.setopt(pycurl.PREREQFUNCTION, _go_on)
        easy.setopt(pycurl.RESOLVER_START_FUNCTION, _go_on)
        return easy

    def start(self) -> None:
        """Begin."""
        for easy, (headers, body) in self._answers.items():
            easy.setopt(pycurl.HEADERFUNCTION, headers.append)
            easy.setopt(pycurl.WRITEFUNCTION, body.append)
            self._send(easy)

    def _send(self, easy: pycurl.Curl) -> None:
        easy.setopt(pycurl.HTTPHEADER, self._headers)
        easy.setopt(pycurl.POSTFIELDS, self._body)
        self._multi.add_handle(easy)

    def _on_timer_wanted(self, timeout_ms: int) -> None:
        if timeout_ms == 0:
            if not self._kicked:
                self._kicked = True
                self._loop.call_soon(self._kick)
        elif timeout_ms > 0 and self._timer is None:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._kick()

    def _kick(self) -> None:
        self._kicked = False
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._settle()

    def _settle(self) -> None:
        queued = 1
        while queued:
            queued, finished, failed = self._multi.info_read(64)
            if failed:
                self.failure, self.running = str(failed[0][1:]), False
            for easy in finished:
                self._finished(easy)

    def _finished(self, easy: pycurl.Curl) -> None:
        self._multi.remove_handle(easy)
        headers, body = self._answers[easy]
        if easy.getinfo(pycurl.RESPONSE_CODE) != 200:
            self.failure, self.running = f"{b''.join(headers)!r}", False
        headers.clear()
        body.clear()
        self.done += 1
        if self.running:
            self._send(easy)

    def stop(self) -> None:
        """Begin no more; what is under way is dropped with the process."""
        self.running = False


async def run(spec: Spec) -> Counted:
    """Send until the window ends. Raises RuntimeError where a request is not answered with 200."""
    loop = BareLoop(spec)
    window = Window(spec, lambda: loop.done)
    loop.start()
    counted = await window.measure()
    loop.stop()
    if loop.failure:
        raise RuntimeError(f"a request was not answered with 200: {loop.failure}")
    return counted
