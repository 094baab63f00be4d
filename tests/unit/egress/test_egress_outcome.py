"""Every end of an attempt has one verdict and one plain sentence."""

import ast
import re
from pathlib import Path

import pytest

from chathooks.delivery import outcome as outcome_module
from chathooks.delivery.outcome import Outcome, classify, explain
from chathooks.egress.failures import FailureKind

SENTENCE_CHARS_MAX = 200


@pytest.mark.parametrize("status", range(200, 300))
def test_any_2xx_is_acknowledged_and_only_200_is_exact(status: int) -> None:
    assert classify(status, None) == Outcome(True, status == 200, status, None)


@pytest.mark.parametrize(
    "status", [100, 101, 199, 300, 301, 302, 304, 308, 400, 404, 500, 599, 999]
)
def test_any_other_status_fails_as_http_status(status: int) -> None:
    assert classify(status, None) == Outcome(False, False, status, FailureKind.http_status)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_is_never_acknowledged(kind: FailureKind) -> None:
    assert classify(None, kind) == Outcome(False, False, None, kind)
    assert classify(200, kind) == Outcome(False, False, None, kind)


def test_no_answer_and_no_failure_is_a_fault_of_ours() -> None:
    assert classify(None, None).failure is FailureKind.internal


STATUS_WORDS = {
    200: "acknowledged the event.",
    202: "exactly 200 is asked for",
    204: "exactly 200 is asked for",
    103: "final 200",
    301: "never followed",
    302: "never followed",
    304: "never followed",
    307: "never followed",
    308: "never followed",
    400: "did not accept the request",
    401: "credentials",
    403: "credentials",
    404: "check the path",
    405: "POST",
    408: "gave up waiting",
    410: "is gone",
    411: "Content-Length",
    413: "too large",
    415: "application/json",
    418: "418: it refused the request",
    421: "host name",
    429: "too many requests",
    500: "error log",
    502: "proxy in front",
    503: "not available",
    504: "do the work afterwards",
    507: "507: it failed",
    999: "no HTTP status",
}


@pytest.mark.parametrize(("status", "words"), STATUS_WORDS.items())
def test_each_status_is_explained(status: int, words: str) -> None:
    sentence = explain(classify(status, None))
    assert words in sentence
    assert status == 200 or str(status) in sentence


FAILURE_WORDS = {
    FailureKind.dns_not_found: "does not exist",
    FailureKind.dns_failed: "could not be resolved",
    FailureKind.timeout_dns: "not resolved within 2 s",
    FailureKind.timeout_connect: "No connection within 2 s",
    FailureKind.timeout_tls: "TLS was not set up within 2 s",
    FailureKind.timeout_response: "no complete response headers within 2 s",
    FailureKind.address_refused: "not public",
    FailureKind.connection_refused: "nothing listens",
    FailureKind.connect_failed: "no route",
    FailureKind.connection_reset: "closed the connection before it answered",
    FailureKind.tls: "TLS could not be set up",
    FailureKind.protocol: "not a valid HTTP answer",
    FailureKind.headers_too_large: "32 KiB",
    FailureKind.interrupted: "made again",
    FailureKind.internal: "on this side",
    FailureKind.http_status: "2xx",
}


@pytest.mark.parametrize("kind", FailureKind)
def test_each_failure_is_explained(kind: FailureKind) -> None:
    assert FAILURE_WORDS[kind] in explain(classify(None, kind))


TLS_WORDS = {
    "SSL certificate problem: certificate has expired": "has expired",
    "SSL certificate problem: certificate is not yet valid": "not valid yet",
    "SSL certificate problem: self-signed certificate": "is self-signed",
    "SSL certificate problem: self-signed certificate in certificate chain": "unknown authority",
    "SSL certificate problem: unable to get local issuer certificate": "full chain",
    "SSL: no alternative certificate subject name matches target host name 'a.example'": "another host name",
    "TLS connect error: error:0A00010B:SSL routines::wrong version number": "does not speak TLS",
    "TLS connect error: error:0A000102:SSL routines::unsupported protocol": "outdated TLS",
    "TLS connect error: error:0A000410:SSL routines::ssl/tls alert handshake failure": "broke off",
    "Recv failure: Connection reset by peer": "during the TLS handshake",
    "something new": "TLS could not be set up",
}


@pytest.mark.parametrize(("said", "words"), TLS_WORDS.items())
def test_what_tls_says_is_put_plainly(said: str, words: str) -> None:
    assert words in explain(classify(None, FailureKind.tls), said)


def test_the_limit_that_was_in_force_is_named() -> None:
    assert "0.75 s" in explain(classify(None, FailureKind.timeout_connect), timeout_s=0.75)


def test_every_explanation_is_one_short_sentence() -> None:
    outcomes = [classify(status, None) for status in range(100, 600)]
    outcomes += [classify(None, kind) for kind in FailureKind]
    sentences = {explain(outcome) for outcome in outcomes}
    sentences |= {explain(classify(None, FailureKind.tls), said) for said in TLS_WORDS}
    for sentence in sentences:
        assert sentence.endswith("."), sentence
        assert not re.search(r"[.!?] [A-Z]", sentence), sentence
        assert "{" not in sentence
        assert len(sentence) <= SENTENCE_CHARS_MAX, sentence


def test_the_verdict_is_pure() -> None:
    tree = ast.parse(Path(outcome_module.__file__).read_text("utf-8"))
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported == {"msgspec", "chathooks.egress.failures"}
