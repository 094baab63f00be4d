"""A plain WSGI application (PEP 3333), and the reading of a body that the WSGI frameworks share."""

import http
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from chathooks_receiver.intake import Headers, Response, refused, too_large

LENGTH_DIGITS_MAX = 20


class Handler(Protocol):
    """`Receiver` or `BlockingReceiver`."""

    @property
    def body_bytes_max(self) -> int:
        """The largest body that is accepted, in bytes."""

    def handle(self, method: str, headers: Headers, body: bytes) -> Response:
        """Answer one request."""


class WsgiApp:
    """Answers at every path."""

    def __init__(self, receiver: Handler) -> None:
        """Keep the receiver."""
        self._receiver = receiver

    def __call__(
        self, environ: Mapping[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request."""
        response = handle_environ(self._receiver, environ)
        headers = [*response.headers.items(), ("Content-Length", str(len(response.body)))]
        phrase = http.HTTPStatus(response.status).phrase
        start_response(f"{response.status} {phrase}", headers)
        return [response.body]


def handle_environ(receiver: Handler, environ: Mapping[str, Any]) -> Response:
    """Read the body of a WSGI request, up to the limit, and answer it."""
    body = read_body(environ, receiver.body_bytes_max)
    if body is None:
        return refused(too_large(receiver.body_bytes_max))
    return receiver.handle(environ["REQUEST_METHOD"], _headers(environ), body)


def read_body(environ: Mapping[str, Any], bytes_max: int) -> bytes | None:
    """The body, or None where it is larger than `bytes_max` bytes.

    Without a Content-Length a body can only be read from a server that ends it (`wsgi.input_terminated`, as gunicorn,
    waitress and Werkzeug do for chunked ones); at others it is taken for empty, since reading on would hang.
    """
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length.isdigit() and len(length) < LENGTH_DIGITS_MAX:
        left = int(length)
        if left > bytes_max:
            return None
    else:
        left = bytes_max + 1 if environ.get("wsgi.input_terminated") else 0
    stream = environ["wsgi.input"]
    chunks: list[bytes] = []
    while left > 0:
        chunk = stream.read(left)
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    body = b"".join(chunks)
    return body if len(body) <= bytes_max else None


def _headers(environ: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-"), value
        elif name == "CONTENT_TYPE":
            yield "content-type", value
