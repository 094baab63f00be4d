"""Tells the transport which of its sockets are ready.

`EpollPoller` keeps libcurl's sockets in an epoll of their own and gives the event loop that one descriptor. Next to
registering each socket with the loop this saves two loop calls per request, wakes once for many ready sockets,
and cannot confuse the loop when libcurl closes a descriptor whose number is used again at once: the kernel drops
a closed descriptor from the epoll by itself. `LoopPoller` is for systems without epoll.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

import pycurl

EVENTS_MAX = 512

# Read for every request: a module's own names are the cheapest to look up.
_POLL_REMOVE = pycurl.POLL_REMOVE
_CSELECT_IN = pycurl.CSELECT_IN
_EPOLLIN = 1

Ready = Callable[[int, int], object]


class Poller(Protocol):
    """Watches descriptors and calls `ready(fd, pycurl.CSELECT_* flags)`, then `settled()` after each batch."""

    def want(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        """Watch `fd` as libcurl asks (`pycurl.POLL_*`); made to be its M_SOCKETFUNCTION."""

    def distrust(self) -> None:
        """A socket is being opened: its number may be that of one that libcurl closed while it was not wanted."""

    def close(self) -> None:
        """Watch nothing any more."""


class EpollPoller:
    """One epoll for all of libcurl's sockets."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ready: Ready, settled: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._ready = ready
        self._settled = settled
        self._epoll = select.epoll()
        self._masks = {
            pycurl.POLL_IN: select.EPOLLIN,
            pycurl.POLL_OUT: select.EPOLLOUT,
            pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
            pycurl.POLL_NONE: 0,
        }
        # Sockets of kept connections stay registered between requests, under the mask they had last.
        self._registered: dict[int, int] = {}
        self._wanted: set[int] = set()
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    def want(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        if what == _POLL_REMOVE:
            self._wanted.discard(fd)
            return
        self._wanted.add(fd)
        mask = self._masks[what]
        if self._registered.get(fd) == mask:
            return
        self._registered[fd] = mask
        try:
            self._epoll.modify(fd, mask)
        except FileNotFoundError:
            self._epoll.register(fd, mask)

    def distrust(self) -> None:
        wanted = self._wanted
        self._registered = {fd: mask for fd, mask in self._registered.items() if fd in wanted}

    def _on_ready(self) -> None:
        wanted = self._wanted
        ready = self._ready
        for fd, events in self._epoll.poll(0, EVENTS_MAX):
            if fd not in wanted:
                # The other side closed a kept connection: libcurl finds out when it next looks at it.
                self._forget(fd)
                continue
            if events == _EPOLLIN:
                ready(fd, _CSELECT_IN)
            else:
                ready(fd, _flags(events))
        self._settled()

    def _forget(self, fd: int) -> None:
        self._registered.pop(fd, None)
        try:
            self._epoll.unregister(fd)
        except OSError:  # closed since: the kernel has dropped it
            return

    def close(self) -> None:
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._wanted.clear()
        self._registered.clear()


def _flags(events: int) -> int:
    flags = 0
    if events & select.EPOLLIN:
        flags |= pycurl.CSELECT_IN
    if events & select.EPOLLOUT:
        flags |= pycurl.CSELECT_OUT
    if events & (select.EPOLLERR | select.EPOLLHUP):
        flags |= pycurl.CSELECT_ERR
    return flags


class LoopPoller:
    """Each socket registered with the event loop itself."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ready: Ready, settled: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._ready = ready
        self._settled = settled
        self._wanted: dict[int, int] = {}

    def want(self, what: int, fd: int, _multi: object = None, _data: object = None) -> None:
        before = self._wanted.pop(fd, pycurl.POLL_NONE)
        now = pycurl.POLL_NONE if what == pycurl.POLL_REMOVE else what
        if before & pycurl.POLL_IN and not now & pycurl.POLL_IN:
            self._loop.remove_reader(fd)
        if before & pycurl.POLL_OUT and not now & pycurl.POLL_OUT:
            self._loop.remove_writer(fd)
        if now & pycurl.POLL_IN and not before & pycurl.POLL_IN:
            self._loop.add_reader(fd, self._on_ready, fd, pycurl.CSELECT_IN)
        if now & pycurl.POLL_OUT and not before & pycurl.POLL_OUT:
            self._loop.add_writer(fd, self._on_ready, fd, pycurl.CSELECT_OUT)
        if now != pycurl.POLL_NONE:
            self._wanted[fd] = now

    def distrust(self) -> None:
        return  # nothing stays registered that is not wanted

    def _on_ready(self, fd: int, flags: int) -> None:
        self._ready(fd, flags)
        self._settled()

    def close(self) -> None:
        for fd in list(self._wanted):
            self.want(pycurl.POLL_REMOVE, fd)


def make_poller(
    loop: asyncio.AbstractEventLoop, ready: Ready, settled: Callable[[], None]
) -> Poller:
    """The best poller of this system."""
    kind = EpollPoller if hasattr(select, "epoll") else LoopPoller
    return kind(loop, ready, settled)
