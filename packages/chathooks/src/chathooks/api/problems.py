"""Errors on the wire: one table from codes to statuses, one envelope.

Source: delivery contract §7 "Statuses" and "Codes"; the codes are those of rest-api.md A6.2 plus our own.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from chathooks.kernel.errors import ChathooksError

RETRY_AFTER_S = 1
"""What `Retry-After` says with a 429 or 503: a full disk, a lock or a crowd may be gone by then."""

_UNAUTHENTICATED = """
    AUTH_ERR_EMPTY_APPID AUTH_ERR_INVALID_APPID AUTH_ERR_EMPTY_APIKEY AUTH_ERR_APIKEY_NOT_FOUND
    AUTH_ERR_EMPTY_AUTH_HEADER AUTH_ERR_EMPTY_AUTH_TOKEN AUTH_ERR_AUTH_TOKEN_NOT_FOUND
    ERR_GROUP_NOT_JOINED
"""
_REFUSED = """
    AUTH_ERR_NO_ACCESS ERR_APIKEY_NO_SELF_ACTION ERR_AUTHTOKEN_UNAVAILABLE ERR_AUTHTOKEN_NOT_ACCESSIBLE
    ERR_PLAN_RESTRICTION ERR_SUBSCRIPTION_EXPIRED ERR_ROLE_DELETE_DENIED ERR_WRONG_GROUP_PASS
    ERR_GROUP_JOIN_NOT_ALLOWED ERR_BANNED_GROUPMEMBER ERR_GROUP_NO_CLEARANCE ERR_GROUP_NO_ADMIN_SCOPE
    ERR_GROUP_NO_MODERATOR_SCOPE ERR_GROUP_NO_SCOPE_CLEARANCE ERR_GROUP_NO_SELF_ACTION
    ERR_CONVERSATION_NOT_ACCESSIBLE ERR_MESSAGE_NOT_A_SENDER ERR_MESSAGE_NO_ACCESS
    ERR_MESSAGE_ACTION_NOT_ALLOWED ERR_SYSTEM_PINNED_CONVERSATION ERR_CALL_NOT_A_PART
    ERR_BLOCKED_RECEIVER ERR_BLOCKED_SENDER ERR_BLOCKED_BY_EXTENSION ERR_BLOCKED_BY_WEBHOOK
    ERR_PERMISSION_DENIED
"""
_NOT_FOUND = """
    ERR_API_NOT_FOUND ERR_APIKEY_NOT_FOUND ERR_AUTH_TOKEN_NOT_FOUND ERR_ROLE_NOT_FOUND ERR_UID_NOT_FOUND
    ERR_BOT_NOT_FOUND ERR_GUID_NOT_FOUND ERR_NOT_A_MEMBER ERR_NOT_A_BANNED_USER ERR_NOT_A_FRIEND
    ERR_CONVERSATION_NOT_FOUND ERR_MESSAGE_ID_NOT_FOUND ERR_REACTION_NOT_FOUND ERR_CALL_SESSION_NOT_FOUND
    ERR_EXTENSION_NOT_FOUND ERR_WEBHOOK_NOT_FOUND ERR_TRIGGER_NOT_FOUND ERR_DELIVERY_NOT_FOUND
    ERR_REPLAY_NOT_FOUND
    ERR_RULE_NOT_FOUND ERR_KEYWORD_NOT_FOUND ERR_REASON_NOT_FOUND ERR_FILE_NOT_FOUND
"""
_INVALID = """
    ERR_BAD_REQUEST ERR_INVALID_API_VERSION ERR_OPERATION_FAILED ERR_PLAN_QUOTA_RESTRICTION
    ERR_UID_ALREADY_EXISTS ERR_GUID_ALREADY_EXISTS ERR_ROLE_ALREADY_EXISTS ERR_BOT_ALREADY_EXISTS
    ERR_WEBHOOK_ALREADY_EXISTS ERR_APP_ALREADY_EXISTS ERR_RULE_ALREADY_EXISTS ERR_KEYWORD_ALREADY_EXISTS
    ERR_REASON_ALREADY_EXISTS
    ERR_EMPTY_GROUP_PASS ERR_ALREADY_JOINED ERR_NO_VACANCY ERR_SAME_SCOPE ERR_ALREADY_BANNED
    ERR_EMPTY_RECEIVER ERR_INVALID_RECEIVER_TYPE ERR_INVALID_MESSAGE_DATA ERR_EMPTY_MESSAGE_TEXT
    ERR_INVALID_MESSAGE_TEXT ERR_EMPTY_MESSAGE_CATEGORY ERR_INVALID_MESSAGE_CATEGORY
    ERR_EMPTY_MESSAGE_TYPE ERR_INVALID_MESSAGE_TYPE ERR_EMPTY_MESSAGE_FILE ERR_INVALID_MEDIA_MESSAGE
    ERR_EMPTY_CUSTOM_DATA ERR_INVALID_CUSTOM_DATA ERR_INVALID_METADATA ERR_WRONG_MESSAGE_THREAD
    ERR_MESSAGE_THREAD_NESTING ERR_WRONG_MESSAGE_THREAD_CATEGORY ERR_PINNED_MESSAGES_LIMIT_EXCEEDED
    ERR_SAVED_MESSAGES_LIMIT_EXCEEDED ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED
    ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED
    ERR_CALLING_SELF ERR_CALL_BUSY_SELF ERR_CALL_BUSY_GROUP ERR_CALL_BUSY_USER
    ERR_EMPTY_CALL_SESSION_ID ERR_CALL_TERMINATED ERR_CALL_GROUP_ALREADY_JOINED
    ERR_CALL_GROUP_ALREADY_LEFT ERR_CALL_INVALID_INIT ERR_CALL_USER_ALREADY_JOINED
    ERR_CALL_GROUP_INVALID_STATUS ERR_CALL_ONGOING_TO_INVALID ERR_CALL_EMPTY_JOINED_AT
    ERR_CALL_NOT_STARTED ERR_ALREADY_FRIEND ERR_CANNOT_FORM_SELF_RELATION ERR_CANNOT_BLOCK_SELF
    ERR_FILE_SIZE_EXCEEDED ERR_FILE_COUNT_EXCEEDED ERR_INVALID_FILE_OBJECT
"""

STATUS_BY_CODE: Mapping[str, int] = {
    **dict.fromkeys(_INVALID.split(), 400),
    **dict.fromkeys(_UNAUTHENTICATED.split(), 401),
    **dict.fromkeys(_REFUSED.split(), 403),
    **dict.fromkeys(_NOT_FOUND.split(), 404),
    "ERR_REQUEST_TIMEOUT": 408,
    "ERR_CURSOR_EXPIRED": 410,
    "ERR_BODY_TOO_LARGE": 413,
    "ERR_UNSUPPORTED_MEDIA_TYPE": 415,
    "ERR_TOO_MANY_REQUESTS": 429,
    "ERR_HEADERS_TOO_LARGE": 431,
    "ERR_EXCEPTION": 500,
    "ERR_STORE_UNAVAILABLE": 503,
    "ERR_TOO_MANY_CONNECTIONS": 503,
}
"""Every code that the API answers with, and its HTTP status."""

GENERAL_CODES = (
    "ERR_BAD_REQUEST",
    "AUTH_ERR_EMPTY_APIKEY",
    "AUTH_ERR_APIKEY_NOT_FOUND",
    "AUTH_ERR_INVALID_APPID",
    "AUTH_ERR_NO_ACCESS",
    "ERR_TOO_MANY_REQUESTS",
    "ERR_STORE_UNAVAILABLE",
)
"""Codes that any call may answer with; a route's `errors` name the further ones."""


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong."""

    code: str
    message: str
    """What to do about it."""
    details: dict[str, str]
    """Offending fields and what is wrong with each."""


class ErrorEnvelope(msgspec.Struct, frozen=True):
    """Every answer that is not a success."""

    error: ErrorBody


class ItemError(msgspec.Struct, frozen=True):
    """The error of one item of a batch; the call itself succeeds (rest-api.md A4)."""

    code: str
    message: str


def bad_request(message: str, details: Mapping[str, str] | None = None) -> ChathooksError:
    """ERR_BAD_REQUEST with the names of the offending fields."""
    return ChathooksError("ERR_BAD_REQUEST", message, details)


INTERNAL = ChathooksError(
    "ERR_EXCEPTION",
    "The server failed to answer this; its log says why. Nothing in your request explains it.",
)

_encode = msgspec.json.Encoder().encode


def envelope(error: ChathooksError) -> bytes:
    """The body of an error answer."""
    return _encode({"error": error_body(error)})


def error_body(error: ChathooksError) -> dict[str, Any]:
    """`{code, message, details}`."""
    return {"code": error.code, "message": error.message, "details": dict(error.details)}


def shown(error: Exception) -> tuple[int, ChathooksError]:
    """The status and the error that a caller may see of an exception; unknown ones show no internals."""
    if isinstance(error, ChathooksError):
        status = STATUS_BY_CODE.get(error.code)
        if status is not None:
            return status, error
    return STATUS_BY_CODE[INTERNAL.code], INTERNAL
