"""Messages: send, edit, delete (rest-api.md C10, delivery contract §5, §7).

Each command checks, changes the rows and appends its events in one transaction.
"""

from typing import cast

import msgspec

from chathooks.chat.actions import message_action, stored
from chathooks.chat.actors import Actor, actor_among, actor_of, unknown_guid, unknown_uid
from chathooks.chat.admission import MemberResult, failed
from chathooks.chat.content import (
    build_content,
    check_category_and_type,
    check_receiver,
    check_receivers,
    stored_content,
)
from chathooks.chat.fields import stored_tags
from chathooks.chat.history import (
    Parties,
    Receiver,
    decode_content,
    find_message,
    mentioned_users,
    stream_of,
)
from chathooks.chat.limits import MENTIONS_MAX
from chathooks.chat.mentions import mentioned_uids
from chathooks.chat.permissions import not_joined, require_changeable, require_sender
from chathooks.chat.requests import MessageChange, SendMessage
from chathooks.chat.store import (
    ChatTransaction,
    GroupRecord,
    MessageRecord,
    NewMessage,
    UserRecord,
)
from chathooks.chat.threads import (
    check_named_receiver,
    follow_by_reply,
    receiver_of_reply,
    require_parent,
)
from chathooks.chat.views import (
    APP_SYSTEM,
    message_view,
)
from chathooks.events.outbox import Outbox
from chathooks.events.streams import Stream
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import (
    DeletedMessage,
    Message,
    MessageData,
    MessageEntity,
)
from chathooks_events.payloads import MessageDeleted, MessageEdited, MessageSent

_encode = msgspec.json.Encoder().encode


def _mentions(text: str | None) -> list[str]:
    uids = mentioned_uids(text)
    if len(uids) > MENTIONS_MAX:
        raise ChathooksError(
            "ERR_INVALID_MESSAGE_TEXT",
            f"The text mentions {len(uids)} users; a message may mention {MENTIONS_MAX}.",
            {"data.text": f"mentions more than {MENTIONS_MAX} users"},
        )
    return uids


class SentToMany(msgspec.Struct, frozen=True):
    """What became of each receiver: the message, or why it was not sent."""

    uids: dict[str, MemberResult]
    guids: dict[str, MemberResult]


class _Sent(msgspec.Struct, frozen=True):
    """A message that was stored, and its JSON: the event's bytes are the answer's too."""

    message: Message
    encoded: bytes


class _Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was checked and has neither sender nor receiver yet."""

    app: int
    muid: str | None
    category: str
    type: str
    content: MessageData
    encoded: str
    tags: str | None
    sent_at: int
    mentions: list[str]
    parent: int | None = None


async def _check_blocks(tx: ChatTransaction, actor: Actor, receiver: UserRecord) -> None:
    """Raises ERR_BLOCKED_RECEIVER where the actor blocks the receiver, ERR_BLOCKED_SENDER the other way."""
    if actor.is_app or receiver.built_in:
        return
    blocker = await tx.blocker(actor.user.key, receiver.key)
    if blocker == actor.user.key:
        raise ChathooksError(
            "ERR_BLOCKED_RECEIVER",
            f"{actor.uid} blocks {receiver.uid}; lift the block to write to them.",
        )
    if blocker is not None:
        raise ChathooksError("ERR_BLOCKED_SENDER", f"{receiver.uid} blocks {actor.uid}.")


class Messages:
    """Changes the messages of all apps; `chathooks.chat.history` reads them."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    # -- sending -------------------------------------------------------------------------------------------

    async def send(
        self, app: int, request: SendMessage, on_behalf_of: str | None = None
    ) -> Message:
        """Send a message; fires message_sent, and user_mentioned once if the text mentions users.

        Raises:
            ChathooksError: ERR_EMPTY_RECEIVER, ERR_INVALID_RECEIVER_TYPE, ERR_UID_NOT_FOUND,
                ERR_GUID_NOT_FOUND, ERR_GROUP_NOT_JOINED, ERR_BLOCKED_RECEIVER, ERR_BLOCKED_SENDER, and those
                of `chathooks.chat.content`.
        """
        return (await self._send(app, request, on_behalf_of)).message

    async def send_encoded(
        self, app: int, request: SendMessage, on_behalf_of: str | None = None
    ) -> bytes:
        """As `send`; answers the message as the JSON that its event carries, so that it is encoded once."""
        return (await self._send(app, request, on_behalf_of)).encoded

    async def _send(self, app: int, request: SendMessage, on_behalf_of: str | None) -> _Sent:
        receiver_id, receiver_type = check_receiver(request)
        draft = self._draft(app, request)
        sender_uid = on_behalf_of or APP_SYSTEM

        async def send(tx: ChatTransaction) -> _Sent:
            uids = [sender_uid, *draft.mentions]
            if receiver_type == "user":
                uids.append(receiver_id)
            found = await tx.users_by_uid(app, uids)
            actor = actor_among(found, sender_uid)
            if receiver_type == "user":
                return await self._send_to_user(tx, draft, found, actor, receiver_id)
            group = await self._group_to_write_in(tx, app, receiver_id, actor)
            return await self._store_and_tell(tx, draft, found, actor, group)

        return await self._store.write(send)

    async def send_to_many(
        self, app: int, request: SendMessage, on_behalf_of: str | None = None
    ) -> SentToMany:
        """Send a message to each of `multipleReceivers`; each fires as `send` does.

        Raises:
            ChathooksError: ERR_BAD_REQUEST, ERR_EMPTY_RECEIVER, ERR_UID_NOT_FOUND (sender), and those of
                `chathooks.chat.content`. What is wrong with one receiver is in its result.
        """
        wanted_uids, wanted_guids = check_receivers(request)
        draft = self._draft(app, request)
        sender_uid = on_behalf_of or APP_SYSTEM

        async def send(tx: ChatTransaction) -> SentToMany:
            found = await tx.users_by_uid(app, [sender_uid, *draft.mentions, *wanted_uids])
            actor = actor_among(found, sender_uid)
            results = SentToMany({}, {})
            for uid in wanted_uids:
                try:
                    sent = await self._send_to_user(tx, draft, found, actor, uid)
                except ChathooksError as error:
                    results.uids[uid] = failed(error)
                else:
                    results.uids[uid] = MemberResult(True, data=sent.message)
            for guid in wanted_guids:
                try:
                    group = await self._group_to_write_in(tx, app, guid, actor)
                except ChathooksError as error:
                    results.guids[guid] = failed(error)
                else:
                    sent = await self._store_and_tell(tx, draft, found, actor, group)
                    results.guids[guid] = MemberResult(True, data=sent.message)
            return results

        return await self._store.write(send)

    async def reply(
        self, app: int, message_id: str, request: SendMessage, on_behalf_of: str
    ) -> Message:
        """Send a message in the thread of another one; fires as `send` does.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_MESSAGE_NO_ACCESS, ERR_MESSAGE_THREAD_NESTING, ERR_WRONG_MESSAGE_THREAD,
                ERR_WRONG_MESSAGE_THREAD_CATEGORY, ERR_MESSAGE_ACTION_NOT_ALLOWED, ERR_BLOCKED_RECEIVER,
                ERR_BLOCKED_SENDER, and those of `chathooks.chat.content`.
        """
        draft = self._draft(app, request)

        async def reply(tx: ChatTransaction) -> Message:
            found = await tx.users_by_uid(app, [on_behalf_of, *draft.mentions])
            actor = actor_among(found, on_behalf_of)
            parties = await find_message(tx, app, message_id)
            receiver = await receiver_of_reply(tx, actor, parties)
            require_parent(parties)
            check_named_receiver(request, receiver)
            if isinstance(receiver, UserRecord):
                await _check_blocks(tx, actor, receiver)
            in_thread = msgspec.structs.replace(draft, parent=parties.record.id)
            sent = await self._store_and_tell(tx, in_thread, found, actor, receiver)
            mentioned = [found[uid] for uid in draft.mentions if uid in found]
            await follow_by_reply(tx, parties, actor, mentioned)
            return sent.message

        return await self._store.write(reply)

    def _draft(self, app: int, request: SendMessage) -> _Draft:
        """What is sent, checked; all but who sends it to whom."""
        category, type_ = check_category_and_type(request.category, request.type)
        content = build_content(category, type_, request.data)
        tags = stored_tags(request.tags)
        return _Draft(
            app=app,
            muid=request.muid,
            category=category,
            type=type_,
            content=content,
            encoded=stored_content(content, request.muid, tags),
            tags=tags,
            sent_at=self._now_s(),
            mentions=_mentions(content.text),
        )

    async def _send_to_user(
        self,
        tx: ChatTransaction,
        draft: _Draft,
        found: dict[str, UserRecord],
        actor: Actor,
        uid: str,
    ) -> _Sent:
        receiver = found.get(uid)
        if receiver is None:
            raise unknown_uid(uid)
        await _check_blocks(tx, actor, receiver)
        return await self._store_and_tell(tx, draft, found, actor, receiver)

    async def _store_and_tell(
        self,
        tx: ChatTransaction,
        draft: _Draft,
        found: dict[str, UserRecord],
        actor: Actor,
        receiver: Receiver,
    ) -> _Sent:
        is_user = isinstance(receiver, UserRecord)
        new = NewMessage(
            app=draft.app,
            muid=draft.muid,
            sender=actor.user.key,
            receiver_user=receiver.key if is_user else None,
            group_key=None if is_user else receiver.key,
            category=draft.category,
            type=draft.type,
            content=draft.encoded,
            tags=draft.tags,
            sent_at=draft.sent_at,
            parent=draft.parent,
        )
        record = stored(new, await tx.add_message(new))
        mentioned = mentioned_users(found, draft.mentions)
        message = message_view(record, actor.user, receiver, mentioned, draft.content)
        sent = _Sent(message, _encode(message))
        await self._append_sent(tx, draft.app, sent, stream_of(actor.uid, receiver))
        return sent

    async def _group_to_write_in(
        self, tx: ChatTransaction, app: int, guid: str, actor: Actor
    ) -> GroupRecord:
        found = await tx.group_with_member(app, guid, actor.user.key)
        if found is None:
            raise unknown_guid(guid)
        group, membership = found
        if membership is None and not actor.is_app:
            raise not_joined(actor.uid, guid)
        return group

    async def _append_sent(
        self, tx: ChatTransaction, app: int, sent: _Sent, stream: Stream
    ) -> None:
        # Both events carry the same data, and the answer the message in it: it is encoded once.
        data = _encode(MessageSent(message=cast(Message, msgspec.Raw(sent.encoded))))
        await self._outbox.append(tx, app=app, trigger="message_sent", data=data, stream=stream)
        if sent.message.data.mentions:
            await self._outbox.append(
                tx, app=app, trigger="user_mentioned", data=data, stream=stream
            )

    # -- changing ------------------------------------------------------------------------------------------

    async def edit(
        self, app: int, message_id: str, request: MessageChange, on_behalf_of: str | None = None
    ) -> Message:
        """Edit a message; fires message_edited with the message itself; answers the action message.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND (actor), ERR_MESSAGE_NOT_A_SENDER,
                ERR_GROUP_NOT_JOINED, ERR_MESSAGE_ACTION_NOT_ALLOWED, ERR_INVALID_MESSAGE_DATA and the
                others of `chathooks.chat.content`.
        """
        if request.data is None and request.tags is None:
            raise ChathooksError(
                "ERR_INVALID_MESSAGE_DATA",
                "Name what to change: data or tags.",
                {"data": "is required"},
            )
        now_s = self._now_s()

        async def edit(tx: ChatTransaction) -> Message:
            actor, parties = await self._changeable(tx, app, message_id, on_behalf_of)
            require_changeable(
                parties.record.category, deleted=parties.record.deleted_at is not None
            )
            record, content = _edited(parties.record, request, actor.uid, now_s)
            uids = _mentions(content.text)
            mentioned = mentioned_users(await tx.users_by_uid(app, uids), uids) if uids else None
            await tx.update_message(record)
            reactions = (await tx.reaction_counts((record.id,))).get(record.id)
            message = message_view(
                record, parties.sender, parties.receiver, mentioned, content, reactions
            )
            await self._outbox.append(
                tx,
                app=app,
                trigger="message_edited",
                data=MessageEdited(message=message),
                stream=parties.stream,
            )
            return message_action(
                await tx.next_message_id(),
                "edited",
                by=actor.user,
                on=MessageEntity(entity=message),
                original=message,
                now_s=now_s,
            )

        return await self._store.write(edit)

    async def delete(
        self, app: int, message_id: str, *, permanent: bool, on_behalf_of: str | None = None
    ) -> Message:
        """Delete a message, for good if `permanent`; fires message_deleted; answers the action message.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND (actor), ERR_MESSAGE_NOT_A_SENDER,
                ERR_GROUP_NOT_JOINED, ERR_MESSAGE_ACTION_NOT_ALLOWED.
        """
        now_s = self._now_s()

        async def delete(tx: ChatTransaction) -> Message:
            actor, parties = await self._changeable(tx, app, message_id, on_behalf_of)
            before = parties.record
            gone = before.deleted_at is not None and not permanent
            require_changeable(before.category, deleted=gone)
            record = msgspec.structs.replace(
                before, deleted_at=now_s, deleted_by=actor.uid, updated_at=now_s
            )
            message = message_view(record, parties.sender, parties.receiver)
            traces = DeletedMessage(
                id=message.id,
                conversation_id=message.conversation_id,
                sender=message.sender,
                receiver=message.receiver,
                deleted_at=now_s,
                deleted_by=actor.uid,
            )
            if permanent:
                await tx.delete_message(record.id)
                deleted = traces
            else:
                await tx.update_message(record)
                deleted = DeletedMessage.of(message, deleted_at=now_s, deleted_by=actor.uid)
            await self._outbox.append(
                tx,
                app=app,
                trigger="message_deleted",
                data=MessageDeleted(message=deleted),
                stream=parties.stream,
            )
            return message_action(
                await tx.next_message_id(),
                "deleted",
                by=actor.user,
                on=MessageEntity(entity=cast(Message, traces)),
                original=message,
                now_s=now_s,
            )

        return await self._store.write(delete)

    async def _changeable(
        self, tx: ChatTransaction, app: int, message_id: str, on_behalf_of: str | None
    ) -> tuple[Actor, Parties]:
        """The actor and a message that the actor may change."""
        actor = await actor_of(tx, app, on_behalf_of)
        parties = await find_message(tx, app, message_id)
        if not actor.is_app:
            receiver = parties.receiver
            if isinstance(receiver, GroupRecord):
                members = await tx.members(receiver.key, (actor.user.key,))
                if not members:
                    raise not_joined(actor.uid, receiver.guid)
            require_sender(actor.uid, parties.sender.uid)
        return actor, parties


def _edited(
    record: MessageRecord, request: MessageChange, editor: str, now_s: int
) -> tuple[MessageRecord, MessageData]:
    """The message with what the request names put in place of what was there."""
    merged = decode_content(record.content)
    if request.data is not None:
        given = {
            name: value
            for name in request.data.__struct_fields__
            if (value := getattr(request.data, name)) is not None
        }
        merged = msgspec.structs.replace(merged, **given)
    content = build_content(record.category, record.type, merged)
    tags = record.tags if request.tags is None else stored_tags(request.tags)
    edited = msgspec.structs.replace(
        record,
        content=stored_content(content, record.muid, tags),
        tags=tags,
        updated_at=now_s,
        edited_at=now_s,
        edited_by=editor,
    )
    return edited, content
