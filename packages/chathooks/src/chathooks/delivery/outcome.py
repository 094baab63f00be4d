"""What an attempt's answer means, and one plain sentence about it for whoever runs the endpoint. Pure.

Source: delivery contract §2 (what is acknowledged), §6 (failure class and explanation in the log).
"""

import msgspec

from chathooks.egress.failures import FailureKind

STATUS_OK = 200
RESPONSE_HEADERS_KIB_MAX = 32


class Outcome(msgspec.Struct, frozen=True):
    """The verdict on one attempt."""

    acknowledged: bool
    """Any 2xx whose headers arrived in time."""
    exactly_200: bool
    """False with `acknowledged` is flagged in the log: the docs ask receivers for exactly 200."""
    status: int | None
    failure: FailureKind | None
    """None when acknowledged; `http_status` for any answer that is not a 2xx."""


_ANSWERED_200 = Outcome(True, True, STATUS_OK, None)
"""The common case; outcomes never change, so one will do."""


def classify(status: int | None, failure: FailureKind | None) -> Outcome:
    """The verdict on an exchange: `status` of a complete answer, or the `failure` that left none."""
    if status == STATUS_OK and failure is None:
        return _ANSWERED_200
    if failure is not None or status is None:
        return Outcome(False, False, None, failure or FailureKind.internal)
    if 200 <= status < 300:
        return Outcome(True, False, status, None)
    return Outcome(False, False, status, FailureKind.http_status)


_STATUS_SENTENCES = {
    301: "The endpoint answered {status}, a redirect, which is never followed; change the webhook's URL to the new address.",
    308: "The endpoint answered {status}, a redirect, which is never followed; change the webhook's URL to the new address.",
    400: "The endpoint answered 400: it did not accept the request; check how it parses the body and verifies the signature.",
    401: "The endpoint answered 401: it did not accept the credentials; check the webhook's Basic credentials or signing secret.",
    403: "The endpoint answered 403: it refused the request; check its credentials, signature check, firewall and allow-lists.",
    404: "The endpoint answered 404: nothing is served at this path; check the path in the webhook's URL.",
    405: "The endpoint answered 405: it does not take POST at this path; make it accept POST requests.",
    408: "The endpoint answered 408: it gave up waiting for the request; check the proxy or server in front of it.",
    410: "The endpoint answered 410: it says that this path is gone; change the webhook's URL or delete the webhook.",
    411: "The endpoint answered 411: something in front of it did not pass on Content-Length; check its proxy.",
    413: "The endpoint answered 413: the body is too large for it; raise its limit for request bodies to at least 1 MiB.",
    415: "The endpoint answered 415: it does not take application/json; make it accept that content type.",
    421: "The endpoint answered 421: the server does not serve this host name; check the host in the webhook's URL.",
    429: "The endpoint answered 429: it is getting too many requests; raise its limit or lower the webhook's maxConcurrency.",
    500: "The endpoint answered 500: it failed while handling the event; look into its error log.",
    501: "The endpoint answered 501: it does not support this request; make it accept POST requests.",
    502: "The endpoint answered 502: the proxy in front of it got no valid answer; check that the application is running.",
    503: "The endpoint answered 503: it is not available at the moment; check that the application is running and not overloaded.",
    504: "The endpoint answered 504: the proxy in front of it got no answer in time; answer first and do the work afterwards.",
}

_FAMILY_SENTENCES = {
    1: "The endpoint answered only with the interim status {status}; it must send a final 200.",
    3: "The endpoint answered {status}, a redirect, which is never followed; make this URL answer 200 itself.",
    4: "The endpoint answered {status}: it refused the request; check the webhook's URL and what the endpoint expects.",
    5: "The endpoint answered {status}: it failed while handling the event; look into its error log.",
}

_FAILURE_SENTENCES = {
    FailureKind.dns_not_found: "The host name of the URL does not exist or has no address; check its spelling and its DNS records.",
    FailureKind.dns_failed: "The host name of the URL could not be resolved; check the name-servers of its domain.",
    FailureKind.timeout_dns: "The host name of the URL was not resolved within {timeout} s; check the name-servers of its domain.",
    FailureKind.timeout_connect: "No connection within {timeout} s; check that the endpoint is running and that no firewall drops the packets.",
    FailureKind.timeout_tls: "The connection opened, but TLS was not set up within {timeout} s; check that the port speaks TLS and is not overloaded.",
    FailureKind.timeout_response: "Connected and sent, but no complete response headers within {timeout} s; answer 200 first and do the work afterwards.",
    FailureKind.address_refused: "The URL leads to an address that is not public and so is never called; use a public host or have the operator allow its network.",
    FailureKind.connection_refused: "The connection was refused: nothing listens on that port; check that the endpoint is running and the port is right.",
    FailureKind.connect_failed: "There is no route to the endpoint's address; check its DNS records and its network.",
    FailureKind.connection_reset: "The endpoint closed the connection before it answered; look for a crash or a restart of the application or its proxy.",
    FailureKind.protocol: "What the endpoint sent is not a valid HTTP answer; check that the port belongs to an HTTP server and that the scheme is right.",
    FailureKind.headers_too_large: f"The response headers are larger than {RESPONSE_HEADERS_KIB_MAX} KiB; make the endpoint send fewer or shorter headers.",
    FailureKind.interrupted: "This server stopped while the attempt was under way, so its outcome is not known; it is made again.",
    FailureKind.internal: "The attempt failed on this side, not at the endpoint; the server's operator finds the cause in the log.",
    FailureKind.tls: "TLS could not be set up; check the endpoint's certificate and that the port speaks TLS 1.2 or newer.",
    FailureKind.http_status: "The endpoint did not answer with a 2xx status; make it answer 200.",
}

# What OpenSSL says, in lower case, and what it means; the first match counts.
_TLS_SENTENCES = (
    ("expired", "The endpoint's TLS certificate has expired; renew it."),
    (
        "not yet valid",
        "The endpoint's TLS certificate is not valid yet; check its dates and the clocks.",
    ),
    (
        "self-signed certificate in certificate chain",
        "The endpoint's TLS certificate comes from an unknown authority; use a public one or add it to the server's CA file.",
    ),
    (
        "self-signed",
        "The endpoint's TLS certificate is self-signed; use one from a public authority or add it to the server's CA file.",
    ),
    (
        "self signed",
        "The endpoint's TLS certificate is self-signed; use one from a public authority or add it to the server's CA file.",
    ),
    (
        "local issuer",
        "The endpoint's TLS certificate comes from an unknown authority, or its intermediate certificate is not sent; serve the full chain.",
    ),
    (
        "unable to verify the first certificate",
        "The endpoint does not send its intermediate certificate; serve the full chain.",
    ),
    ("revoked", "The endpoint's TLS certificate has been revoked; replace it."),
    (
        "subject name",
        "The endpoint's TLS certificate is for another host name; use one that names the URL's host.",
    ),
    (
        "hostname mismatch",
        "The endpoint's TLS certificate is for another host name; use one that names the URL's host.",
    ),
    (
        "ip address mismatch",
        "The endpoint's TLS certificate does not name this IP address; use a host name in the URL.",
    ),
    (
        "wrong version number",
        "The port does not speak TLS; check the port, or whether it serves plain http.",
    ),
    (
        "packet length too long",
        "The port does not speak TLS; check the port, or whether it serves plain http.",
    ),
    (
        "http request",
        "The port does not speak TLS; check the port, or whether it serves plain http.",
    ),
    (
        "unsupported protocol",
        "The endpoint speaks only an outdated TLS version; enable TLS 1.2 or newer.",
    ),
    (
        "protocol version",
        "The endpoint speaks only an outdated TLS version; enable TLS 1.2 or newer.",
    ),
    (
        "alert",
        "The endpoint broke off the TLS handshake; check that it serves this host name and TLS 1.2 or newer.",
    ),
    (
        "reset",
        "The endpoint closed the connection during the TLS handshake; check that the port speaks TLS.",
    ),
    (
        "eof",
        "The endpoint closed the connection during the TLS handshake; check that the port speaks TLS.",
    ),
    (
        "ssl_error_syscall",
        "The endpoint closed the connection during the TLS handshake; check that the port speaks TLS.",
    ),
)


def explain(outcome: Outcome, detail: str = "", timeout_s: float = 2.0) -> str:
    """One plain sentence: what happened and what to do.

    Args:
        outcome: from `classify`.
        detail: the transport's own words, which tell the kinds of TLS failure apart.
        timeout_s: the limit the attempt ran under, seconds.
    """
    status = outcome.status
    if outcome.acknowledged:
        if outcome.exactly_200:
            return "The endpoint acknowledged the event."
        return f"The endpoint acknowledged the event with {status}; this is accepted, but exactly 200 is asked for."
    if outcome.failure is FailureKind.http_status and status is not None:
        sentence = _STATUS_SENTENCES.get(status) or _FAMILY_SENTENCES.get(status // 100)
        if sentence is None:
            return f"The endpoint answered {status}, which is no HTTP status for success; make it answer 200."
        return sentence.format(status=status)
    if outcome.failure is FailureKind.tls:
        said = detail.lower()
        for mark, sentence in _TLS_SENTENCES:
            if mark in said:
                return sentence
    failure = outcome.failure or FailureKind.internal
    return _FAILURE_SENTENCES[failure].format(timeout=f"{timeout_s:g}")
