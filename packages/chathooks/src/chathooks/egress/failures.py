"""Why no acceptable answer came: the one list of failure classes that the delivery log shows."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Class of a failed attempt; the value is what the API shows. Source: delivery contract §2, §6."""

    dns_not_found = "dns_not_found"
    """The name does not exist, or has no address."""
    dns_failed = "dns_failed"
    """The name-server refused or broke the lookup."""
    timeout_dns = "timeout_dns"
    timeout_connect = "timeout_connect"
    timeout_tls = "timeout_tls"
    timeout_response = "timeout_response"
    """Connected and sent, but no complete response headers within the limit."""
    address_refused = "address_refused"
    """Every address of the name, or the one about to be connected to, is refused by the guard."""
    connection_refused = "connection_refused"
    connect_failed = "connect_failed"
    """No route, network down, and the like."""
    connection_reset = "connection_reset"
    """Connected, then closed or reset before the response headers were complete."""
    tls = "tls"
    protocol = "protocol"
    """What came back is not HTTP."""
    headers_too_large = "headers_too_large"
    interrupted = "interrupted"
    """This server stopped while the attempt was under way."""
    internal = "internal"
    """A fault on this side of the network."""
    http_status = "http_status"
    """A complete answer, but not a 2xx. Never set by the client; an answered exchange has no failure."""


class EgressClosed(Exception):
    """The client is closed or closing and takes no further request."""
