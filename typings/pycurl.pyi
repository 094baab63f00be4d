"""Types of the part of pycurl that Chathooks uses."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

version: str

class error(Exception): ...  # noqa: N801 — pycurl's own name

class SocketAddress(NamedTuple):
    """What OPENSOCKETFUNCTION is given (`CurlSockAddr` at run time)."""

    family: int
    socktype: int
    protocol: int
    addr: tuple[Any, ...]

class Curl:
    def setopt(self, option: int, value: Any, /) -> None: ...
    def unsetopt(self, option: int, /) -> None: ...
    def getinfo(self, info: int, /) -> Any: ...
    def reset(self) -> None: ...
    def perform(self) -> None: ...
    def close(self) -> None: ...
    def closed(self) -> bool: ...

class CurlMulti:
    def setopt(self, option: int, value: Any, /) -> None: ...
    def add_handle(self, easy: Curl, /) -> None: ...
    def remove_handle(self, easy: Curl, /) -> None: ...
    def socket_action(self, fd: int, flags: int, /) -> tuple[int, int]: ...
    def perform(self) -> tuple[int, int]: ...
    def select(self, timeout_s: float, /) -> int: ...
    def timeout(self) -> int:
        """Milliseconds until libcurl wants to be called; -1: not at all."""
    def info_read(
        self, handles_max: int = ..., /
    ) -> tuple[int, list[Curl], list[tuple[Curl, int, str]]]: ...
    def close(self) -> None: ...

Callback = Callable[..., Any]
Headers = Sequence[str | bytes]

CAINFO: int
CONNECT_TIME: int
APPCONNECT_TIME: int
STARTTRANSFER_TIME: int
FOLLOWLOCATION: int
FRESH_CONNECT: int
HEADERFUNCTION: int
HTTPHEADER: int
HTTP_VERSION: int
INFO_HTTP_VERSION: int
MAXAGE_CONN: int
MAXLIFETIME_CONN: int
NETRC: int
NOPROXY: int
NOSIGNAL: int
OPENSOCKETFUNCTION: int
OS_ERRNO: int
PATH_AS_IS: int
POST: int
POSTFIELDS: int
PREREQFUNCTION: int
PRIMARY_IP: int
PROTOCOLS: int
PROXY: int
REDIR_PROTOCOLS: int
RESOLVE: int
RESOLVER_START_FUNCTION: int
RESPONSE_CODE: int
SSLVERSION: int
SSL_VERIFYHOST: int
SSL_VERIFYPEER: int
TIMEOUT_MS: int
URL: int
USERAGENT: int
WRITEFUNCTION: int

M_MAXCONNECTS: int
M_MAX_TOTAL_CONNECTIONS: int
M_SOCKETFUNCTION: int
M_TIMERFUNCTION: int

CSELECT_ERR: int
CSELECT_IN: int
CSELECT_OUT: int
POLL_IN: int
POLL_INOUT: int
POLL_NONE: int
POLL_OUT: int
POLL_REMOVE: int
SOCKET_BAD: int
SOCKET_TIMEOUT: int
PREREQFUNC_ABORT: int
PREREQFUNC_OK: int

CURL_HTTP_VERSION_1_0: int
CURL_HTTP_VERSION_1_1: int
CURL_HTTP_VERSION_2TLS: int
CURL_HTTP_VERSION_2_0: int
CURL_HTTP_VERSION_3: int
PROTO_HTTP: int
PROTO_HTTPS: int
SSLVERSION_MAX_TLSv1_3: int
SSLVERSION_TLSv1_2: int

E_ABORTED_BY_CALLBACK: int
E_BAD_CONTENT_ENCODING: int
E_COULDNT_CONNECT: int
E_COULDNT_RESOLVE_HOST: int
E_GOT_NOTHING: int
E_HTTP2: int
E_OPERATION_TIMEDOUT: int
E_PARTIAL_FILE: int
E_PEER_FAILED_VERIFICATION: int
E_RECV_ERROR: int
E_SEND_ERROR: int
E_SSL_CIPHER: int
E_SSL_CONNECT_ERROR: int
E_SSL_ISSUER_ERROR: int
E_UNSUPPORTED_PROTOCOL: int
E_WRITE_ERROR: int
