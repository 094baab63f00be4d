"""What came of one request."""

import msgspec

from chathooks.egress.failures import FailureKind


class Exchange(msgspec.Struct, gc=False):
    """One request and its answer, or why there is none. Times in ms.

    `connect_ms` and `tls_ms` are the lengths of those phases, 0 on a kept connection; `dns_ms` is the time spent
    on resolving; `first_byte_ms` and `total_ms` count from the call of `send`. Source: delivery contract §6.
    """

    status: int | None = None
    """Status of the final answer whose headers arrived completely and in time; None otherwise."""
    http_version: str | None = None
    response_headers: bytes = b""
    """The raw final header block with its status line."""
    response_body: bytes = b""
    """The first bytes of the body, at most RESPONSE_BODY_KEPT_BYTES_MAX."""
    duration_ms: float = 0.0
    dns_ms: float = 0.0
    connect_ms: float = 0.0
    tls_ms: float = 0.0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    remote_ip: str | None = None
    connection_reused: bool = False
    resent: bool = False
    """A kept connection closed unanswered and the request was sent once more."""
    failure: FailureKind | None = None
    """None where an answer arrived, whatever its status."""
    detail: str = ""
    """The transport's own words; never a secret."""
