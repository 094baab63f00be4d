"""The catalog: every trigger with its number, category, payload type and dedupe key (delivery contract §5).

The catalog is closed: producers can emit nothing that is not listed here. Receivers meet newer catalogs, so
`chathooks_events.envelope.decode_body` lets unknown triggers pass.
"""

from collections.abc import Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import msgspec

from chathooks_events import payloads as p
from chathooks_events.errors import UnknownTrigger
from chathooks_events.schemas import body_schema
from chathooks_events.trigger import Category, SessionType, Trigger

__all__ = [
    "TRIGGERS",
    "Category",
    "SessionType",
    "Trigger",
    "schema",
    "session_types",
    "trigger_by_name",
    "trigger_by_number",
]


def _row(
    number: int,
    name: str,
    data_type: type[msgspec.Struct],
    description: str,
    dedupe_key: tuple[str, ...],
    *,
    category: Category,
    session_type: SessionType | None = None,
    core: bool = True,
) -> Trigger:
    return Trigger(
        number=number,
        name=name,
        category=category,
        description=description,
        data_type=data_type,
        session_type=session_type,
        dedupe_key=("webhook", "trigger", *dedupe_key),
        core=core,
    )


_message = partial(_row, category="message")
_user = partial(_row, category="user")
_group = partial(_row, category="group")
_call = partial(_row, category="call")
_call_session = partial(_row, category="call", session_type="call")
_meeting_session = partial(_row, category="meeting", session_type="meet")
_moderation = partial(_row, category="moderation")
_campaign = partial(_row, category="campaign")

_MESSAGE = ("data.message.id",)
_MESSAGE_EDIT = ("data.message.id", "data.message.editedAt")
_RECEIPT = ("data.sender", "data.body.messageId", "data.body.timestamp")
_REACTION = ("data.reaction.id", "data.reaction.reactedAt")
_GROUP_MEMBERS = (
    "data.group.guid",
    "data.members.*.uid",
    "data.group.updatedAt",
    "data.group.membersCount",
)
_CALL = ("data.call.id", "data.call.sentAt")
_SESSION_BEGIN = ("data.sessionId", "data.created_at")
_SESSION_END = ("data.sessionId", "data.destroyed_at")
_SESSION_JOIN = ("data.sessionId", "data.occupant.joined_at")
_SESSION_LEAVE = ("data.sessionId", "data.occupant.left_at")
_BLOCK = ("data.by.uid", "data.users.*.uid", "data.users.*.blockedAt")
_GROUP_LIFE = ("data.group.guid", "data.group.createdAt")
_GROUP_RECEIPT = ("data.receiver", "data.body.messageId")
_FEED_ITEM = ("data.id",)
_PUSH = ("data.pushNotificationId",)

_ALL: tuple[Trigger, ...] = (
    _message(1, "message_sent", p.MessageSent, "A message was sent.", _MESSAGE),
    _message(2, "message_edited", p.MessageEdited, "A message was edited.", _MESSAGE_EDIT),
    _message(
        3,
        "message_deleted",
        p.MessageDeleted,
        "A message was deleted.",
        ("data.message.id", "data.message.deletedAt"),
    ),
    _message(
        4,
        "message_delivery_receipt",
        p.MessageDeliveryReceipt,
        "A message was delivered to a recipient's client.",
        _RECEIPT,
    ),
    _message(
        5,
        "message_read_receipt",
        p.MessageReadReceipt,
        "A message was read by a recipient.",
        _RECEIPT,
    ),
    _message(
        6,
        "message_reaction_added",
        p.MessageReactionAdded,
        "A user reacted to a message.",
        _REACTION,
    ),
    _message(
        7,
        "message_reaction_removed",
        p.MessageReactionRemoved,
        "A user took a reaction to a message back.",
        _REACTION,
    ),
    _message(
        8, "user_mentioned", p.UserMentioned, "A message mentions one or more users.", _MESSAGE
    ),
    _user(9, "user_blocked", p.UserBlocked, "A user blocked other users.", _BLOCK),
    _user(10, "user_unblocked", p.UserUnblocked, "A user unblocked other users.", _BLOCK),
    _user(
        11,
        "user_connection_status_changed",
        p.UserConnectionStatusChanged,
        "A user connected or disconnected.",
        (
            "data.user.uid",
            "data.currentConnection.action",
            "data.currentConnection.connectedAt",
            "data.timestamp",
        ),
    ),
    _group(12, "group_created", p.GroupCreated, "A group was created.", _GROUP_LIFE),
    _group(
        13,
        "group_updated",
        p.GroupUpdated,
        "The details of a group changed.",
        ("data.group.guid", "data.group.updatedAt"),
    ),
    _group(14, "group_deleted", p.GroupDeleted, "A group was deleted.", _GROUP_LIFE),
    _group(
        15,
        "group_member_added",
        p.GroupMemberAdded,
        "Members were added to a group.",
        _GROUP_MEMBERS,
    ),
    _group(
        16,
        "group_member_removed",
        p.GroupMemberRemoved,
        "The app ended a user's membership of a group.",
        _GROUP_MEMBERS,
    ),
    _group(
        17,
        "group_member_banned",
        p.GroupMemberBanned,
        "A user was banned from a group.",
        _GROUP_MEMBERS,
    ),
    _group(
        18,
        "group_member_unbanned",
        p.GroupMemberUnbanned,
        "A user's ban from a group was lifted.",
        _GROUP_MEMBERS,
    ),
    _group(
        19, "group_member_joined", p.GroupMemberJoined, "A user joined a group.", _GROUP_MEMBERS
    ),
    _group(20, "group_member_left", p.GroupMemberLeft, "A user left a group.", _GROUP_MEMBERS),
    _group(
        21,
        "group_member_kicked",
        p.GroupMemberKicked,
        "A member was kicked from a group.",
        _GROUP_MEMBERS,
    ),
    _group(
        22,
        "group_member_scope_changed",
        p.GroupMemberScopeChanged,
        "The scope of a member of a group changed.",
        (
            "data.group.guid",
            "data.members.*.uid",
            "data.members.*.oldScope",
            "data.members.*.scope",
            "data.group.updatedAt",
        ),
    ),
    _group(
        23,
        "group_owner_transferred",
        p.GroupOwnerTransferred,
        "A group got a new owner.",
        ("data.group.guid", "data.group.oldOwner", "data.group.owner", "data.group.updatedAt"),
    ),
    _call(24, "call_initiated", p.CallInitiated, "A call was initiated and rings.", _CALL),
    _call_session(
        25, "call_started", p.CallStarted, "The session of a call began.", _SESSION_BEGIN
    ),
    _call_session(26, "call_ended", p.CallEnded, "The session of a call ended.", _SESSION_END),
    _call_session(
        27,
        "call_participant_joined",
        p.CallParticipantJoined,
        "A participant joined a call.",
        _SESSION_JOIN,
    ),
    _call_session(
        28,
        "call_participant_left",
        p.CallParticipantLeft,
        "A participant left a call.",
        _SESSION_LEAVE,
    ),
    _call(
        29,
        "call_busy",
        p.CallBusy,
        "A one-to-one call could not be connected because the recipient is on another call.",
        _CALL,
    ),
    _call(
        30, "call_cancelled", p.CallCancelled, "A call was cancelled before it was taken.", _CALL
    ),
    _call(
        31,
        "call_rejected",
        p.CallRejected,
        "A one-to-one call was rejected by its recipient.",
        _CALL,
    ),
    _call(32, "call_unanswered", p.CallUnanswered, "A call was not answered in time.", _CALL),
    _meeting_session(
        33, "meeting_started", p.MeetingStarted, "The session of a meeting began.", _SESSION_BEGIN
    ),
    _meeting_session(
        34, "meeting_ended", p.MeetingEnded, "The session of a meeting ended.", _SESSION_END
    ),
    _meeting_session(
        35,
        "meeting_participant_joined",
        p.MeetingParticipantJoined,
        "A participant joined a meeting.",
        _SESSION_JOIN,
    ),
    _meeting_session(
        36,
        "meeting_participant_left",
        p.MeetingParticipantLeft,
        "A participant left a meeting.",
        _SESSION_LEAVE,
    ),
    _meeting_session(
        37,
        "recording_generated",
        p.RecordingGenerated,
        "The recording of a call or meeting is ready.",
        ("data.sessionId", "data.startTime"),
    ),
    _moderation(
        38,
        "moderation_engine_approved",
        p.ModerationEngineApproved,
        "The moderation engine approved a message.",
        _MESSAGE_EDIT,
    ),
    _moderation(
        39,
        "moderation_engine_blocked",
        p.ModerationEngineBlocked,
        "The moderation engine blocked a message.",
        _MESSAGE_EDIT,
    ),
    _moderation(
        40,
        "moderation_manual_approved",
        p.ModerationManualApproved,
        "A person approved a message that had been blocked.",
        _MESSAGE_EDIT,
    ),
    _message(
        41,
        "message_delivered_to_all",
        p.MessageDeliveredToAll,
        "A group message was delivered to every member.",
        _GROUP_RECEIPT,
        core=False,
    ),
    _message(
        42,
        "message_read_by_all",
        p.MessageReadByAll,
        "A group message was read by every member.",
        _GROUP_RECEIPT,
        core=False,
    ),
    _message(
        43,
        "message_pinned",
        p.MessagePinned,
        "A message was pinned.",
        ("data.message.id", "data.by.uid", "data.message.pinnedAt"),
        core=False,
    ),
    _message(
        44,
        "message_unpinned",
        p.MessageUnpinned,
        "A message was unpinned.",
        ("data.message.id", "data.by.uid", "data.message.updatedAt"),
        core=False,
    ),
    _message(
        45,
        "conversation_pinned",
        p.ConversationPinned,
        "A conversation was pinned.",
        ("data.conversation.conversationId", "data.by.uid", "data.conversation.pinnedAt"),
        core=False,
    ),
    _message(
        46,
        "conversation_unpinned",
        p.ConversationUnpinned,
        "A conversation was unpinned.",
        ("data.conversation.conversationId", "data.by.uid", "data.conversation.updatedAt"),
        core=False,
    ),
    _meeting_session(
        47,
        "transcription_generated",
        p.TranscriptionGenerated,
        "The transcript of a call or meeting is ready.",
        ("data.sessionId", "data.tid"),
        core=False,
    ),
    _moderation(
        48,
        "moderation_engine_failed",
        p.ModerationEngineFailed,
        "A moderation engine could not judge a message.",
        ("data.resource.id", "data.completedAt"),
        core=False,
    ),
    _campaign(
        49,
        "after_campaign_completed",
        p.AfterCampaignCompleted,
        "A campaign reached all its targets.",
        ("data.campaignId", "data.completedAt"),
        core=False,
    ),
    _campaign(
        50,
        "after_campaign_failed",
        p.AfterCampaignFailed,
        "A campaign failed.",
        ("data.campaignId", "data.updatedAt"),
        core=False,
    ),
    _campaign(
        51,
        "after_feed_item_sent",
        p.AfterFeedItemSent,
        "An item was put into a user's notification feed.",
        _FEED_ITEM,
        core=False,
    ),
    _campaign(
        52,
        "after_feed_item_delivered",
        p.AfterFeedItemDelivered,
        "A feed item was delivered.",
        _FEED_ITEM,
        core=False,
    ),
    _campaign(
        53,
        "after_feed_item_read",
        p.AfterFeedItemRead,
        "A feed item was read.",
        _FEED_ITEM,
        core=False,
    ),
    _campaign(
        54,
        "after_feed_item_interacted",
        p.AfterFeedItemInteracted,
        "A user used an element of a feed item.",
        ("data.id", "data.interactedAt"),
        core=False,
    ),
    _campaign(
        55,
        "after_push_notification_sent",
        p.AfterPushNotificationSent,
        "A push notification was handed to its provider.",
        _PUSH,
        core=False,
    ),
    _campaign(
        56,
        "after_push_notification_delivered",
        p.AfterPushNotificationDelivered,
        "A push notification was delivered.",
        _PUSH,
        core=False,
    ),
    _campaign(
        57,
        "after_push_notification_clicked",
        p.AfterPushNotificationClicked,
        "A push notification was opened.",
        _PUSH,
        core=False,
    ),
    _campaign(
        58,
        "after_notification_created",
        p.AfterNotificationCreated,
        "A notification was created and is being dispatched.",
        ("data.notificationId",),
        core=False,
    ),
)

TRIGGERS: Mapping[str, Trigger] = MappingProxyType({trigger.name: trigger for trigger in _ALL})
"""Every trigger by name, in the order of the numbers."""

_BY_NUMBER: Mapping[int, Trigger] = MappingProxyType({item.number: item for item in _ALL})


def trigger_by_number(number: int) -> Trigger:
    """The trigger that is stored as `number`. Raises `UnknownTrigger`."""
    try:
        return _BY_NUMBER[number]
    except KeyError:
        raise UnknownTrigger(f"There is no trigger with the number {number}.") from None


def trigger_by_name(name: str) -> Trigger:
    """The trigger called `name`. Raises `UnknownTrigger`."""
    try:
        return TRIGGERS[name]
    except KeyError:
        raise UnknownTrigger(f"There is no trigger called {name!r}.") from None


@cache
def schema(name: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of the whole delivered body of a trigger (delivery contract §7, "Schemas").

    The same object is returned each time: read it, do not change it. Raises `UnknownTrigger`.
    """
    trigger = trigger_by_name(name)
    return body_schema(
        trigger.name,
        trigger.description,
        trigger.data_type,
        session_types=session_types(trigger),
    )


def session_types(trigger: Trigger) -> tuple[SessionType, ...]:
    """The values that the body's `type` may have: none, one, or both for recordings and transcripts."""
    if trigger.session_type is None:
        return ()
    if trigger.name in _OF_EITHER_SESSION:
        return ("call", "meet")
    return (trigger.session_type,)


_OF_EITHER_SESSION = frozenset({"recording_generated", "transcription_generated"})
