"""The `data` of every trigger: one Struct each, named after the trigger (`message_sent` → `MessageSent`).

Shapes are those of REST contract D2 with the decisions of delivery contract §5 and §7. What a producer builds
from these holds no unknown field; what a receiver decodes may, and they are ignored.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from chathooks_events.campaigns import Campaign, CampaignNotification, FeedItem, PushNotification
from chathooks_events.entities import (
    Call,
    Conversation,
    DeletedMessage,
    Group,
    MemberWithNewScope,
    Message,
    Reaction,
    User,
)
from chathooks_events.moderation import (
    ContentType,
    EngineFailure,
    ModeratedResource,
    ModerationMatch,
)
from chathooks_events.receipts import (
    DeliveredToAllBody,
    DeliveryReceiptBody,
    GroupReceipt,
    ReadByAllBody,
    ReadReceiptBody,
    Receipt,
)
from chathooks_events.sessions import InitialConfig, LeftOccupant, Occupant
from chathooks_events.wire import (
    IsoDateTime,
    UnixMilliseconds,
    UnixSeconds,
    Url,
    Wire,
)

# --- messages -----------------------------------------------------------------------------------------------


class MessageSent(Wire, frozen=True, kw_only=True):
    """The message as it was stored, with sender and receiver under `data.entities`."""

    message: Message


class MessageEdited(Wire, frozen=True, kw_only=True):
    """The message itself after the edit, under its own id, with `editedAt` and `editedBy`."""

    message: Message


class MessageDeleted(Wire, frozen=True, kw_only=True):
    """The message itself without its text, under its own id, with `deletedAt` and `deletedBy`."""

    message: DeletedMessage


class UserMentioned(Wire, frozen=True, kw_only=True):
    """The message that mentions; who is mentioned stands under `data.mentions`, by uid."""

    message: Message


class MessageReactionAdded(Wire, frozen=True, kw_only=True):
    """The reaction that was added."""

    reaction: Reaction


class MessageReactionRemoved(Wire, frozen=True, kw_only=True):
    """The reaction that was removed."""

    reaction: Reaction


class MessageDeliveryReceipt(Receipt, frozen=True, kw_only=True):
    """A delivery receipt; it covers all earlier messages of the conversation too."""

    body: DeliveryReceiptBody


class MessageReadReceipt(Receipt, frozen=True, kw_only=True):
    """A read receipt; it covers all earlier messages of the conversation too."""

    body: ReadReceiptBody


class MessageDeliveredToAll(GroupReceipt, frozen=True, kw_only=True):
    """The last outstanding delivery receipt of a group message has come."""

    body: DeliveredToAllBody


class MessageReadByAll(GroupReceipt, frozen=True, kw_only=True):
    """The last outstanding read receipt of a group message has come."""

    body: ReadByAllBody


class MessagePinned(Wire, frozen=True, kw_only=True):
    """The message after the change, and who changed it."""

    message: Message
    by: User


class MessageUnpinned(Wire, frozen=True, kw_only=True):
    """The message after the change, and who changed it."""

    message: Message
    by: User


class ConversationPinned(Wire, frozen=True, kw_only=True):
    """The conversation after the change, and who changed it."""

    conversation: Conversation
    by: User


class ConversationUnpinned(Wire, frozen=True, kw_only=True):
    """The conversation after the change, and who changed it."""

    conversation: Conversation
    by: User


# --- users --------------------------------------------------------------------------------------------------


class UserBlocked(Wire, frozen=True, kw_only=True):
    """The users who are now blocked, by uid, and who blocks them."""

    users: Mapping[str, User]
    by: User


class UserUnblocked(Wire, frozen=True, kw_only=True):
    """The users who are no longer blocked, by uid, and who blocked them."""

    users: Mapping[str, User]
    by: User


class CurrentConnection(Wire, frozen=True, kw_only=True):
    """The connection that came or went. `connectedAt` is in milliseconds."""

    action: Literal["connected", "disconnected"]
    platform: str
    connected_at: UnixMilliseconds


class UserConnectionStatusChanged(Wire, frozen=True, kw_only=True):
    """A connection came or went; `userPresenceChanged` says whether the user's presence changed with it."""

    timestamp: UnixMilliseconds
    user: User
    status: Literal["online", "offline"]
    current_connection: CurrentConnection
    user_presence_changed: bool


# --- groups -------------------------------------------------------------------------------------------------


class GroupCreated(Wire, frozen=True, kw_only=True):
    """The new group and its first members, by uid."""

    group: Group
    members: Mapping[str, User]


class GroupUpdated(Wire, frozen=True, kw_only=True):
    """The group after the change."""

    group: Group


class GroupDeleted(Wire, frozen=True, kw_only=True):
    """The group as it last was."""

    group: Group


class GroupOwnerTransferred(Wire, frozen=True, kw_only=True):
    """The group with its new owner, and the previous one under `oldOwner`."""

    group: Group


class GroupMembersChanged(Wire, frozen=True, kw_only=True):
    """What the member events share: the group, the members concerned by uid, and who did it."""

    group: Group
    members: Mapping[str, User]
    by: User


class GroupMemberAdded(GroupMembersChanged, frozen=True, kw_only=True):
    """The members who were added."""


class GroupMemberRemoved(GroupMembersChanged, frozen=True, kw_only=True):
    """The member whose membership the app ended; `by` is the built-in user `app_system`."""


class GroupMemberKicked(GroupMembersChanged, frozen=True, kw_only=True):
    """The member who was kicked."""


class GroupMemberBanned(GroupMembersChanged, frozen=True, kw_only=True):
    """The user who was banned."""


class GroupMemberUnbanned(GroupMembersChanged, frozen=True, kw_only=True):
    """The user whose ban was lifted."""


class GroupMemberScopeChanged(Wire, frozen=True, kw_only=True):
    """The member with new and old scope."""

    group: Group
    members: Mapping[str, MemberWithNewScope]
    by: User


class GroupMemberJoined(Wire, frozen=True, kw_only=True):
    """The group and the user who joined it."""

    group: Group
    members: Mapping[str, User]


class GroupMemberLeft(Wire, frozen=True, kw_only=True):
    """The group and the user who left it."""

    group: Group
    members: Mapping[str, User]


# --- calls and meetings -------------------------------------------------------------------------------------


class CallInitiated(Wire, frozen=True, kw_only=True):
    """The call that rings now."""

    call: Call


class CallBusy(Wire, frozen=True, kw_only=True):
    """The call that met a busy recipient; its `sender` is the recipient."""

    call: Call


class CallCancelled(Wire, frozen=True, kw_only=True):
    """The call that its initiator gave up."""

    call: Call


class CallRejected(Wire, frozen=True, kw_only=True):
    """The call that was rejected; its `sender` is the recipient who rejected it."""

    call: Call


class CallUnanswered(Wire, frozen=True, kw_only=True):
    """The call that nobody took in time."""

    call: Call


class SessionStarted(Wire, frozen=True, kw_only=True):
    """A session and when it began (unix seconds)."""

    created_at: UnixSeconds = msgspec.field(name="created_at")
    session_id: str


class CallStarted(SessionStarted, frozen=True, kw_only=True):
    """The session of a call has begun."""


class MeetingStarted(SessionStarted, frozen=True, kw_only=True):
    """The session of a meeting has begun."""


class SessionParticipantJoined(Wire, frozen=True, kw_only=True):
    """Who joined which session, and how the client joined."""

    occupant: Occupant
    initial_config: InitialConfig = msgspec.field(name="initial_config")
    session_id: str


class CallParticipantJoined(SessionParticipantJoined, frozen=True, kw_only=True):
    """A participant has joined a call."""


class MeetingParticipantJoined(SessionParticipantJoined, frozen=True, kw_only=True):
    """A participant has joined a meeting."""


class SessionParticipantLeft(Wire, frozen=True, kw_only=True):
    """Who left which session."""

    occupant: LeftOccupant
    session_id: str


class CallParticipantLeft(SessionParticipantLeft, frozen=True, kw_only=True):
    """A participant has left a call."""


class MeetingParticipantLeft(SessionParticipantLeft, frozen=True, kw_only=True):
    """A participant has left a meeting."""


class SessionEnded(Wire, frozen=True, kw_only=True):
    """A session with all who ever were in it, and its begin and end (unix seconds)."""

    all_occupants: Sequence[Occupant] = msgspec.field(name="all_occupants")
    destroyed_at: UnixSeconds = msgspec.field(name="destroyed_at")
    created_at: UnixSeconds = msgspec.field(name="created_at")
    session_id: str


class CallEnded(SessionEnded, frozen=True, kw_only=True):
    """The session of a call is over."""


class MeetingEnded(SessionEnded, frozen=True, kw_only=True):
    """The session of a meeting is over."""


class RecordingGenerated(Wire, frozen=True, kw_only=True):
    """The recording of a session. `duration` and `startTime` are strings, the latter unix seconds."""

    recording_date: str
    duration: str
    start_time: str
    session_id: str
    recording_url: Url = msgspec.field(name="recording_url")


class TranscriptionGenerated(Wire, frozen=True, kw_only=True):
    """The transcript of a session; `tid` is its id."""

    session_id: str
    tid: str
    transcript_date: IsoDateTime
    transcript_url: Url = msgspec.field(name="transcript_url")
    start_time: UnixSeconds
    end_time: UnixSeconds


# --- moderation ---------------------------------------------------------------------------------------------


class ModerationEngineApproved(Wire, frozen=True, kw_only=True):
    """The message that passed, with `data.moderation.status`."""

    message: Message


class ModerationEngineBlocked(Wire, frozen=True, kw_only=True):
    """The message that was blocked, and the rules that blocked it."""

    message: Message
    moderation: Sequence[ModerationMatch] | None = None


class ModerationManualApproved(Wire, frozen=True, kw_only=True):
    """The blocked message that a person approved, and what had blocked it."""

    message: Message
    moderation: Sequence[ModerationMatch]
    reviewed: bool


class ModerationEngineFailed(Wire, frozen=True, kw_only=True):
    """What an engine could not judge, how the message came out, and every failure on the way."""

    resource: ModeratedResource
    content_type: ContentType
    outcome: Literal["approved", "disapproved"]
    completed_at: UnixSeconds
    failures: Sequence[EngineFailure]


# --- campaigns ----------------------------------------------------------------------------------------------


class AfterCampaignCompleted(Campaign, frozen=True, kw_only=True):
    """The campaign after its last message."""


class AfterCampaignFailed(Campaign, frozen=True, kw_only=True):
    """The campaign after it failed."""


class AfterNotificationCreated(CampaignNotification, frozen=True, kw_only=True):
    """The notification that is being dispatched."""


class AfterFeedItemSent(FeedItem, frozen=True, kw_only=True):
    """The feed item with its content."""

    status: Literal["sent"]


class AfterFeedItemDelivered(FeedItem, frozen=True, kw_only=True):
    """The feed item after delivery."""

    status: Literal["delivered"]


class AfterFeedItemRead(FeedItem, frozen=True, kw_only=True):
    """The feed item after it was read."""

    status: Literal["read"]


class AfterFeedItemInteracted(FeedItem, frozen=True, kw_only=True):
    """The feed item after its receiver used one of its elements (`interactedAt`)."""

    status: Literal["sent", "delivered", "read"]
    interacted_at: UnixSeconds


class AfterPushNotificationSent(PushNotification, frozen=True, kw_only=True):
    """The push notification after it was handed to the provider."""

    status: Literal["sent"]


class AfterPushNotificationDelivered(PushNotification, frozen=True, kw_only=True):
    """The push notification after delivery."""

    status: Literal["delivered"]


class AfterPushNotificationClicked(PushNotification, frozen=True, kw_only=True):
    """The push notification after its receiver opened it."""

    status: Literal["clicked"]
