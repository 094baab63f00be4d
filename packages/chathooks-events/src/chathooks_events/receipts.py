"""The parts of the receipt events (REST contract D2, messages)."""

from typing import Literal

from chathooks_events.entities import User
from chathooks_events.wire import ReceiverType, UnixSeconds, Wire


class DeliveryReceiptBody(Wire, frozen=True, kw_only=True):
    """Up to which message, when and by whom delivery was confirmed."""

    action: Literal["delivered"]
    message_id: str
    user: User
    timestamp: UnixSeconds


class ReadReceiptBody(Wire, frozen=True, kw_only=True):
    """Up to which message, when and by whom reading was confirmed."""

    action: Literal["read"]
    message_id: str
    user: User
    timestamp: UnixSeconds


class Receipt(Wire, frozen=True, kw_only=True):
    """What both receipts share: `sender` is who confirms, `messageSender` who wrote the message."""

    receiver: str
    receiver_type: ReceiverType
    type: Literal["receipts"]
    sender: str
    message_sender: str


class DeliveredToAllBody(Wire, frozen=True, kw_only=True):
    """The highest message that is now delivered to everybody."""

    action: Literal["deliveredToAll"]
    message_id: str


class ReadByAllBody(Wire, frozen=True, kw_only=True):
    """The highest message that is now read by everybody."""

    action: Literal["readByAll"]
    message_id: str


class GroupReceipt(Wire, frozen=True, kw_only=True):
    """What both group receipts share: `sender` is whose receipt was the last one missing."""

    receiver: str
    receiver_type: Literal["group"]
    message_sender: str
    sender: str
