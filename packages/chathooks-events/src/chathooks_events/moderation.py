"""The parts of the moderation events (REST contract D2, moderation)."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from chathooks_events.wire import Count, ReceiverType, UnixSeconds, Url, Wire

RESPONSE_BODY_BYTES_MAX = 2048

FailureCategory: TypeAlias = Literal[
    "http_4xx", "http_5xx", "timeout", "connection_error", "invalid_response", "not_configured"
]
ContentType: TypeAlias = Literal["text", "image", "video", "audio", "file"]


class ModerationRule(Wire, frozen=True, kw_only=True):
    """A rule, as it stood when it judged the message (`revisionId`)."""

    id: str
    name: str | None = None
    revision_id: str | None = None
    action: Sequence[str] | None = None
    blocked_at: UnixSeconds | None = None


class ModerationThreshold(Wire, frozen=True, kw_only=True):
    """The confidence from which a condition applies."""

    comparison: str
    percent: float


class ModerationCondition(Wire, frozen=True, kw_only=True):
    """One condition of a rule."""

    id: str
    entity: str | None = None
    operand: str | None = None
    operator: str | None = None
    category: str | None = None
    value: Sequence[str] | None = None
    message: Sequence[str] | None = None
    weight: float | None = None
    is_keywords_reference_present: bool | None = None
    is_media_present: bool | None = None
    internal_id: str | None = msgspec.field(default=None, name="_id")
    similarity_value: float | None = None
    disallowed_sentences: Sequence[str] | None = None
    basic_auth_enabled: bool | None = None
    prompts: Sequence[str] | None = None
    list_id: str | None = None
    threshold: ModerationThreshold | None = None


class ModerationMatch(Wire, frozen=True, kw_only=True):
    """A rule that applied to the message, and the condition that made it apply."""

    rule: ModerationRule
    condition: ModerationCondition | None = None


class ModeratedResource(Wire, frozen=True, kw_only=True):
    """The message that was judged, without its content."""

    id: str
    conversation_id: str
    sender: str
    receiver_type: ReceiverType
    receiver: str
    category: str
    type: str
    sent_at: UnixSeconds


class EngineRequest(Wire, frozen=True, kw_only=True):
    """The request to the engine. `url` comes without its query; `bodyBytes` is a size in bytes."""

    url: Url
    method: str
    body_bytes: Count
    basic_auth_sent: bool


class EngineFailureContext(Wire, frozen=True, kw_only=True):
    """Which engine failed, for which rule and condition, and what the setting does then."""

    engine: Literal["openai", "custom_api"]
    setting: Literal["approve-message", "drop-message"]
    rule: ModerationRule
    condition: ModerationCondition
    request: EngineRequest | None = None
    provider_error_code: str | None = None
    openai_request_id: str | None = None


class EngineFailure(Wire, frozen=True, kw_only=True):
    """One failed question to an engine. `responseBody` is cut at 2,048 bytes; `timeoutMs` is in milliseconds."""

    category: FailureCategory
    error_message: str
    failed_at: UnixSeconds
    timeout_ms: Count | None = None
    http_status: int | None = None
    response_body: str | None = None
    response_body_truncated: bool
    validation_errors: Sequence[str] | None = None
    context: EngineFailureContext
