"""Which events belong together: the stream of an event, the key that queues keep order by.

The same text for everything that happens in one conversation or group as far as the payload tells; a reaction names
only its message. Two conversations may share a stream where ids collide; that costs parallelism, never order.
"""

import hashlib
from typing import Any

import msgspec

from chathooks_events.envelope import ReceivedEvent

STREAM_CHARS_MAX = 200
"""Longer names are replaced by their SHA-256: brokers bound the length of keys."""


def stream_of(event: ReceivedEvent) -> str:
    """The name of the stream of `event`, at most 200 characters; `trigger_<name>` where the payload names none."""
    name = _name(event.data) or f"trigger_{event.trigger}"
    if len(name) > STREAM_CHARS_MAX:
        return "sha256_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return name


def _name(data: msgspec.Struct | dict[str, Any]) -> str | None:
    for holder in ("message", "call", "conversation", "resource"):
        conversation = _text(_field(data, holder), "conversation_id", "conversationId")
        if conversation:
            return conversation
    guid = _text(_field(data, "group"), "guid", "guid")
    if guid:
        return f"group_{guid}"
    session = _text(data, "session_id", "sessionId")
    if session:
        return f"session_{session}"
    receiver = _text(data, "receiver", "receiver")
    sender = _text(data, "sender", "sender")
    if receiver and sender:
        if _text(data, "receiver_type", "receiverType") == "group":
            return f"group_{receiver}"
        return "_user_".join(sorted((sender, receiver)))
    return _of_one(data)


def _of_one(data: msgspec.Struct | dict[str, Any]) -> str | None:
    message = _text(_field(data, "reaction"), "message_id", "messageId")
    if message:
        return f"message_{message}"
    for holder in ("by", "user"):
        uid = _text(_field(data, holder), "uid", "uid")
        if uid:
            return f"user_{uid}"
    campaign = _text(data, "campaign_id", "campaignId")
    return f"campaign_{campaign}" if campaign else None


def _field(node: Any, attribute: str) -> Any:
    return node.get(attribute) if isinstance(node, dict) else getattr(node, attribute, None)


def _text(node: Any, attribute: str, name: str) -> str | None:
    found = node.get(name) if isinstance(node, dict) else getattr(node, attribute, None)
    return found if isinstance(found, str) and found else None
