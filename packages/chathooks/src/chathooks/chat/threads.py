"""Threads: which message may be replied to, by whom to whom, and who follows which thread (rest-api.md C11).

Who sent the parent follows its thread from the first reply on, who replies from then on, and who is mentioned in a
reply too; anybody who may see the parent can follow or leave its thread. Nothing of it fires a trigger.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chathooks.chat.actors import Actor, actor_of, unknown_uid
from chathooks.chat.history import (
    Parties,
    Receiver,
    Shown,
    find_message,
    parse_message_id,
    require_party,
    views_of,
    with_parties,
)
from chathooks.chat.limits import MESSAGE_ID_MAX
from chathooks.chat.requests import SendMessage
from chathooks.chat.store import ChatTransaction, GroupRecord, UserRecord
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store

_END_OF_TIME_S = 2**63 - 1


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


async def follow_by_reply(
    tx: ChatTransaction, parties: Parties, actor: Actor, mentioned: Collection[UserRecord]
) -> None:
    """Let those follow the thread whom a reply concerns: its sender, who is mentioned, the parent's sender once.

    Args:
        tx: the transaction that stored the reply.
        parties: the parent as it was before the reply.
        actor: who replied.
        mentioned: users whom the reply mentions; who may not see the parent is passed over.
    """
    parent = parties.record
    if parent.reply_count == 0 and not parties.sender.built_in:
        await tx.follow_thread_unless_left(parties.sender.key, parent.id)
    concerned = {actor.user.key, *await _who_may_see(tx, parties, mentioned)}
    for user in sorted(concerned):
        await tx.follow_thread(user, parent.id)


async def _who_may_see(
    tx: ChatTransaction, parties: Parties, users: Collection[UserRecord]
) -> Collection[int]:
    keys = [user.key for user in users if not user.built_in]
    if not keys:
        return ()
    if isinstance(parties.receiver, GroupRecord):
        return await tx.members(parties.receiver.key, keys)
    return set(keys) & {parties.sender.key, parties.receiver.key}


@dataclass(frozen=True, slots=True)
class FollowedThread:
    """A thread that a user follows: its parent, the newest reply, and the time of the last change (unix s)."""

    parent: Shown
    last_reply: Shown | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class ThreadWindow:
    """Which part of the list of threads is asked for: those that changed before the place given."""

    limit: int
    updated_at: int | None = None
    """Unix seconds."""
    message_id: str | None = None
    """Id of the parent; among threads that changed in that second those with a lesser id are left."""

    @property
    def before(self) -> tuple[int, int]:
        """The place as (time, id). Raises ERR_MESSAGE_ID_NOT_FOUND."""
        if self.updated_at is None:
            return _END_OF_TIME_S, MESSAGE_ID_MAX
        bound = 0 if self.message_id is None else parse_message_id(self.message_id)
        return self.updated_at, bound


class Threads:
    """Who follows which threads, in all apps."""

    def __init__(self, store: Store[ChatTransaction]) -> None:
        self._store = store

    async def follow(self, app: int, message_id: str, on_behalf_of: str) -> None:
        """Follow the thread of a message, also one without replies yet.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_MESSAGE_NO_ACCESS, ERR_MESSAGE_THREAD_NESTING, ERR_WRONG_MESSAGE_THREAD_CATEGORY,
                ERR_MESSAGE_ACTION_NOT_ALLOWED.
        """

        async def follow(tx: ChatTransaction) -> None:
            actor, parties = await _seen_by(tx, app, message_id, on_behalf_of)
            require_parent(parties)
            await tx.follow_thread(actor.user.key, parties.record.id)

        await self._store.write(follow)

    async def leave(self, app: int, message_id: str, on_behalf_of: str) -> None:
        """Follow the thread of a message no more, until the user replies or is mentioned in it again.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_MESSAGE_NO_ACCESS.
        """

        async def leave(tx: ChatTransaction) -> None:
            actor, parties = await _seen_by(tx, app, message_id, on_behalf_of)
            await tx.leave_thread(actor.user.key, parties.record.id)

        await self._store.write(leave)

    async def page(
        self, app: int, window: ThreadWindow, on_behalf_of: str
    ) -> Sequence[FollowedThread]:
        """Threads that the user follows and may see, the latest change first.

        Raises ERR_UID_NOT_FOUND, ERR_MESSAGE_ID_NOT_FOUND (not an id).
        """
        before = window.before

        async def query(tx: ChatTransaction) -> Sequence[FollowedThread]:
            actor = await actor_of(tx, app, on_behalf_of)
            viewer = actor.user.key
            listed = await tx.list_threads(viewer, before, window.limit)
            changed = {record.id: changed_at for record, changed_at in listed}
            replies = await tx.last_replies(changed)
            records = [record for record, _ in listed]
            found = await with_parties(tx, [*records, *replies.values()])
            views = await views_of(tx, app, found, viewer)
            by_id = {parties.record.id: view for parties, view in zip(found, views, strict=True)}
            return [
                FollowedThread(
                    by_id[record.id],
                    by_id.get(replies[record.id].id) if record.id in replies else None,
                    changed[record.id],
                )
                for record in records
                if record.id in by_id
            ]

        return await self._store.read(query)


async def _seen_by(
    tx: ChatTransaction, app: int, message_id: str, uid: str
) -> tuple[Actor, Parties]:
    actor = await actor_of(tx, app, uid)
    parties = await find_message(tx, app, message_id)
    await require_party(tx, actor, parties)
    return actor, parties
