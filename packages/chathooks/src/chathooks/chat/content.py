"""The content of a message: which fields a category and type need, and how large it may be.

Pure. Source: rest-api.md C10 (fields and codes) and A8, delivery contract §7 "Size limits".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chathooks.chat.fields import checked_url, refuse
from chathooks.chat.limits import (
    ATTACHMENTS_MAX,
    CATEGORY_CHARS_MAX,
    MESSAGE_CHARS_MAX,
    MESSAGE_DATA_BYTES_MAX,
    MESSAGE_METADATA_BYTES_MAX,
    RECEIVERS_PER_MESSAGE_MAX,
)
from chathooks.chat.requests import NewAttachment, NewContent, SendMessage
from chathooks.kernel.errors import ChathooksError
from chathooks_events.entities import Attachment, MessageData

TEXT = "text"
MEDIA_TYPES = frozenset({"image", "file", "audio", "video"})
MESSAGE = "message"
CUSTOM = "custom"

_encode = msgspec.json.Encoder().encode


def _refusal(code: str, message: str, field: str, problem: str) -> ChathooksError:
    return ChathooksError(code, message, {field: problem})


def check_category_and_type(category: str | None, type_: str | None) -> tuple[str, str]:
    """Both, if this server sends such messages.

    Raises:
        ChathooksError: ERR_EMPTY_MESSAGE_CATEGORY, ERR_INVALID_MESSAGE_CATEGORY, ERR_EMPTY_MESSAGE_TYPE,
            ERR_INVALID_MESSAGE_TYPE.
    """
    if not category:
        raise _refusal(
            "ERR_EMPTY_MESSAGE_CATEGORY",
            "Say the message's category: message or custom.",
            "category",
            "is required",
        )
    if category not in (MESSAGE, CUSTOM):
        raise _refusal(
            "ERR_INVALID_MESSAGE_CATEGORY",
            "The category must be message or custom.",
            "category",
            "must be message or custom",
        )
    if not type_:
        raise _refusal(
            "ERR_EMPTY_MESSAGE_TYPE", "Say the message's type, e.g. text.", "type", "is required"
        )
    known = type_ == TEXT or type_ in MEDIA_TYPES
    if len(type_) > CATEGORY_CHARS_MAX or (category == MESSAGE and not known):
        raise _refusal(
            "ERR_INVALID_MESSAGE_TYPE",
            "The type of such a message must be text, image, file, audio or video; "
            "a custom one's any name of at most 100 characters.",
            "type",
            "must be text, image, file, audio or video",
        )
    return category, type_


def _check_text(text: str | None, *, needed: bool) -> None:
    if text is None or not text.strip():
        if needed:
            raise _refusal(
                "ERR_EMPTY_MESSAGE_TEXT",
                "The message has no text; give data.text.",
                "data.text",
                "is required",
            )
        return
    if len(text) > MESSAGE_CHARS_MAX:
        raise _refusal(
            "ERR_INVALID_MESSAGE_TEXT",
            f"The text has {len(text)} characters; a message may have {MESSAGE_CHARS_MAX} as JSON.",
            "data.text",
            f"is longer than {MESSAGE_CHARS_MAX} characters",
        )


def _attachments(given: Sequence[NewAttachment]) -> list[Attachment]:
    if len(given) > ATTACHMENTS_MAX:
        raise _refusal(
            "ERR_INVALID_MEDIA_MESSAGE",
            f"A message may have {ATTACHMENTS_MAX} attachments, this one has {len(given)}.",
            "data.attachments",
            f"has more than {ATTACHMENTS_MAX} entries",
        )
    for attachment in given:
        try:
            checked_url("data.attachments.url", attachment.url)
        except ChathooksError as error:
            raise ChathooksError(
                "ERR_INVALID_MEDIA_MESSAGE", error.message, error.details
            ) from None
    return [
        Attachment(
            url=item.url,
            name=item.name,
            mime_type=item.mime_type,
            extension=item.extension,
            size=item.size,
        )
        for item in given
    ]


def _check_metadata(metadata: Mapping[str, Any] | None) -> None:
    if metadata is not None and len(_encode(metadata)) > MESSAGE_METADATA_BYTES_MAX:
        raise _refusal(
            "ERR_INVALID_METADATA",
            f"data.metadata may have {MESSAGE_METADATA_BYTES_MAX} bytes as JSON.",
            "data.metadata",
            f"is larger than {MESSAGE_METADATA_BYTES_MAX} bytes",
        )


def _check_data_size(content: MessageData) -> None:
    rest = msgspec.structs.replace(content, text=None, metadata=None)
    if len(_encode(rest)) > MESSAGE_DATA_BYTES_MAX:
        raise _refusal(
            "ERR_INVALID_MESSAGE_DATA",
            f"data without text and metadata may have {MESSAGE_DATA_BYTES_MAX} bytes as JSON.",
            "data",
            f"is larger than {MESSAGE_DATA_BYTES_MAX} bytes",
        )


def build_content(category: str, type_: str, data: NewContent | None) -> MessageData:
    """The content of a new or edited message.

    Raises:
        ChathooksError: ERR_INVALID_MESSAGE_DATA, ERR_EMPTY_MESSAGE_TEXT, ERR_INVALID_MESSAGE_TEXT,
            ERR_EMPTY_MESSAGE_FILE, ERR_INVALID_MEDIA_MESSAGE, ERR_EMPTY_CUSTOM_DATA, ERR_INVALID_METADATA.
    """
    if data is None:
        raise _refusal(
            "ERR_INVALID_MESSAGE_DATA", "The message has no data.", "data", "is required"
        )
    is_text = category == MESSAGE and type_ == TEXT
    _check_text(data.text, needed=is_text)
    _check_metadata(data.metadata)
    attachments = None if data.attachments is None else _attachments(data.attachments)
    if category == MESSAGE and not is_text and not attachments:
        raise _refusal(
            "ERR_EMPTY_MESSAGE_FILE",
            f"A message of type {type_} needs at least one entry in data.attachments.",
            "data.attachments",
            "is required",
        )
    if category == CUSTOM and not data.custom_data:
        raise _refusal(
            "ERR_EMPTY_CUSTOM_DATA",
            "A custom message needs data.customData.",
            "data.customData",
            "is required",
        )
    content = MessageData(
        text=data.text or None,
        attachments=attachments or None,
        metadata=data.metadata,
        custom_data=data.custom_data,
    )
    if attachments or data.custom_data is not None:
        _check_data_size(content)
    return content


def stored_content(content: MessageData, muid: str | None, tags: str | None) -> str:
    """The content as the JSON that is kept.

    Raises:
        ChathooksError: ERR_INVALID_MESSAGE_DATA where the message would have more than 65,536 characters.
    """
    encoded = _encode(content).decode()
    if len(encoded) + len(muid or "") + len(tags or "") > MESSAGE_CHARS_MAX:
        raise _refusal(
            "ERR_INVALID_MESSAGE_DATA",
            f"The message may have {MESSAGE_CHARS_MAX} characters as JSON.",
            "data",
            f"is longer than {MESSAGE_CHARS_MAX} characters",
        )
    return encoded


def check_receiver(request: SendMessage) -> tuple[str, str]:
    """Receiver (lower case) and receiver type.

    Raises:
        ChathooksError: ERR_EMPTY_RECEIVER, ERR_INVALID_RECEIVER_TYPE.
    """
    if not request.receiver:
        raise _refusal(
            "ERR_EMPTY_RECEIVER",
            "Say who gets the message: a uid or guid as receiver.",
            "receiver",
            "is required",
        )
    if request.receiver_type not in ("user", "group"):
        raise _refusal(
            "ERR_INVALID_RECEIVER_TYPE",
            "receiverType must be user or group.",
            "receiverType",
            "must be user or group",
        )
    return request.receiver.lower(), request.receiver_type


def check_receivers(request: SendMessage) -> tuple[list[str], list[str]]:
    """Uids and guids of `multipleReceivers`, in lower case and each once.

    Raises:
        ChathooksError: ERR_EMPTY_RECEIVER, ERR_BAD_REQUEST beyond 25 receivers or with a `receiver` too.
    """
    wanted = request.multiple_receivers
    if wanted is None or not (wanted.uids or wanted.guids):
        raise _refusal(
            "ERR_EMPTY_RECEIVER",
            "Say who gets the message: uids or guids in multipleReceivers.",
            "multipleReceivers",
            "is empty",
        )
    if request.receiver is not None:
        raise refuse("multipleReceivers", "stands instead of receiver; leave one of them out")
    uids = list(dict.fromkeys(uid.lower() for uid in wanted.uids))
    guids = list(dict.fromkeys(guid.lower() for guid in wanted.guids))
    if len(uids) + len(guids) > RECEIVERS_PER_MESSAGE_MAX:
        raise refuse("multipleReceivers", f"names more than {RECEIVERS_PER_MESSAGE_MAX} receivers")
    return uids, guids
