"""The ASGI application: every request of the API goes through here once, in this order.

    find the route → authenticate → rate limit → onBehalfOf → query → body → handler → answer

What is not below `/v3` or `/apps` (health, metrics, documentation, other parts of the server) is handed on to
`pages`. The order is fixed so that a caller without a valid key learns nothing but that; and it costs little: one
walk over the headers, one dictionary look-up for the route, one for the key (delivery contract §7, rest-api.md A2-A6).
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from chathooks.api import problems
from chathooks.api.decoding import BODY_BYTES_MAX, body_decoder, is_json, query_decoder
from chathooks.api.problems import bad_request
from chathooks.api.protocol import WHOLE_ANSWER, WholeAnswer
from chathooks.api.rate_limits import RateLimits
from chathooks.api.routing import Answer, Call, Route
from chathooks.api.table import RouteTable
from chathooks.apps.access import Access
from chathooks.apps.records import Scope
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.telemetry import HTTP_REQUESTS, HTTP_SECONDS

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Any, Receive, Send], Awaitable[None]]

WEBHOOK_VERSION = b"2"

_API_PREFIX = b"/v3/"
_MANAGEMENT_PREFIX = b"/apps/"
_APPS = b"/apps"
_READ_HEADERS = frozenset(
    (
        b"apikey",
        b"appid",
        b"onbehalfof",
        b"host",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"key",
        b"secret",
        b"x-webhook-version",
    )
)
_UID = re.compile(rb"[A-Za-z0-9_-]{1,100}")
_MS_PER_S = 1000
_NONE: dict[str, Any] = {}
_JSON = (b"content-type", b"application/json")
_TRY_AGAIN = (429, 503)
"""Statuses that come with `Retry-After`."""

log = structlog.get_logger("http")

_encode = msgspec.json.Encoder().encode


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A route with everything that can be prepared for it."""

    route: Route
    label: str
    managed: bool
    scope: Scope
    decode_query: Callable[[bytes], Any]
    decode_body: Callable[[bytes], Any] | None


def _entries(routes: Iterable[Route]) -> Iterable[tuple[str, str, _Entry]]:
    for route in routes:
        decode_query = query_decoder(route.query)
        decode_body = None if route.body is None else body_decoder(route.body)
        for pattern, managed in route.patterns():
            yield (
                route.method,
                pattern,
                _Entry(route, pattern, managed, Scope(route.scope), decode_query, decode_body),
            )


def encode_answer(answer: Answer) -> bytes:
    """`{"data": …, "meta"?: …}` as JSON."""
    if answer.meta is None:
        return b'{"data":' + _encode(answer.data) + b"}"
    return b'{"data":' + _encode(answer.data) + b',"meta":' + _encode(answer.meta) + b"}"


def not_found() -> ChathooksError:
    """ERR_API_NOT_FOUND: there is no such method or path."""
    return ChathooksError(
        "ERR_API_NOT_FOUND", "There is no such call; see /docs for the methods and paths there are."
    )


def _too_large() -> ChathooksError:
    return ChathooksError(
        "ERR_BODY_TOO_LARGE",
        f"The body is larger than {BODY_BYTES_MAX} bytes; send less.",
        {"body": "is too large"},
    )


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body. Raises ERR_BODY_TOO_LARGE beyond `limit` bytes, ClientGone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large()
        if not message.get("more_body", False):
            return part if not parts else b"".join([*parts, part])
        parts.append(part)


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers that the API reads. Raises ERR_BAD_REQUEST where one is sent twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ_HEADERS:
            if name in found:
                text = name.decode("ascii")
                raise bad_request(
                    f"The header {text} is sent more than once.", {text: "is sent more than once"}
                )
            found[name] = value
    return found


def _on_behalf_of(value: bytes | None, entry: _Entry) -> str | None:
    if entry.route.acts_for == "none":
        return None
    if value is None:
        if entry.route.acts_for == "required":
            raise bad_request(
                "This call acts for a user: name them in the onBehalfOf header.",
                {"onBehalfOf": "is required"},
            )
        return None
    if not _UID.fullmatch(value):
        raise bad_request(
            "The onBehalfOf header is not a uid.",
            {"onBehalfOf": "takes 1 to 100 letters, digits, dashes and underscores"},
        )
    return value.lower().decode("ascii")


class Edge:
    """The ASGI application."""

    def __init__(
        self,
        access: Access,
        routes: Iterable[Route],
        pages: Asgi,
        rate_limits: RateLimits | None = None,
    ) -> None:
        """
        Args:
            access: authenticates callers.
            routes: every call of the API.
            pages: serves what is not below `/v3` or `/apps`.
            rate_limits: count the calls of an app's keys; none without.
        """
        self._access = access
        self._rate_limits = rate_limits if rate_limits is not None and rate_limits.on else None
        self._table = RouteTable(_entries(routes))
        self._pages = pages
        self._counters: dict[tuple[str, int], Any] = {}
        # Bound once: binding for every line costs as much as making it.
        self._log = log.bind()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """See the ASGI specification 3.0."""
        if scope["type"] == "http":
            path: bytes = scope["raw_path"]
            if path.startswith((_API_PREFIX, _MANAGEMENT_PREFIX)) or path == _APPS:
                await self._serve(scope, path, receive, send)
                return
        await self._pages(scope, receive, send)

    async def _serve(self, scope: Any, path: bytes, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        label = "-"
        headers = [_JSON]
        try:
            found = self._table.find(scope["method"], path)
            if found is None:
                raise not_found()
            entry, parameters = found
            label = entry.label
            call = await self._read(entry, parameters, scope, receive, headers)
            body = encode_answer(await entry.route.handler(call))
            status = 200
        except ClientGone:
            return
        except Exception as error:
            status, body = _answer_error(error, scope["method"], label, headers)
        headers.append((b"content-length", b"%d" % len(body)))
        whole: WholeAnswer | None = scope.get("extensions", _NONE).get(WHOLE_ANSWER)
        if whole is None or not whole(scope, status, headers, body):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        self._note(scope["method"], label, status, time.perf_counter() - began)

    async def _read(
        self,
        entry: _Entry,
        parameters: dict[str, str],
        scope: Any,
        receive: Receive,
        answered: list[tuple[bytes, bytes]],
    ) -> Call:
        """The call; adds to `answered` the headers that the answer has whatever comes of it."""
        headers = read_headers(scope["headers"])
        get = headers.get
        if entry.managed:
            app = await self._access.management(
                get(b"key"), get(b"secret"), parameters.pop("appId", None)
            )
            digest = None
        else:
            key = await self._access.api_key(
                get(b"apikey"), get(b"appid"), get(b"host"), entry.scope
            )
            app, digest = key.app, key.digest
            if self._rate_limits is not None:
                self._count(self._rate_limits, app.key, entry.route, answered)
        route = entry.route
        if route.management and get(b"x-webhook-version", WEBHOOK_VERSION) != WEBHOOK_VERSION:
            raise bad_request(
                "There is one set of webhooks: send X-Webhook-Version: 2 or leave the header out.",
                {"X-Webhook-Version": "is not 2"},
            )
        on_behalf_of = _on_behalf_of(get(b"onbehalfof"), entry)
        query = entry.decode_query(scope["query_string"])
        body = None
        if entry.decode_body is not None:
            body = await self._read_body(entry.decode_body, route, headers, receive)
        return Call(app, parameters, query, body, on_behalf_of, digest)

    @staticmethod
    def _count(
        limits: RateLimits, app: int, route: Route, answered: list[tuple[bytes, bytes]]
    ) -> None:
        verdict = limits.take(app, core=route.core)
        if verdict is not None:
            answered += verdict.headers()
            if not verdict.allowed:
                raise verdict.refusal()

    async def _read_body(
        self,
        decode: Callable[[bytes], Any],
        route: Route,
        headers: dict[bytes, bytes],
        receive: Receive,
    ) -> Any:
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > BODY_BYTES_MAX:
            raise _too_large()
        body = await read_body(receive, BODY_BYTES_MAX)
        if not body:
            if route.body_required:
                raise bad_request("This call needs a JSON body.", {"body": "is required"})
            return None
        if not is_json(headers.get(b"content-type")) or b"content-encoding" in headers:
            raise ChathooksError(
                "ERR_UNSUPPORTED_MEDIA_TYPE",
                "Send the body as JSON in UTF-8 with Content-Type: application/json, not compressed.",
                {"Content-Type": "is not application/json"},
            )
        return decode(body)

    def _note(self, method: str, label: str, status: int, seconds: float) -> None:
        # A method that clients make up must not become a label of its own.
        known = method if label != "-" else "-"
        counter = self._counters.get((known, status))
        if counter is None:
            counter = self._counters[(known, status)] = HTTP_REQUESTS.labels(known, str(status))
        counter.inc()
        HTTP_SECONDS.observe(seconds)
        self._log.info(
            "request",
            method=method,
            route=label,
            status=status,
            ms=round(seconds * _MS_PER_S, 2),
        )


def _answer_error(
    error: Exception, method: str, label: str, headers: list[tuple[bytes, bytes]]
) -> tuple[int, bytes]:
    """Status and body of an error answer; adds the headers it needs to `headers`."""
    if isinstance(error, OverflowError):
        error = bad_request(
            "A number in the request is too large.", {"body": "has a number too large"}
        )
    status, refusal = problems.shown(error)
    if refusal is problems.INTERNAL:
        log.error("request failed", method=method, route=label, exc_info=error)
    if status in _TRY_AGAIN and not any(name == b"retry-after" for name, _ in headers):
        headers.append((b"retry-after", b"%d" % problems.RETRY_AFTER_S))
    return status, problems.envelope(refusal)
