"""Threads: which message may be replied to, and by whom to whom (rest-api.md C11)."""

from chathooks.chat.actors import Actor, unknown_uid
from chathooks.chat.history import Parties, Receiver, require_party
from chathooks.chat.requests import SendMessage
from chathooks.chat.store import ChatTransaction, UserRecord
from chathooks.kernel.errors import ChathooksError


def require_parent(parties: Parties) -> None:
    """A message that a thread may hang on.

    Raises:
        ChathooksError: ERR_WRONG_MESSAGE_THREAD_CATEGORY for actions and calls, ERR_MESSAGE_THREAD_NESTING for
            replies, ERR_MESSAGE_ACTION_NOT_ALLOWED for deleted messages.
    """
    record = parties.record
    if record.category in ("action", "call"):
        raise ChathooksError(
            "ERR_WRONG_MESSAGE_THREAD_CATEGORY",
            f"Messages of category {record.category} have no thread.",
        )
    if record.parent is not None:
        raise ChathooksError(
            "ERR_MESSAGE_THREAD_NESTING",
            f"The message is a reply; reply to the message {record.parent} instead.",
        )
    if record.deleted_at is not None:
        raise ChathooksError(
            "ERR_MESSAGE_ACTION_NOT_ALLOWED", "The message was deleted; it takes no replies."
        )


async def receiver_of_reply(tx: ChatTransaction, actor: Actor, parties: Parties) -> Receiver:
    """Who gets a reply of the actor: the group, or the other one of the two.

    Raises ERR_GROUP_NOT_JOINED, ERR_MESSAGE_NO_ACCESS, ERR_UID_NOT_FOUND (the other one is not active).
    """
    await require_party(tx, actor, parties)
    receiver = parties.receiver
    if not isinstance(receiver, UserRecord):
        return receiver
    if actor.uid == receiver.uid:
        receiver = parties.sender
    elif actor.uid != parties.sender.uid:
        raise ChathooksError(
            "ERR_MESSAGE_NO_ACCESS", f"{actor.uid} neither sent nor got this message."
        )
    if receiver.deactivated_at is not None:
        raise unknown_uid(receiver.uid)
    return receiver


def check_named_receiver(request: SendMessage, receiver: Receiver) -> None:
    """A receiver in the body must be that of the thread. Raises ERR_WRONG_MESSAGE_THREAD."""
    is_user = isinstance(receiver, UserRecord)
    own_id = receiver.uid if isinstance(receiver, UserRecord) else receiver.guid
    own_type = "user" if is_user else "group"
    wrong = (request.receiver or own_id).lower() != own_id
    if wrong or request.receiver_type not in (None, own_type):
        raise ChathooksError(
            "ERR_WRONG_MESSAGE_THREAD",
            f"This thread belongs to the {own_type} {own_id}; leave receiver and receiverType out.",
            {"receiver": "is not that of the thread"},
        )
