"""The objects that events and REST answers share: users, groups, messages, conversations, calls.

Field names are those of the REST contract, section C0. Times are unix seconds, ids are strings. A field without
a value is left out of the JSON; `None` here means just that.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from chathooks_events.wire import (
    Count,
    JsonObject,
    ReceiverType,
    UnixSeconds,
    UrlReference,
    Wire,
)

Scope: TypeAlias = Literal["admin", "moderator", "participant"]
GroupType: TypeAlias = Literal["public", "private", "password"]
ModerationStatus: TypeAlias = Literal["pending", "approved", "disapproved", "flagged"]


class User(Wire, frozen=True, kw_only=True):
    """A user. The relation fields (`blockedByMe`, …) are set only when somebody looks at the user."""

    uid: str
    name: str
    avatar: str | None = None
    link: str | None = None
    role: str | None = None
    status: str | None = None
    status_message: str | None = None
    metadata: JsonObject | None = None
    tags: Sequence[str] | None = None
    created_at: UnixSeconds | None = None
    updated_at: UnixSeconds | None = None
    last_active_at: UnixSeconds | None = None
    deactivated_at: UnixSeconds | None = None
    conversation_id: str | None = None
    blocked_by_me: bool | None = None
    blocked_by_me_at: UnixSeconds | None = None
    has_blocked_me: bool | None = None
    blocked_at: UnixSeconds | None = None


class Member(User, frozen=True, kw_only=True):
    """A user as member of a group, or as banned from it (`isBanned`, `bannedAt`)."""

    scope: Scope | None = None
    joined_at: UnixSeconds | None = None
    is_banned: bool | None = None
    banned_at: UnixSeconds | None = None


class MemberWithNewScope(User, frozen=True, kw_only=True):
    """A member whose scope has changed, with the scope before and after."""

    scope: Scope
    old_scope: Scope


class Group(Wire, frozen=True, kw_only=True):
    """A group. `hasJoined`, `scope` and `joinedAt` speak of the user who looks at it."""

    guid: str
    name: str
    type: GroupType
    description: str | None = None
    icon: str | None = None
    owner: str | None = None
    old_owner: str | None = None
    scope: Scope | None = None
    members_count: Count | None = None
    online_members_count: Count | None = None
    conversation_id: str | None = None
    metadata: JsonObject | None = None
    tags: Sequence[str] | None = None
    has_joined: bool | None = None
    joined_at: UnixSeconds | None = None
    is_banned: bool | None = None
    created_at: UnixSeconds | None = None
    updated_at: UnixSeconds | None = None
    updated_by: str | None = None


class Attachment(Wire, frozen=True, kw_only=True):
    """A file of a message. `size` is in bytes."""

    url: UrlReference
    name: str | None = None
    mime_type: str | None = None
    extension: str | None = None
    size: Count | None = None


class ReactionCount(Wire, frozen=True, kw_only=True):
    """How often a message got one reaction."""

    reaction: str
    count: Count
    reacted_by_me: bool | None = None


class Reaction(Wire, frozen=True, kw_only=True):
    """One user's reaction to a message."""

    id: str
    message_id: str
    reaction: str
    uid: str
    reacted_at: UnixSeconds
    reacted_by: User


class RuleReference(Wire, frozen=True, kw_only=True):
    """The moderation rule that decided."""

    id: str


class MessageModeration(Wire, frozen=True, kw_only=True):
    """What moderation says of a message; `rule` where a rule refused it."""

    status: ModerationStatus
    rule: RuleReference | None = None


class UserEntity(Wire, frozen=True, kw_only=True, tag="user", tag_field="entityType"):
    """A user in a role of `entities`."""

    entity: User


class GroupEntity(Wire, frozen=True, kw_only=True, tag="group", tag_field="entityType"):
    """A group in a role of `entities`."""

    entity: Group


class MessageEntity(Wire, frozen=True, kw_only=True, tag="message", tag_field="entityType"):
    """A message in a role of `entities`: what an action message is about."""

    entity: "Message"


class CallEntity(Wire, frozen=True, kw_only=True, tag="call", tag_field="entityType"):
    """A call session in a role of `entities`."""

    entity: "CallSession"


Entity: TypeAlias = UserEntity | GroupEntity | MessageEntity | CallEntity


class Entities(Wire, frozen=True, kw_only=True):
    """Who and what a message involves. Actions and calls use `by`, `on` and `for`, the others sender and receiver."""

    sender: Entity | None = None
    receiver: Entity | None = None
    by: Entity | None = None
    on: Entity | None = None
    for_: Entity | None = msgspec.field(default=None, name="for")


class MessageData(Wire, frozen=True, kw_only=True):
    """The content of a message. Which fields are set depends on the message's category and type."""

    text: str | None = None
    url: UrlReference | None = None
    attachments: Sequence[Attachment] | None = None
    metadata: JsonObject | None = None
    resource: str | None = None
    custom_data: JsonObject | None = None
    sub_type: str | None = None
    interactive_data: JsonObject | None = None
    interaction_goal: JsonObject | None = None
    allow_sender_interaction: bool | None = None
    action: str | None = None
    extras: JsonObject | None = None
    entities: Entities | None = None
    mentions: Mapping[str, User] | None = None
    reactions: Sequence[ReactionCount] | None = None
    moderation: MessageModeration | None = None


class MyReceipt(Wire, frozen=True, kw_only=True):
    """When the user who looks at a message got and read it."""

    delivered_at: UnixSeconds | None = None
    read_at: UnixSeconds | None = None


class Message(Wire, frozen=True, kw_only=True):
    """A message; `id` is a decimal number as string and grows with time."""

    id: str
    muid: str | None = None
    conversation_id: str
    sender: str
    receiver_type: ReceiverType
    receiver: str
    category: str
    type: str
    data: MessageData
    sent_at: UnixSeconds
    updated_at: UnixSeconds
    parent_id: str | None = None
    reply_count: Count | None = None
    edited_at: UnixSeconds | None = None
    edited_by: str | None = None
    deleted_at: UnixSeconds | None = None
    deleted_by: str | None = None
    delivered_at: UnixSeconds | None = None
    read_at: UnixSeconds | None = None
    tags: Sequence[str] | None = None
    pinned_at: UnixSeconds | None = None
    pinned_by: str | None = None
    saved_at: UnixSeconds | None = None
    thread_subscribed: bool | None = None
    my_receipt: MyReceipt | None = None
    quoted_message_id: str | None = None
    quoted_message: "Message | None" = None


class DeletedMessage(Wire, frozen=True, kw_only=True):
    """A message after its deletion: no text. A permanent deletion leaves the required fields alone."""

    id: str
    muid: str | None = None
    conversation_id: str
    sender: str
    receiver_type: ReceiverType | None = None
    receiver: str
    category: str | None = None
    type: str | None = None
    data: MessageData | None = None
    sent_at: UnixSeconds | None = None
    updated_at: UnixSeconds | None = None
    parent_id: str | None = None
    reply_count: Count | None = None
    edited_at: UnixSeconds | None = None
    edited_by: str | None = None
    deleted_at: UnixSeconds
    deleted_by: str
    tags: Sequence[str] | None = None

    @classmethod
    def of(cls, message: Message, *, deleted_at: int, deleted_by: str) -> "DeletedMessage":
        """The soft-deleted form of `message`: of its content only the entities stay (delivery contract §5).

        `deleted_at` is in unix seconds, `deleted_by` a uid.
        """
        return cls(
            id=message.id,
            muid=message.muid,
            conversation_id=message.conversation_id,
            sender=message.sender,
            receiver_type=message.receiver_type,
            receiver=message.receiver,
            category=message.category,
            type=message.type,
            data=MessageData(entities=message.data.entities),
            sent_at=message.sent_at,
            updated_at=deleted_at,
            parent_id=message.parent_id,
            reply_count=message.reply_count,
            edited_at=message.edited_at,
            edited_by=message.edited_by,
            deleted_at=deleted_at,
            deleted_by=deleted_by,
            tags=message.tags,
        )


class ConversationState(Wire, frozen=True, kw_only=True):
    """What conversations with a user and in a group share. `unreadMessageCount` is a decimal number as string."""

    conversation_id: str
    unread_message_count: str | None = None
    unread_mentions_count: Count | None = None
    last_read_message_id: str | None = None
    latest_message_id: str | None = None
    last_message: Message | None = None
    tags: Sequence[str] | None = None
    created_at: UnixSeconds | None = None
    updated_at: UnixSeconds | None = None
    pinned_at: UnixSeconds | None = None
    pinned_by: str | None = None


class UserConversation(
    ConversationState, frozen=True, kw_only=True, tag="user", tag_field="conversationType"
):
    """A conversation with a user, as one of the two sees it."""

    conversation_with: User


class GroupConversation(
    ConversationState, frozen=True, kw_only=True, tag="group", tag_field="conversationType"
):
    """A conversation in a group, as a member sees it."""

    conversation_with: Group


Conversation: TypeAlias = UserConversation | GroupConversation


class CallSession(Wire, frozen=True, kw_only=True):
    """A ringing or running call, as `data.entities.on.entity` of a call message (`sessionid` is the wire name)."""

    sessionid: str
    status: str
    type: str | None = None
    conversation_id: str | None = None
    sender: str | None = None
    receiver: str | None = None
    receiver_type: ReceiverType | None = None
    initiated_at: UnixSeconds | None = None
    started_at: UnixSeconds | None = None
    joined_at: UnixSeconds | None = None
    left_at: UnixSeconds | None = None
    ended_at: UnixSeconds | None = None
    data: MessageData | None = None
    ws_channel: dict[str, Any] | None = None


class CallData(Wire, frozen=True, kw_only=True):
    """The content of a call message; `action` is the state that the call is in now."""

    action: str
    entities: Entities | None = None
    metadata: JsonObject | None = None


class Call(Wire, frozen=True, kw_only=True):
    """A call as the message that tells of it. `sender` is who acted."""

    id: str
    muid: str | None = None
    conversation_id: str
    sender: str
    receiver_type: ReceiverType
    receiver: str
    category: Literal["call"]
    type: Literal["audio", "video"]
    data: CallData
    sent_at: UnixSeconds
    updated_at: UnixSeconds
