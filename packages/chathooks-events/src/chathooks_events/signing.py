"""Signatures after Standard Webhooks v1, and HTTP Basic credentials (delivery contract §1).

A signature is HMAC-SHA256 over `id.timestamp.body`, base64, with `v1,` before it. While a secret is rotated the
header holds one signature per live secret, separated by spaces. All comparisons take constant time.
"""

import base64
import binascii
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chathooks_events.errors import (
    InvalidSecret,
    SignatureHeaderMalformed,
    SignatureHeaderMissing,
    SignatureMismatch,
    TimestampOutOfTolerance,
)

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every secret, not a secret
SECRET_BYTES = 32
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64
TIMESTAMP_TOLERANCE_S = 300
SIGNATURE_HEADER_BYTES_MAX = 4096

_SHA256_BLOCK_BYTES = 64
_TIMESTAMP = re.compile(rb"[0-9]{1,15}\Z")


def generate_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A new signing secret, `whsec_` and the base64 of 32 bytes from `random_bytes(count)`."""
    return SECRET_PREFIX + base64.b64encode(random_bytes(SECRET_BYTES)).decode("ascii")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A parsed secret, ready to sign. Its bytes show in no representation."""

    key: bytes = field(repr=False)
    _inner: Any = field(init=False, repr=False, compare=False)
    _outer: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The two hash states of HMAC (RFC 2104): copying them for a signature takes half the time of keying anew.
        block = self.key.ljust(_SHA256_BLOCK_BYTES, b"\0")
        object.__setattr__(self, "_inner", hashlib.sha256(bytes(b ^ 0x36 for b in block)))
        object.__setattr__(self, "_outer", hashlib.sha256(bytes(b ^ 0x5C for b in block)))

    def signature(self, prefix: bytes, body: bytes) -> bytes:
        """`v1,<base64>` over `prefix` (`<message id>.<unix seconds>.`) and `body`, which are not joined for it."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(prefix)
        inner.update(body)
        outer.update(inner.digest())
        return b"v1," + binascii.b2a_base64(outer.digest(), newline=False)

    @classmethod
    def parse(cls, secret: str | bytes) -> "SigningKey":
        """Read `whsec_…` (the prefix may be missing). Raises `InvalidSecret`, which does not quote the secret."""
        text = _bytes_of(secret)
        if text is None:
            raise InvalidSecret("A signing secret is a string.")
        try:
            key = base64.b64decode(text.removeprefix(SECRET_PREFIX.encode()), validate=True)
        except binascii.Error:
            raise InvalidSecret("A signing secret is whsec_ followed by base64.") from None
        if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
            raise InvalidSecret(
                f"A signing secret holds {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes."
            )
        return cls(key)

    def sign(self, message_id: str, timestamp_s: int, body: bytes) -> str:
        """The signature `v1,<base64>` over `message_id`, `timestamp_s` (unix seconds) and `body`."""
        return self.signature(f"{message_id}.{timestamp_s}.".encode(), body).decode("ascii")


def signature_header(
    keys: Sequence[SigningKey], message_id: str, timestamp_s: int, body: bytes
) -> str:
    """The value of `webhook-signature`: one signature per key, separated by spaces."""
    if len(keys) == 1:
        return keys[0].sign(message_id, timestamp_s, body)
    return " ".join(key.sign(message_id, timestamp_s, body) for key in keys)


def verify(
    secrets: Sequence[str | bytes | SigningKey],
    *,
    message_id: str | bytes | None,
    timestamp: str | bytes | None,
    signature_header: str | bytes | None,
    body: str | bytes,
    now_s: float,
    tolerance_s: float = TIMESTAMP_TOLERANCE_S,
) -> None:
    """Accept a signed request, or raise a `SignatureError`; no input makes it raise anything else.

    The first three are the values of the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, None
    where absent. `now_s` is the receiver's unix time, `tolerance_s` how far the timestamp may be from it either
    way, both in seconds. Any signature made with any of `secrets` is enough.
    """
    keys = [item if isinstance(item, SigningKey) else SigningKey.parse(item) for item in secrets]
    id_text = _header("webhook-id", message_id)
    timestamp_text = _header("webhook-timestamp", timestamp)
    signatures = _header("webhook-signature", signature_header)
    content = _bytes_of(body)
    if content is None:
        raise SignatureHeaderMalformed("The body to verify is neither bytes nor text.")
    _check_timestamp(timestamp_text, now_s, tolerance_s)
    if len(signatures) > SIGNATURE_HEADER_BYTES_MAX:
        raise SignatureHeaderMalformed("webhook-signature is too long.")
    given = [item for item in signatures.split(b" ") if item.startswith(b"v1,")]
    if not given:
        raise SignatureHeaderMalformed("webhook-signature holds no v1 signature.")
    prefix = b"%b.%b." % (id_text, timestamp_text)
    accepted = False
    for key in keys:
        expected = key.signature(prefix, content)
        for signature in given:
            accepted |= hmac.compare_digest(expected, signature)
    if not accepted:
        raise SignatureMismatch("No signature matches the request and an accepted secret.")


def basic_authorization(username: str, password: str) -> str:
    """The value of `Authorization` for HTTP Basic credentials (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def verify_basic(header: str | bytes | None, accepted: Sequence[tuple[str, str]]) -> bool:
    """Whether the value of `Authorization` holds one of the `accepted` (username, password) pairs.

    Never raises; None, garbage and other schemes are simply not accepted.
    """
    text = _bytes_of(header)
    if text is None:
        return False
    scheme, _, encoded = text.strip().partition(b" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return False
    matched = False
    for username, password in accepted:
        wanted = f"{username}:{password}".encode("utf-8", "surrogatepass")
        matched |= hmac.compare_digest(wanted, given)
    return matched and scheme.lower() == b"basic"


def _bytes_of(value: object) -> bytes | None:
    if type(value) is bytes:
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return None


def _header(name: str, value: object) -> bytes:
    text = _bytes_of(value)
    if not text:
        raise SignatureHeaderMissing(f"The header {name} is missing.")
    return text


def _check_timestamp(text: bytes, now_s: float, tolerance_s: float) -> None:
    if not _TIMESTAMP.match(text):
        raise SignatureHeaderMalformed("webhook-timestamp is not a unix time in seconds.")
    distance_s = abs(now_s - int(text))
    if math.isnan(distance_s) or distance_s > tolerance_s:
        raise TimestampOutOfTolerance(
            f"webhook-timestamp is more than {tolerance_s:g} s away from the receiver's clock."
        )
