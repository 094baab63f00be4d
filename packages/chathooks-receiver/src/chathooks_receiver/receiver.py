"""Receive a delivery: check it, decode it, hand it over once, answer.

Framework-free: a request goes in as method, headers and body, an answer comes out. Whatever arrives, `handle`
answers; it never raises. An event counts as seen only after the handler has accepted it, so a handler that
raises gets the event again with the next attempt. Two attempts that overlap in time may both reach the handler:
deliveries are at least once (delivery contract §3).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from chathooks_events.envelope import ReceivedEvent, decode_body
from chathooks_events.errors import MalformedBody, SignatureError
from chathooks_events.signing import TIMESTAMP_TOLERANCE_S, SigningKey, verify, verify_basic
from chathooks_receiver.window import SEEN_EVENTS_MAX, SeenWindow

BODY_BYTES_MAX = 1_048_576
"""1 MiB, the largest body that is read."""

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header names and values; names in any case. Of a repeated header the first value counts."""

log = logging.getLogger(__name__)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to send. `status` is the HTTP status, `body` JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Refusal(Exception):
    """Why a request is not accepted: an HTTP status, a stable code and one plain sentence."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what the answer needs; `headers` are sent besides the content type."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class Receiver:
    """The endpoint of a webhook.

    `handler` gets each event once it is verified; when it returns, the delivery is acknowledged. It should take
    less than the two seconds that a delivery may last (delivery contract §2), so hand long work to a queue.
    """

    def __init__(
        self,
        *,
        handler: Callable[[ReceivedEvent], None],
        now_s: Callable[[], float],
        credentials: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
        body_bytes_max: int = BODY_BYTES_MAX,
        seen_events_max: int = SEEN_EVENTS_MAX,
        tolerance_s: float = TIMESTAMP_TOLERANCE_S,
    ) -> None:
        """Configure what is accepted.

        `credentials` are the accepted (username, password) pairs of Basic auth, `secrets` the accepted signing
        secrets; several of each serve a rotation. What is given is required of every request, both if both are.
        `now_s` tells the unix time in seconds. `tolerance_s` is how far a signature's timestamp may be off.
        `seen_events_max` events are remembered to leave out duplicates. Raises `InvalidSecret`, and ValueError
        for a window below one event.
        """
        self._handler = handler
        self._now_s = now_s
        self._credentials = tuple(credentials)
        self._keys = tuple(SigningKey.parse(secret) for secret in secrets)
        self._body_bytes_max = body_bytes_max
        self._tolerance_s = tolerance_s
        self._seen = SeenWindow(seen_events_max)

    def handle(self, method: str, headers: Headers, body: bytes) -> Response:
        """Answer one request. Never raises.

        200 accepted, or accepted before; 400 not a body of the contract; 401 credentials or signature; 405 not
        POST; 413 larger than `body_bytes_max`; 415 not JSON; 500 the handler raised (its error is logged).
        """
        try:
            event = self._accept(method, headers, body)
            key = event.dedupe_key()
        except Refusal as refusal:
            return _refused(refusal)
        except MalformedBody as error:
            return _refused(Refusal(400, error.code, error.message))
        if key in self._seen:
            return _json(200, {"status": "duplicate"})
        try:
            self._handler(event)
        except Exception:
            log.exception("The handler failed on an event of %r.", event.trigger)
            return _refused(
                Refusal(500, "ERR_HANDLER_FAILED", "The receiver could not process the event.")
            )
        self._seen.add(key)
        return _json(200, {"status": "accepted"})

    def _accept(self, method: str, headers: Headers, body: bytes) -> ReceivedEvent:
        if method.upper() != "POST":
            raise Refusal(
                405, "ERR_METHOD_NOT_ALLOWED", "Deliveries are POST requests.", {"Allow": "POST"}
            )
        if len(body) > self._body_bytes_max:
            raise Refusal(
                413,
                "ERR_BODY_TOO_LARGE",
                f"The body is larger than {self._body_bytes_max} bytes.",
            )
        fields = _lower_case(headers)
        if not _is_json(fields.get("content-type", "")):
            raise Refusal(
                415, "ERR_UNSUPPORTED_MEDIA_TYPE", "The content type must be application/json."
            )
        self._check_credentials(fields)
        self._check_signature(fields, body)
        return decode_body(body)

    def _check_credentials(self, fields: Mapping[str, str]) -> None:
        given = fields.get("authorization")
        if self._credentials and not verify_basic(given, self._credentials):
            raise Refusal(
                401,
                "ERR_CREDENTIALS",
                "The Basic credentials are missing or not accepted.",
                {"WWW-Authenticate": 'Basic realm="webhook"'},
            )

    def _check_signature(self, fields: Mapping[str, str], body: bytes) -> None:
        if not self._keys:
            return
        try:
            verify(
                self._keys,
                message_id=fields.get("webhook-id"),
                timestamp=fields.get("webhook-timestamp"),
                signature_header=fields.get("webhook-signature"),
                body=body,
                now_s=self._now_s(),
                tolerance_s=self._tolerance_s,
            )
        except SignatureError as error:
            raise Refusal(401, error.code, error.message) from None


def _lower_case(headers: Headers) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name.lower(), value)
    return fields


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _json(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=msgspec.json.encode(content),
    )


def _refused(refusal: Refusal) -> Response:
    error = {"code": refusal.code, "message": refusal.message}
    return _json(refusal.status, {"error": error}, refusal.headers)
