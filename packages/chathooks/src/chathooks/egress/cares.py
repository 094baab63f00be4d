"""A c-ares channel on the event loop.

A channel is used for a short while and then replaced. c-ares keeps every answer in a cache of its own that pycares
cannot turn off, "no such record" for up to an hour; it never shrinks while names keep coming; and it reads
resolv.conf only when it is made. A young channel has none of these troubles.
"""

import asyncio
from collections.abc import Callable, Sequence

import pycares

# Together they outlast an attempt: a slow answer still serves the next one from the cache.
QUERY_TIMEOUT_S = 0.7
QUERY_TRIES = 3
TIMER_S_MIN = 0.01

_AI_NOSORT = 1 << 7
# Sorting would open a socket to each address; libcurl tries both families side by side anyway.
_SOCK_STREAM = 1

Answered = Callable[[pycares.AddrInfoResult | None, int | None], None]


class CaresChannel:
    """Looks names up in /etc/hosts and at the name-servers.

    Args:
        loop: the loop that watches its sockets.
        servers: name-servers as `address` or `address:port`; None for those of resolv.conf.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, servers: Sequence[str] | None) -> None:
        self._loop = loop
        self._pending = 0
        self._retired = False
        self._closed = False
        self._watched: dict[int, tuple[bool, bool]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._channel = pycares.Channel(
            flags=pycares.ARES_FLAG_NOSEARCH,
            timeout=QUERY_TIMEOUT_S,
            tries=QUERY_TRIES,
            servers=servers,
            sock_state_cb=self._on_socket_state,
        )

    @property
    def closed(self) -> bool:
        """Whether its sockets are released."""
        return self._closed

    def ask(self, name: str, answered: Answered) -> None:
        """Look `name` up; `answered` gets the result or c-ares' error, possibly before this returns.

        Raises ValueError or UnicodeError where `name` is no host name; `answered` is not called then.
        """
        self._pending += 1

        def settle(result: pycares.AddrInfoResult | None, error: int | None) -> None:
            self._pending -= 1
            if self._retired and not self._pending and not self._closed:
                self._loop.call_soon(self.close)  # c-ares is on the stack here
            answered(result, error)

        try:
            self._channel.getaddrinfo(
                name, None, flags=_AI_NOSORT, type=_SOCK_STREAM, callback=settle
            )
        except BaseException:
            self._pending -= 1
            raise
        self._arm_timer()

    def retire(self) -> None:
        """Close as soon as nothing is under way."""
        self._retired = True
        if not self._pending:
            self.close()

    def close(self) -> None:
        """Give up what is under way and release the sockets; harmless when called twice."""
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._channel.cancel()
        self._closed = True
        for fd in list(self._watched):
            self._watch(fd, readable=False, writable=False)
        self._channel.close()

    def _on_socket_state(self, fd: int, readable: bool, writable: bool) -> None:
        # A closed channel is torn down on a thread of pycares; the loop has forgotten its sockets by then.
        if not self._closed:
            self._watch(fd, readable=readable, writable=writable)

    def _watch(self, fd: int, *, readable: bool, writable: bool) -> None:
        loop = self._loop
        was_readable, was_writable = self._watched.pop(fd, (False, False))
        if readable and not was_readable:
            loop.add_reader(fd, self._process, fd, pycares.ARES_SOCKET_BAD)
        elif was_readable and not readable:
            loop.remove_reader(fd)
        if writable and not was_writable:
            loop.add_writer(fd, self._process, pycares.ARES_SOCKET_BAD, fd)
        elif was_writable and not writable:
            loop.remove_writer(fd)
        if readable or writable:
            self._watched[fd] = (readable, writable)

    def _process(self, read_fd: int, write_fd: int) -> None:
        if not self._closed:
            self._channel.process_fd(read_fd, write_fd)
            self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer is None and self._pending and not self._closed:
            due_s = float(self._channel.timeout())  # type: ignore[no-untyped-call]  # untyped in pycares
            self._timer = self._loop.call_later(max(TIMER_S_MIN, due_s), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._process(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
