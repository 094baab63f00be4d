"""Judge one request: who sent it, is it whole, what does it say. Pure but for the clock that is handed in.

The order of the checks is that of what they cost and give away: method, size, type, credentials, signature, and
only then the body. Nothing of an unauthenticated body is parsed.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from chathooks_events.envelope import ReceivedEvent, decode_body
from chathooks_events.errors import MalformedBody, SignatureError
from chathooks_events.signing import (
    TIMESTAMP_TOLERANCE_S,
    SigningKey,
    basic_authorization,
    verify,
    verify_basic,
)
from chathooks_receiver.drift import undocumented_fields
from chathooks_receiver.ordering import stream_of

BODY_BYTES_MAX = 1_048_576
"""1 MiB, the largest body that is read."""

KEPT_HEADERS_PREFIX = "chathooks-"
KEPT_HEADER_CHARS_MAX = 128
"""Of a header that is handed on with the event, in characters; longer ones are left out."""
KEPT_HEADERS_MAX = 16

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header names and values; names in any case. Of a repeated header the first value counts."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to send. `status` is the HTTP status, `body` JSON.

    `raw_headers` are the headers with Content-Length as ASGI takes them, made once for answers that are given often.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw_headers: Sequence[tuple[bytes, bytes]] = ()


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


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A verified event on its way to a sink.

    `key` is the text to deduplicate on, `digest` its SHA-256; `stream` names what its order matters in (a conversation,
    a group, a session). `body` are the bytes as they came, `headers` the sender's own (`chathooks-…`, lower case),
    `received_at_ms` unix milliseconds.
    """

    event: ReceivedEvent
    key: str
    digest: bytes
    stream: str
    body: bytes
    headers: Mapping[str, str]
    received_at_ms: int

    def undocumented(self) -> Sequence[str]:
        """Names of fields, and `trigger`, that the catalog does not know; looked up when asked for."""
        return undocumented_fields(self.body, self.event)


class Intake:
    """What an endpoint asks of a request.

    `credentials` are the accepted (username, password) pairs of Basic auth, `secrets` the accepted signing secrets;
    several of each serve a rotation. What is given is required of every request, both if both are. `now_s` tells the
    unix time in seconds, `tolerance_s` is how far a signature's timestamp may be from it, in seconds.
    Raises `InvalidSecret`.
    """

    def __init__(
        self,
        *,
        now_s: Callable[[], float],
        credentials: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
        body_bytes_max: int = BODY_BYTES_MAX,
        tolerance_s: float = TIMESTAMP_TOLERANCE_S,
    ) -> None:
        """Parse the secrets once."""
        self._now_s = now_s
        self._credentials = tuple(credentials)
        self._expected = [basic_authorization(*pair).encode() for pair in self._credentials]
        self._keys = tuple(SigningKey.parse(secret) for secret in secrets)
        self.body_bytes_max = body_bytes_max
        self._tolerance_s = tolerance_s

    def admit(self, method: str, headers: Headers, body: bytes) -> Arrival:
        """The event of an acceptable request. Raises `Refusal`, and nothing else, for every other.

        405 not POST; 413 larger than `body_bytes_max`; 415 not JSON; 401 credentials or signature; 400 not a body of
        the contract. Of a JSON key that stands twice in an object the last one counts, for every part of the kit.
        """
        if method.upper() != "POST":
            raise Refusal(
                405, "ERR_METHOD_NOT_ALLOWED", "Deliveries are POST requests.", {"Allow": "POST"}
            )
        if len(body) > self.body_bytes_max:
            raise too_large(self.body_bytes_max)
        fields = _lower_case(headers)
        if not _is_json(fields.get("content-type", "")):
            raise Refusal(
                415, "ERR_UNSUPPORTED_MEDIA_TYPE", "The content type must be application/json."
            )
        self._check_credentials(fields)
        now_s = self._now_s()
        self._check_signature(fields, body, now_s)
        try:
            body.decode("utf-8")  # the decoder does not look at the bytes of fields that it skips
            event = decode_body(body)
            key = event.dedupe_key()
        except MalformedBody as error:
            raise Refusal(400, error.code, error.message) from None
        except UnicodeError as error:
            message = f"The body is not valid JSON: {error}"
            raise Refusal(400, MalformedBody.code, message) from None
        return Arrival(
            event=event,
            key=key,
            digest=_digest(key),
            stream=stream_of(event),
            body=body,
            headers=_senders_own(fields),
            received_at_ms=int(now_s * 1000),
        )

    def _check_credentials(self, fields: Mapping[str, str]) -> None:
        if not self._credentials:
            return
        given = fields.get("authorization", "")
        # Most requests hold the very text that is expected; only others are taken apart.
        same = False
        for expected in self._expected:
            same |= hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected)
        if not same and not verify_basic(given, self._credentials):
            raise Refusal(
                401,
                "ERR_CREDENTIALS",
                "The Basic credentials are missing or not accepted.",
                {"WWW-Authenticate": 'Basic realm="webhook"'},
            )

    def _check_signature(self, fields: Mapping[str, str], body: bytes, now_s: float) -> None:
        if not self._keys:
            return
        try:
            verify(
                self._keys,
                message_id=fields.get("webhook-id"),
                timestamp=fields.get("webhook-timestamp"),
                signature_header=fields.get("webhook-signature"),
                body=body,
                now_s=now_s,
                tolerance_s=self._tolerance_s,
            )
        except SignatureError as error:
            raise Refusal(401, error.code, error.message) from None


def arrival_of(body: bytes, headers: Mapping[str, str], received_at_ms: int) -> Arrival:
    """An event that was admitted before, from what was kept of it. Raises `MalformedBody` for what was not."""
    event = decode_body(body)
    key = event.dedupe_key()
    return Arrival(
        event=event,
        key=key,
        digest=_digest(key),
        stream=stream_of(event),
        body=body,
        headers=headers,
        received_at_ms=received_at_ms,
    )


def too_large(bytes_max: int) -> Refusal:
    """The refusal of a body above `bytes_max` bytes, for adapters that stop reading there."""
    return Refusal(413, "ERR_BODY_TOO_LARGE", f"The body is larger than {bytes_max} bytes.")


def answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    body = msgspec.json.encode(content)
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    return Response(
        status=status,
        headers=fields,
        body=body,
        raw_headers=(*raw, (b"content-length", str(len(body)).encode())),
    )


def refused(refusal: Refusal) -> Response:
    """The answer that tells of a refusal."""
    error = {"code": refusal.code, "message": refusal.message}
    return answer(refusal.status, {"error": error}, refusal.headers)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _lower_case(headers: Headers) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name.lower(), value)
    return fields


def _senders_own(fields: Mapping[str, str]) -> dict[str, str]:
    own: dict[str, str] = {}
    for name in [name for name in fields if name.startswith(KEPT_HEADERS_PREFIX)]:
        value = fields[name]
        short = len(name) <= KEPT_HEADER_CHARS_MAX and len(value) <= KEPT_HEADER_CHARS_MAX
        if short and value.isascii():
            own[name] = value
            if len(own) == KEPT_HEADERS_MAX:
                break
    return own


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"
