"""Every error that this package raises, each with a stable code."""

from typing import ClassVar


class EventsError(Exception):
    """Root of the package's errors.

    `code` is stable and meant for programs; `message` is one plain sentence for people. Neither carries secrets.
    """

    code: ClassVar[str] = "ERR_EVENTS"

    def __init__(self, message: str) -> None:
        """Keep the sentence that explains what went wrong."""
        super().__init__(message)
        self.message = message


class UnknownTrigger(EventsError):
    """A trigger name or number that the catalog does not hold."""

    code = "ERR_TRIGGER_NOT_FOUND"


class InvalidSessionType(EventsError):
    """A session type that is neither "call" nor "meet"."""

    code = "ERR_SESSION_TYPE_INVALID"


class MalformedBody(EventsError):
    """A delivered body that is not JSON, or not the shape that its trigger documents."""

    code = "ERR_MALFORMED_BODY"


class SignatureError(EventsError):
    """Root of everything that makes a signature unacceptable."""

    code = "ERR_SIGNATURE"


class InvalidSecret(SignatureError):
    """A signing secret that is not `whsec_` and the base64 of 24 to 64 bytes."""

    code = "ERR_SIGNATURE_SECRET_INVALID"


class SignatureHeaderMissing(SignatureError):
    """A `webhook-id`, `webhook-timestamp` or `webhook-signature` that is absent or empty."""

    code = "ERR_SIGNATURE_HEADER_MISSING"


class SignatureHeaderMalformed(SignatureError):
    """A header of the signature that is not what Standard Webhooks describes."""

    code = "ERR_SIGNATURE_HEADER_MALFORMED"


class TimestampOutOfTolerance(SignatureError):
    """A timestamp too far from the receiver's clock, as in a replayed request."""

    code = "ERR_SIGNATURE_TIMESTAMP"


class SignatureMismatch(SignatureError):
    """No signature in the header was made with one of the accepted secrets over this content."""

    code = "ERR_SIGNATURE_MISMATCH"
