"""Reading messages: one, or a list in windows by id or time (rest-api.md A5, C10).

A message is read together with its parties, since every view of it embeds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from chathooks.chat.actors import Actor, actor_among, actor_of, place_of
from chathooks.chat.conversations import places_of
from chathooks.chat.filters import MessageFilter
from chathooks.chat.limits import MESSAGE_ID_MAX, MESSAGES_SCANNED_MAX
from chathooks.chat.mentions import mentioned_uids
from chathooks.chat.permissions import not_joined
from chathooks.chat.requests import NewContent
from chathooks.chat.store import (
    ChatTransaction,
    GroupRecord,
    MessageRecord,
    Relation,
    UserRecord,
)
from chathooks.chat.views import mentioned_answer, mentioned_user, message_view, shown_message
from chathooks.events import streams
from chathooks.events.streams import Stream
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import DeletedMessage, Message, User

Shown: TypeAlias = Message | DeletedMessage
Receiver: TypeAlias = UserRecord | GroupRecord


class MessagePage(list[Shown]):
    """Messages by id, ascending; `reached` where the list ends early because enough was looked at."""

    reached: tuple[int, int] | None = None
    """Id and time (unix s) of the last message that was looked at: the list goes on there."""


decode_content = msgspec.json.Decoder(NewContent).decode


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a message list is asked for: by id or by time (unix s), before or after it."""

    limit: int
    append: bool = False
    """Newer than the place given, else older."""
    message_id: int | None = None
    sent_at: int | None = None
    skip: int = 0
    """Messages of the window that are left out before the first one told."""
    from_timestamp: int | None = None
    to_timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a list tells of its messages besides what all tell."""

    tags: bool = True
    mentions_blocked: bool = False
    """Who of the viewer and a mentioned user blocks the other; for users who look."""
    mentions_tags: bool = False


WHOLE = Shape()


def unknown_message(text: str) -> ChathooksError:
    """ERR_MESSAGE_ID_NOT_FOUND."""
    return ChathooksError(
        "ERR_MESSAGE_ID_NOT_FOUND", f"There is no message with the id {text}.", {"id": "is unknown"}
    )


def parse_message_id(text: str) -> int:
    """The number of a message id. Raises ERR_MESSAGE_ID_NOT_FOUND where it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MESSAGE_ID_MAX))):
        raise unknown_message(text[:50])
    number = int(text)
    if number > MESSAGE_ID_MAX:
        raise unknown_message(text)
    return number


def mentioned_users(found: dict[str, UserRecord], uids: Sequence[str]) -> dict[str, User]:
    """What stands under `data.mentions`: those of the uids that were found."""
    return {uid: mentioned_user(found[uid]) for uid in uids if uid in found}


def stream_of(sender: str, receiver: Receiver) -> Stream:
    """The stream of a message's events."""
    if isinstance(receiver, UserRecord):
        return streams.conversation(sender, receiver.uid)
    return streams.group(receiver.guid)


@dataclass(frozen=True, slots=True)
class Parties:
    """A message with who sent it and who got it."""

    record: MessageRecord
    sender: UserRecord
    receiver: Receiver

    @property
    def stream(self) -> Stream:
        """The stream of the message's events."""
        return stream_of(self.sender.uid, self.receiver)


class History:
    """Reads the messages of all apps."""

    def __init__(self, store: Store[ChatTransaction]) -> None:
        self._store = store

    async def get(self, app: int, message_id: str, on_behalf_of: str | None = None) -> Shown:
        """One message, as `on_behalf_of` sees it if given.

        Raises ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED, ERR_MESSAGE_NO_ACCESS.
        """

        async def get(tx: ChatTransaction) -> Shown:
            actor = await actor_of(tx, app, on_behalf_of)
            parties = await find_message(tx, app, message_id)
            await require_party(tx, actor, parties)
            viewer = None if actor.is_app else actor.user.key
            return (await views_of(tx, app, [parties], viewer))[0]

        return await self._store.read(get)

    async def page(
        self,
        app: int,
        only: MessageFilter,
        window: Window,
        on_behalf_of: str | None = None,
        *,
        sender: str | None = None,
        conversation_id: str | None = None,
        shape: Shape = WHOLE,
    ) -> MessagePage:
        """Messages of the app, or those that `on_behalf_of` may see; by id, ascending.

        Args:
            app: key of the app.
            only: what narrows the list.
            window: which part of it.
            on_behalf_of: uid of who looks.
            sender: uid of the one whose messages are asked for.
            conversation_id: display id of the conversation that is asked for.
            shape: what is told of each message.

        Raises ERR_UID_NOT_FOUND.
        """

        async def query(tx: ChatTransaction) -> MessagePage:
            actor = await actor_of(tx, app, on_behalf_of)
            place = only
            if sender is not None:
                author = (await actor_of(tx, app, sender)).user.key
                place = msgspec.structs.replace(place, sender=author)
            if conversation_id is not None:
                places = await places_of(tx, app, conversation_id, actor, place)
            elif not actor.is_app:
                places = [msgspec.structs.replace(place, visible_to=actor.user.key)]
            else:
                places = [msgspec.structs.replace(place, user=place.sender)]
            viewer = None if actor.is_app else actor.user.key
            return await _page(tx, app, places, window, viewer, shape)

        return await self._store.read(query)

    async def page_of_user(
        self,
        app: int,
        uid: str,
        only: MessageFilter,
        window: Window,
        on_behalf_of: str | None = None,
        *,
        shape: Shape = WHOLE,
    ) -> MessagePage:
        """The conversation of `on_behalf_of` with a user; without one all that the user sent or got.

        Raises ERR_UID_NOT_FOUND.
        """

        async def query(tx: ChatTransaction) -> MessagePage:
            found = await tx.users_by_uid(app, [uid, on_behalf_of or uid])
            user = actor_among(found, uid).user
            viewer = None
            if on_behalf_of is None:
                place = msgspec.structs.replace(only, user=user.key)
            else:
                viewer = actor_among(found, on_behalf_of).user.key
                place = msgspec.structs.replace(only, pair=(viewer, user.key))
            return await _page(tx, app, [place], window, viewer, shape)

        return await self._store.read(query)

    async def page_of_group(
        self,
        app: int,
        guid: str,
        only: MessageFilter,
        window: Window,
        on_behalf_of: str | None = None,
        *,
        shape: Shape = WHOLE,
    ) -> MessagePage:
        """The messages of a group. Raises ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_GROUP_NOT_JOINED."""

        async def query(tx: ChatTransaction) -> MessagePage:
            place = await place_of(tx, app, guid, on_behalf_of)
            if not place.actor.is_app:
                place.require_membership()
            in_group = msgspec.structs.replace(only, group=place.group.key)
            viewer = None if place.actor.is_app else place.actor.user.key
            return await _page(tx, app, [in_group], window, viewer, shape)

        return await self._store.read(query)

    async def page_of_thread(
        self,
        app: int,
        message_id: str,
        only: MessageFilter,
        window: Window,
        on_behalf_of: str | None = None,
        *,
        shape: Shape = WHOLE,
    ) -> MessagePage:
        """The replies to a message.

        Raises ERR_UID_NOT_FOUND, ERR_MESSAGE_ID_NOT_FOUND, ERR_GROUP_NOT_JOINED, ERR_MESSAGE_NO_ACCESS.
        """

        async def query(tx: ChatTransaction) -> MessagePage:
            actor = await actor_of(tx, app, on_behalf_of)
            parties = await find_message(tx, app, message_id)
            await require_party(tx, actor, parties)
            in_thread = msgspec.structs.replace(only, thread=parties.record.id)
            viewer = None if actor.is_app else actor.user.key
            return await _page(tx, app, [in_thread], window, viewer, shape)

        return await self._store.read(query)


async def find_message(tx: ChatTransaction, app: int, message_id: str) -> Parties:
    """The message with its parties. Raises ERR_MESSAGE_ID_NOT_FOUND."""
    record = await tx.message(app, parse_message_id(message_id))
    found = [] if record is None else await with_parties(tx, [record])
    if not found:
        raise unknown_message(message_id)
    return found[0]


async def with_parties(tx: ChatTransaction, records: Sequence[MessageRecord]) -> list[Parties]:
    """The messages with sender and receiver; those of deleted groups do not exist."""
    user_keys = {record.sender for record in records}
    user_keys.update(record.receiver_user for record in records if record.receiver_user is not None)
    group_keys = {record.group_key for record in records if record.group_key is not None}
    users = await tx.users_by_key(user_keys)
    groups = await tx.groups_by_key(group_keys) if group_keys else {}
    found = []
    for record in records:
        receiver: Receiver
        if record.receiver_user is not None:
            receiver = users[record.receiver_user]
        elif record.group_key is not None and groups[record.group_key].deleted_at is None:
            receiver = groups[record.group_key]
        else:
            continue
        found.append(Parties(record, users[record.sender], receiver))
    return found


async def require_party(tx: ChatTransaction, actor: Actor, parties: Parties) -> None:
    """Raises ERR_GROUP_NOT_JOINED or ERR_MESSAGE_NO_ACCESS where the actor may not see the message."""
    if actor.is_app:
        return
    receiver = parties.receiver
    if isinstance(receiver, GroupRecord):
        if not await tx.members(receiver.key, (actor.user.key,)):
            raise not_joined(actor.uid, receiver.guid)
    elif actor.uid not in (parties.sender.uid, receiver.uid):
        raise ChathooksError(
            "ERR_MESSAGE_NO_ACCESS", f"{actor.uid} neither sent nor got this message."
        )


async def views_of(
    tx: ChatTransaction,
    app: int,
    found: Sequence[Parties],
    viewer: int | None = None,
    shape: Shape = WHOLE,
) -> list[Shown]:
    """What is shown of the messages, with reactions and the users that they mention as they are now.

    `viewer` is the key of the user who looks, None for the app.
    """
    contents = [
        decode_content(parties.record.content) if _has_content(parties.record) else None
        for parties in found
    ]
    mentions = [[] if content is None else mentioned_uids(content.text) for content in contents]
    mentioned = await _mentioned(tx, app, {uid for each in mentions for uid in each}, viewer, shape)
    ids = [parties.record.id for parties in found]
    reactions = await tx.reaction_counts(ids, viewer)
    followed = {} if viewer is None else await tx.threads_followed(viewer, ids)
    shown = [
        shown_message(
            parties.record,
            message_view(
                parties.record,
                parties.sender,
                parties.receiver,
                {uid: mentioned[uid] for uid in each if uid in mentioned},
                reactions=reactions.get(parties.record.id),
            ),
        )
        for parties, each in zip(found, mentions, strict=True)
    ]
    if viewer is not None:
        shown = [
            _as_followed(view, parties.record, followed, viewer)
            for view, parties in zip(shown, found, strict=True)
        ]
    return shown if shape.tags else [msgspec.structs.replace(view, tags=None) for view in shown]


def _as_followed(
    view: Shown, record: MessageRecord, followed: dict[int, bool], viewer: int
) -> Shown:
    """The message with whether who looks follows its thread; who sent it does unless they left."""
    if record.parent is not None or record.category == "action" or isinstance(view, DeletedMessage):
        return view
    subscribed = followed.get(record.id, record.sender == viewer)
    return msgspec.structs.replace(view, thread_subscribed=subscribed)


async def _mentioned(
    tx: ChatTransaction, app: int, uids: set[str], viewer: int | None, shape: Shape
) -> dict[str, User]:
    """What stands under `data.mentions`, by uid."""
    users = await tx.users_by_uid(app, uids) if uids else {}
    if not (shape.mentions_blocked or shape.mentions_tags):
        return {uid: mentioned_user(user) for uid, user in users.items()}
    relations: dict[int, Relation] | None = None
    if shape.mentions_blocked and viewer is not None:
        relations = await tx.relations(viewer, [user.key for user in users.values()])
    return {
        uid: mentioned_answer(
            user,
            with_tags=shape.mentions_tags,
            relation=(
                None
                if relations is None or user.key == viewer
                else relations.get(user.key, Relation())
            ),
        )
        for uid, user in users.items()
    }


def _has_content(record: MessageRecord) -> bool:
    return record.category != "action" and record.deleted_at is None


async def _page(
    tx: ChatTransaction,
    app: int,
    places: Sequence[MessageFilter],
    window: Window,
    viewer: int | None,
    shape: Shape,
) -> MessagePage:
    after, before = 0, MESSAGE_ID_MAX
    if window.message_id is not None:
        after, before = (window.message_id, before) if window.append else (after, window.message_id)
    elif window.sent_at is not None:
        if window.append:
            after = await tx.last_message_sent_by(app, window.sent_at)
        else:
            before = await tx.last_message_sent_by(app, window.sent_at - 1) + 1
    if window.from_timestamp is not None:
        after = max(after, await tx.last_message_sent_by(app, window.from_timestamp - 1))
    if window.to_timestamp is not None:
        before = min(before, await tx.last_message_sent_by(app, window.to_timestamp) + 1)
    newest = not window.append
    places = [_as_seen(place, viewer) for place in places]
    reached = None
    if any(place.narrows for place in places):
        reached = await _horizon(tx, app, places, after, before, newest=newest)
        if reached is not None and newest:
            after = max(after, reached[0] - 1)
        elif reached is not None:
            before = min(before, reached[0] + 1)
    far = window.skip + window.limit
    found = {
        record.id: record
        for place in places
        for record in await tx.list_messages(app, place, after, before, far, newest=newest)
    }
    ids = sorted(found, reverse=newest)[window.skip : far]
    shown = await with_parties(tx, [found[key] for key in sorted(ids)])
    page = MessagePage(await views_of(tx, app, shown, viewer, shape))
    if len(page) < len(ids):
        # Some stand in groups that were just deleted: the list goes on behind the last one looked at.
        page.reached = (ids[-1], found[ids[-1]].sent_at)
    elif len(ids) < window.limit:
        page.reached = reached
    return page


def _as_seen(place: MessageFilter, viewer: int | None) -> MessageFilter:
    """`unblocked_by` speaks of whoever looks."""
    if place.unblocked_by is None:
        return place
    return msgspec.structs.replace(place, unblocked_by=viewer)


async def _horizon(
    tx: ChatTransaction,
    app: int,
    places: Sequence[MessageFilter],
    after: int,
    before: int,
    *,
    newest: bool,
) -> tuple[int, int] | None:
    """Where the scan of the places ends, so that a filter that rarely matches costs no more than that."""
    found = [
        horizon
        for place in places
        if (
            horizon := await tx.scan_horizon(
                app, place, after, before, MESSAGES_SCANNED_MAX, newest=newest
            )
        )
    ]
    if not found:
        return None
    return max(found) if newest else min(found)
