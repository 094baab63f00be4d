"""From libcurl's verdict to an `Exchange`."""

import errno
import time

import pycurl

from chathooks.egress.exchange import Exchange
from chathooks.egress.failures import FailureKind
from chathooks.egress.transfer import Transfer

MS_PER_S = 1000.0

_RESPONSE_CODE = pycurl.RESPONSE_CODE
_STARTTRANSFER_TIME = pycurl.STARTTRANSFER_TIME

# libcurl's codes that pycurl has no name for.
_WEIRD_SERVER_REPLY = 8
_HTTP2_STREAM = 92
_TOO_LARGE = 100

_KINDS = {
    pycurl.E_COULDNT_RESOLVE_HOST: FailureKind.dns_failed,
    pycurl.E_SSL_CONNECT_ERROR: FailureKind.tls,
    pycurl.E_PEER_FAILED_VERIFICATION: FailureKind.tls,
    pycurl.E_SSL_CIPHER: FailureKind.tls,
    pycurl.E_SSL_ISSUER_ERROR: FailureKind.tls,
    pycurl.E_GOT_NOTHING: FailureKind.connection_reset,
    pycurl.E_SEND_ERROR: FailureKind.connection_reset,
    pycurl.E_RECV_ERROR: FailureKind.connection_reset,
    pycurl.E_PARTIAL_FILE: FailureKind.connection_reset,
    pycurl.E_ABORTED_BY_CALLBACK: FailureKind.connection_reset,
    pycurl.E_UNSUPPORTED_PROTOCOL: FailureKind.protocol,
    _WEIRD_SERVER_REPLY: FailureKind.protocol,
    pycurl.E_HTTP2: FailureKind.protocol,
    _HTTP2_STREAM: FailureKind.connection_reset,
    pycurl.E_BAD_CONTENT_ENCODING: FailureKind.protocol,
    _TOO_LARGE: FailureKind.headers_too_large,
}

_CONNECT_KINDS = {
    errno.ECONNREFUSED: FailureKind.connection_refused,
    errno.ECONNRESET: FailureKind.connection_reset,
    errno.EPIPE: FailureKind.connection_reset,
}


def failed_exchange(
    kind: FailureKind, detail: str, duration_ms: float, dns_ms: float = 0.0
) -> Exchange:
    """An exchange that never reached the network."""
    return Exchange(
        failure=kind, detail=detail, duration_ms=duration_ms, total_ms=duration_ms, dns_ms=dns_ms
    )


def exchange_of(transfer: Transfer, code: int, message: str) -> Exchange:
    """The exchange of a transfer that ended with libcurl's `code` (0: well) and `message`.

    An answer whose headers arrived counts, however the transfer ended afterwards (delivery contract §7).
    """
    easy = transfer.easy
    getinfo = easy.getinfo
    block, complete, too_large = transfer.header_block()
    dns_ms = transfer.dns_ms
    connect_s = tls_s = 0.0
    if transfer.opens:
        connect_s = getinfo(pycurl.CONNECT_TIME)
        tls_s = max(0.0, getinfo(pycurl.APPCONNECT_TIME) - connect_s)
    first_s = getinfo(_STARTTRANSFER_TIME) if block else 0.0
    duration_ms = (time.perf_counter() - transfer.started_s) * MS_PER_S
    exchange = Exchange(
        duration_ms=duration_ms,
        dns_ms=dns_ms,
        connect_ms=connect_s * MS_PER_S,
        tls_ms=tls_s * MS_PER_S,
        first_byte_ms=dns_ms + first_s * MS_PER_S if first_s else 0.0,
        total_ms=duration_ms,
        remote_ip=transfer.remote_ip,
        connection_reused=transfer.sends == 1 and not transfer.opens,
        resent=transfer.sends > 1,
        detail=message,
    )
    if complete:
        exchange.status = getinfo(_RESPONSE_CODE)
        exchange.http_version = http_version(block)
        exchange.response_headers = block
        exchange.response_body = transfer.body()
    elif too_large:
        exchange.failure = FailureKind.headers_too_large
        exchange.detail = message or "the response headers exceed the limit"
    else:
        exchange.failure = _kind(transfer, code, message)
        if transfer.local_fault:
            exchange.detail = transfer.local_fault
        elif exchange.failure is FailureKind.internal and code == pycurl.E_OPERATION_TIMEDOUT:
            exchange.detail = "no connection became free in time"
        if exchange.failure is FailureKind.address_refused:
            exchange.detail = f"{transfer.refused_ip} was refused when the connection was opened"
        elif not exchange.remote_ip:
            exchange.remote_ip = getinfo(pycurl.PRIMARY_IP) or None
    return exchange


def closed_unanswered(transfer: Transfer, code: int, message: str) -> bool:
    """Whether a kept HTTP/2 connection closed before any answer, which allows one resend (delivery contract §3.2).

    libcurl resends by itself over HTTP/1.1, and over HTTP/2 where the server says that it never saw the request. A GOAWAY
    or an end that leaves it open is told apart from the reset of one stream by the missing message.
    """
    return (
        code == pycurl.E_HTTP2
        and not message
        and transfer.sends == 1
        and not transfer.opens
        and not transfer.answer_began
    )


def http_version(block: bytes) -> str:
    """The version in a status line: "1.1", "1.0", "2"."""
    if block.startswith(b"HTTP/1.1"):
        return "1.1"
    return block[len(b"HTTP/") : block.find(b" ")].decode("latin-1")


def _kind(transfer: Transfer, code: int, message: str) -> FailureKind:
    if transfer.refused_ip is not None and not transfer.sends:
        return FailureKind.address_refused
    if transfer.local_fault:
        return FailureKind.internal
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return _timeout_phase(transfer)
    if code == pycurl.E_COULDNT_CONNECT:
        said = transfer.easy.getinfo(pycurl.OS_ERRNO)
        return _CONNECT_KINDS.get(said, FailureKind.connect_failed)
    if code == pycurl.E_HTTP2 and not message:  # an orderly GOAWAY instead of an answer
        return FailureKind.connection_reset
    if code == 0:  # ended well without a final answer: only interim ones
        return FailureKind.protocol
    return _KINDS.get(code, FailureKind.internal)


def _timeout_phase(transfer: Transfer) -> FailureKind:
    if transfer.sends:
        return FailureKind.timeout_response
    if not transfer.opens:  # it waited for one of connections_max all the time
        return FailureKind.internal
    if not transfer.easy.getinfo(pycurl.CONNECT_TIME):
        return FailureKind.timeout_connect
    return FailureKind.timeout_tls
