"""One easy handle and what its callbacks note down; made once, used for many requests.

The callbacks run inside libcurl: they count, judge and keep, and never call back into it. Three of them are walls:

* `_open_socket` judges the very address about to be connected to and counts connections;
* `_before_request` judges the address of a kept connection likewise, and counts how often the request goes out;
  libcurl sends a POST again, unasked and up to five times, when kept connections close unanswered: one resend on a
  fresh connection is let through, one on another kept connection is stopped for the client to make it anew;
* `_resolve` refuses to let libcurl look names up by itself (`resolver` says why).
"""

import errno
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import pycurl

from chathooks.egress.exchange import Exchange
from chathooks.egress.guard import Target, TargetPolicy, judge_address

if TYPE_CHECKING:
    from asyncio import TimerHandle

RESPONSE_BODY_KEPT_BYTES_MAX = 4 * 1024
RESPONSE_BODY_READ_BYTES_MAX = 64 * 1024
RESPONSE_HEADERS_BYTES_MAX = 32 * 1024
RESPONSE_HEADER_LINES_MAX = 1024
SENDS_MAX = 2
REQUEST_BODY_IDLE_BYTES_MAX = 16 * 1024
CONNECTION_LIFETIME_S_MAX = 120
CONNECTION_IDLE_S_MAX = 60

# Read for every request: a module's own names are the cheapest to look up.
_URL = pycurl.URL
_TIMEOUT_MS = pycurl.TIMEOUT_MS
_HTTPHEADER = pycurl.HTTPHEADER
_POSTFIELDS = pycurl.POSTFIELDS
_TLS_EVEN = pycurl.SSLVERSION_TLSv1_2
_TLS_ODD = pycurl.SSLVERSION_TLSv1_2 | pycurl.SSLVERSION_MAX_TLSv1_3
_PREREQ_OK = pycurl.PREREQFUNC_OK
_NOT_JUDGED = ""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Done = Callable[[Exchange], None]


class TransferOptions(Protocol):
    """What every transfer of a client shares."""

    policy: TargetPolicy
    user_agent: str
    ca_path: str | None

    def socket_opening(self) -> None:
        """Called before each new socket."""


class _GuardedSocket(socket.socket):
    """libcurl works on a duplicate of the descriptor; this one is closed as soon as pycurl lets go of it."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


def _nothing(_: Exchange) -> None:
    return


class Transfer:
    """A pooled easy handle with the record of the request it is serving."""

    __slots__ = (
        "_body",
        "_body_size",
        "_headers",
        "_odd_epoch",
        "_policy",
        "_socket_opening",
        "_timeout_ms",
        "_url",
        "_verdicts",
        "active",
        "dns_ms",
        "dns_timer",
        "done",
        "easy",
        "generation",
        "holds_large_body",
        "local_fault",
        "made_anew",
        "needs_fresh_connection",
        "opens",
        "pins",
        "refused_ip",
        "remote_ip",
        "request_body",
        "request_headers",
        "sends",
        "started_s",
        "target",
        "timeout_s",
        "unusual",
        "withdraw",
    )

    def __init__(self, options: TransferOptions) -> None:
        self._policy = options.policy
        self._verdicts = options.policy.verdicts
        self._socket_opening = options.socket_opening
        self._url = ""
        self._timeout_ms = -1
        self._odd_epoch = False
        self._headers: deque[bytes] = deque(maxlen=RESPONSE_HEADER_LINES_MAX)
        self._body: list[bytes] = []
        self.easy = pycurl.Curl()
        self._configure(options)
        self.target: Target | None = None
        self.done: Done = _nothing
        self.started_s = 0.0
        self.timeout_s = 0.0
        self.generation = 0
        self.active = False
        self.sends = 0
        self.remote_ip: str | None = None
        self._body_size = 0
        self.unusual = False
        self.pins = ""
        self.dns_ms = 0.0
        self.opens = 0
        self.refused_ip: str | None = None
        self.local_fault = ""
        self.needs_fresh_connection = False
        self.made_anew = False
        self.holds_large_body = False
        self.withdraw: Callable[[], None] | None = None
        self.dns_timer: TimerHandle | None = None
        self.request_headers: Sequence[str | bytes] = ()
        self.request_body = b""

    def _configure(self, options: TransferOptions) -> None:
        easy = self.easy
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.USERAGENT, options.user_agent)
        easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        easy.setopt(pycurl.REDIR_PROTOCOLS, 0)
        easy.setopt(pycurl.FOLLOWLOCATION, 0)
        easy.setopt(pycurl.PROXY, "")
        easy.setopt(pycurl.NOPROXY, "*")
        easy.setopt(pycurl.NETRC, 0)
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.PATH_AS_IS, 1)
        easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        easy.setopt(pycurl.MAXLIFETIME_CONN, CONNECTION_LIFETIME_S_MAX)
        easy.setopt(pycurl.MAXAGE_CONN, CONNECTION_IDLE_S_MAX)
        easy.setopt(pycurl.SSL_VERIFYPEER, 1)
        easy.setopt(pycurl.SSL_VERIFYHOST, 2)
        easy.setopt(pycurl.SSLVERSION, _TLS_EVEN)
        if options.ca_path is not None:
            easy.setopt(pycurl.CAINFO, options.ca_path)
        easy.setopt(pycurl.HEADERFUNCTION, self._headers.append)
        easy.setopt(pycurl.WRITEFUNCTION, self._on_body)
        easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        easy.setopt(pycurl.PREREQFUNCTION, self._before_request)
        easy.setopt(pycurl.RESOLVER_START_FUNCTION, self._resolve)

    def load(
        self,
        url: str,
        headers: Sequence[str | bytes],
        body: bytes,
        timeout_ms: int,
        odd_epoch: bool,
    ) -> None:
        """Set on the easy handle what differs from the last request."""
        setopt = self.easy.setopt
        if url != self._url:
            setopt(_URL, url)
            self._url = url
        if timeout_ms != self._timeout_ms:
            setopt(_TIMEOUT_MS, timeout_ms)
            self._timeout_ms = timeout_ms
        if odd_epoch is not self._odd_epoch:
            self._enter_epoch(odd_epoch)
        setopt(_HTTPHEADER, headers)
        setopt(_POSTFIELDS, body)
        if len(body) > REQUEST_BODY_IDLE_BYTES_MAX:
            self.unusual = self.holds_large_body = True

    def _enter_epoch(self, odd: bool) -> None:
        """Tell this request's connections from those of the other epoch (see `client.EPOCH_S`).

        Naming TLS 1.3 as the newest version changes nothing on the wire, but libcurl reuses only connections that
        were opened with the same wish.
        """
        self._odd_epoch = odd
        self.easy.setopt(pycurl.SSLVERSION, _TLS_ODD if odd else _TLS_EVEN)

    def forget(self) -> None:
        """Let go of everything that belonged to the request."""
        self.generation += 1
        self.active = False
        self.target = None
        self.done = _nothing
        self.sends = 0
        self.remote_ip = None
        self._body_size = 0
        self._headers.clear()
        self._body.clear()
        if self.unusual:
            self._forget_unusual()

    def _forget_unusual(self) -> None:
        """Clear what a request on a kept connection with a known address never touches."""
        self.unusual = False
        self.pins = ""
        self.dns_ms = 0.0
        self.opens = 0
        self.refused_ip = None
        self.local_fault = ""
        self.needs_fresh_connection = False
        self.request_headers = ()
        self.request_body = b""
        if self.withdraw is not None:
            self.withdraw()
            self.withdraw = None
        if self.dns_timer is not None:
            self.dns_timer.cancel()
            self.dns_timer = None
        if self.holds_large_body:
            self.easy.setopt(_POSTFIELDS, b"")
            self.holds_large_body = False
        if self.made_anew:
            self.easy.setopt(pycurl.FRESH_CONNECT, 0)
            self.made_anew = False

    def make_anew(self, timeout_ms: int) -> None:
        """Prepare the one resend, on a connection of its own."""
        self.needs_fresh_connection = False
        self.made_anew = True
        self.sends = 1
        self._timeout_ms = timeout_ms
        self.easy.setopt(pycurl.FRESH_CONNECT, 1)
        self.easy.setopt(pycurl.TIMEOUT_MS, timeout_ms)

    @property
    def answer_began(self) -> bool:
        """Whether any line of an answer came."""
        return bool(self._headers)

    def plain_header_block(self) -> bytes:
        """The header block where one final answer of allowed size is all that arrived; else nothing."""
        lines = self._headers
        block = b"".join(lines)
        if (
            block.find(b"\r\n\r\n") + 4 != len(block)
            or len(block) > RESPONSE_HEADERS_BYTES_MAX
            or len(lines) == RESPONSE_HEADER_LINES_MAX
            or _is_interim(block)
        ):
            return b""
        return block

    def header_block(self) -> tuple[bytes, bool, bool]:
        """The final answer's header block, whether it is complete, and whether it is too large."""
        lines = self._headers
        if len(lines) == RESPONSE_HEADER_LINES_MAX:
            return b"", False, True
        block = b"".join(lines)
        end = block.find(b"\r\n\r\n")
        if end < 0 or end + 4 != len(
            block
        ):  # interim answers, trailers, bare line feeds, or cut short
            block, complete = _final_block(lines)
        else:
            complete = not _is_interim(block)
        if len(block) > RESPONSE_HEADERS_BYTES_MAX:
            return b"", False, True
        return block, complete, False

    def body(self) -> bytes:
        """The part of the body that is kept."""
        chunks = self._body
        if not chunks:
            return b""
        return b"".join(chunks)[:RESPONSE_BODY_KEPT_BYTES_MAX]

    # --- called by libcurl ------------------------------------------------------------------------

    def _on_body(self, chunk: bytes) -> int | None:
        size = self._body_size
        if size < RESPONSE_BODY_KEPT_BYTES_MAX:
            self._body.append(chunk)
        size = self._body_size = size + len(chunk)
        return None if size <= RESPONSE_BODY_READ_BYTES_MAX else 0

    def _open_socket(self, purpose: int, address: "pycurl.SocketAddress") -> "socket.socket | int":
        self.unusual = True
        ip = address.addr[0]
        ip_text = ip.decode("ascii") if isinstance(ip, bytes) else ip
        if judge_address(ip_text, self._policy) is not None:
            self.refused_ip = ip_text
            return pycurl.SOCKET_BAD
        self._socket_opening()
        try:
            opened = _GuardedSocket(address.family, address.socktype, address.protocol)
        except OSError as exc:
            if exc.errno in _EXHAUSTED:
                self.local_fault = f"no socket could be opened: {exc.strerror}"
            return pycurl.SOCKET_BAD
        self.opens += 1
        return opened

    def _before_request(
        self, remote_ip: str, local_ip: str, remote_port: int, local_port: int
    ) -> int:
        self.remote_ip = remote_ip
        if (
            self._verdicts.get(remote_ip, _NOT_JUDGED) is not None
            and judge_address(remote_ip, self._policy) is not None
        ):
            self.refused_ip = remote_ip
            self.unusual = True
            return pycurl.PREREQFUNC_ABORT
        sends = self.sends = self.sends + 1
        if sends < SENDS_MAX:
            return _PREREQ_OK
        if sends == SENDS_MAX and self.opens:
            return _PREREQ_OK
        if sends == SENDS_MAX:
            self.needs_fresh_connection = True
            self.unusual = True
        return pycurl.PREREQFUNC_ABORT

    def _resolve(self, *_: object) -> int:
        if self.target is not None and self.target.is_literal:
            return 0  # libcurl asks here for literal addresses too
        self.local_fault = "the transport asked for an address that it should have had"
        self.unusual = True
        return 1


def _is_interim(block: bytes) -> bool:
    """Whether a header block is that of a 1xx answer (RFC 9110 §15.2)."""
    return block.startswith(b"1", block.find(b" ") + 1)


def _final_block(lines: Sequence[bytes] | deque[bytes]) -> tuple[bytes, bool]:
    """The last answer's lines up to its blank line, and whether that blank line is there."""
    block: list[bytes] = []
    complete = False
    for line in lines:
        if line.startswith(b"HTTP/") and (complete or not block):
            block, complete = [line], False
        elif complete:
            continue  # a trailer
        else:
            block.append(line)
            complete = line in (b"\r\n", b"\n")
    joined = b"".join(block)
    return joined, complete and not _is_interim(joined)
