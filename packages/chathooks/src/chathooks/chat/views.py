"""From stored records to the objects that answers and events share (`chathooks_events.entities`)."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from chathooks.chat.fields import whole_metadata
from chathooks.chat.store import (
    BanRecord,
    GroupRecord,
    MemberRecord,
    MessageRecord,
    Relation,
    UserRecord,
)
from chathooks_events.entities import (
    DeletedMessage,
    Entities,
    Group,
    GroupEntity,
    Member,
    MemberWithNewScope,
    Message,
    MessageData,
    ReactionCount,
    Scope,
    User,
    UserEntity,
)
from chathooks_events.wire import JsonObject, stored_json

APP_SYSTEM = "app_system"
"""The built-in user who acts where nobody is named (rest-api.md A2)."""
SYSTEM = User(uid=APP_SYSTEM, name="System", role="default", status="offline")

OFFLINE = "offline"
"""Status of every user while no client is connected."""

_decode_content = msgspec.json.Decoder(MessageData).decode


def user_conversation_id(uid: str, other_uid: str) -> str:
    """`a_user_b` with the uids sorted (rest-api.md C0); for display only (delivery contract §7)."""
    return f"{uid}_user_{other_uid}" if uid < other_uid else f"{other_uid}_user_{uid}"


def group_conversation_id(guid: str) -> str:
    """`group_<guid>` (rest-api.md C0)."""
    return f"group_{guid}"


def _json(text: str | None) -> JsonObject | None:
    return None if text is None else stored_json(text)


def _tags(text: str | None) -> Sequence[str] | None:
    return None if text is None else cast("Sequence[str]", msgspec.Raw(text.encode()))


def user_entity(user: UserRecord, conversation_id: str | None = None) -> User:
    """A user as others see them: in messages and events. Without tags and private metadata."""
    return User(
        uid=user.uid,
        name=user.name,
        avatar=user.avatar,
        link=user.link,
        role=user.role,
        status=OFFLINE,
        status_message=user.status_message,
        metadata=_json(user.metadata),
        created_at=user.created_at,
        updated_at=user.updated_at,
        deactivated_at=user.deactivated_at,
        conversation_id=conversation_id,
    )


def user_answer(
    user: UserRecord,
    *,
    seen_by: str | None = None,
    with_tags: bool = True,
    relation: Relation | None = None,
) -> User:
    """A user as the users API shows them; `seen_by` adds the conversation of the two.

    `relation` adds who of the two blocks the other.
    """
    conversation = None if seen_by in (None, user.uid) else user_conversation_id(seen_by, user.uid)
    metadata = user.metadata
    if seen_by is None or seen_by == user.uid:
        metadata = whole_metadata(metadata, user.private_metadata)
    return msgspec.structs.replace(
        user_entity(user, conversation),
        metadata=_json(metadata),
        tags=_tags(user.tags) if with_tags else None,
        blocked_by_me=None if relation is None else relation.blocked_by_me_at is not None,
        blocked_by_me_at=None if relation is None else relation.blocked_by_me_at,
        has_blocked_me=None if relation is None else relation.blocked_at is not None,
        blocked_at=None if relation is None else relation.blocked_at,
    )


def mentioned_user(user: UserRecord) -> User:
    """A user under `data.mentions`: no more than it takes to show the name."""
    return User(uid=user.uid, name=user.name, avatar=user.avatar, role=user.role, status=OFFLINE)


def mentioned_answer(
    user: UserRecord, *, with_tags: bool = False, relation: Relation | None = None
) -> User:
    """A user under `data.mentions` of a list that tells more of them: tags, who of the two blocks the other."""
    return msgspec.structs.replace(
        mentioned_user(user),
        tags=_tags(user.tags) if with_tags else None,
        blocked_by_me=None if relation is None else relation.blocked_by_me_at is not None,
        blocked_by_me_at=None if relation is None else relation.blocked_by_me_at,
        has_blocked_me=None if relation is None else relation.blocked_at is not None,
        blocked_at=None if relation is None else relation.blocked_at,
    )


def group_member(user: UserRecord, guid: str) -> User:
    """A member under `data.members` of a group event."""
    return user_entity(user, group_conversation_id(guid))


def member_with_new_scope(
    user: UserRecord, guid: str, scope: Scope, old_scope: Scope
) -> MemberWithNewScope:
    """A member under `data.members` of group_member_scope_changed."""
    shown = group_member(user, guid)
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return MemberWithNewScope(**fields, scope=scope, old_scope=old_scope)


def member_answer(user: UserRecord, member: MemberRecord) -> Member:
    """A member as the members API shows them."""
    shown = user_entity(user)
    fields: dict[str, Any] = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return Member(**fields, scope=member.scope, joined_at=member.joined_at)


def banned_answer(user: UserRecord, ban: BanRecord) -> Member:
    """A banned user as the list of a group's bans shows them."""
    shown = user_entity(user)
    fields: dict[str, Any] = {name: getattr(shown, name) for name in shown.__struct_fields__}
    return Member(**fields, scope=ban.scope, is_banned=True, banned_at=ban.banned_at)


def group_entity(group: GroupRecord, *, online: bool = False) -> Group:
    """A group as messages and events show it; `online` adds the count of members online."""
    return Group(
        guid=group.guid,
        name=group.name,
        type=group.type,
        description=group.description,
        icon=group.icon,
        owner=group.owner,
        members_count=group.members_count,
        online_members_count=0 if online else None,
        conversation_id=group_conversation_id(group.guid),
        metadata=_json(group.metadata),
        created_at=group.created_at,
        updated_at=group.updated_at,
        updated_by=group.updated_by,
    )


def group_answer(
    group: GroupRecord,
    member: MemberRecord | None = None,
    *,
    seen: bool = False,
    with_tags: bool = True,
) -> Group:
    """A group as the groups API shows it; `seen` says whether `hasJoined` and the scope are told."""
    return msgspec.structs.replace(
        group_entity(group),
        tags=_tags(group.tags) if with_tags else None,
        has_joined=(member is not None) if seen else None,
        scope=None if member is None else member.scope,
        joined_at=None if member is None else member.joined_at,
    )


def message_view(
    message: MessageRecord,
    sender: UserRecord,
    receiver: UserRecord | GroupRecord,
    mentions: Mapping[str, User] | None = None,
    content: MessageData | None = None,
    reactions: Sequence[ReactionCount] | None = None,
) -> Message:
    """A message with its entities; of a deleted one's content only these.

    `content` is `message.content` where the caller has it decoded.
    """
    sender_entity = UserEntity(entity=user_entity(sender))
    if isinstance(receiver, UserRecord):
        conversation_id = user_conversation_id(sender.uid, receiver.uid)
        entities = Entities(
            sender=sender_entity,
            receiver=UserEntity(entity=user_entity(receiver, conversation_id)),
        )
        receiver_id = receiver.uid
    else:
        conversation_id = group_conversation_id(receiver.guid)
        entities = Entities(
            sender=sender_entity, receiver=GroupEntity(entity=group_entity(receiver))
        )
        receiver_id = receiver.guid
    if message.category == "action":
        data = cast(MessageData, msgspec.Raw(message.content.encode()))
    elif message.deleted_at is not None:
        data = MessageData(entities=entities)
    else:
        data = msgspec.structs.replace(
            _decode_content(message.content) if content is None else content,
            entities=entities,
            mentions=mentions or None,
            reactions=reactions,
        )
    return Message(
        id=str(message.id),
        muid=message.muid,
        conversation_id=conversation_id,
        sender=sender.uid,
        receiver_type="user" if message.group_key is None else "group",
        receiver=receiver_id,
        category=message.category,
        type=message.type,
        data=data,
        sent_at=message.sent_at,
        updated_at=message.updated_at,
        edited_at=message.edited_at,
        edited_by=message.edited_by,
        tags=_tags(message.tags),
        parent_id=None if message.parent is None else str(message.parent),
        reply_count=message.reply_count or None,
    )


def shown_message(message: MessageRecord, view: Message) -> Message | DeletedMessage:
    """The view in the form that tells whether the message was deleted (delivery contract §5)."""
    if message.deleted_at is None or message.deleted_by is None:
        return view
    return DeletedMessage.of(view, deleted_at=message.deleted_at, deleted_by=message.deleted_by)
