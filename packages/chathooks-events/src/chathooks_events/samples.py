"""One canonical, realistic sample per trigger: for the documentation, test fires and the tests of receivers."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec

from chathooks_events import payloads as p
from chathooks_events import sample_cast as c
from chathooks_events.catalog import trigger_by_name
from chathooks_events.entities import (
    DeletedMessage,
    MemberWithNewScope,
    MessageModeration,
    Reaction,
    RuleReference,
    UserConversation,
)
from chathooks_events.envelope import encode_envelope
from chathooks_events.moderation import (
    EngineFailure,
    EngineFailureContext,
    EngineRequest,
    ModeratedResource,
)
from chathooks_events.receipts import (
    DeliveredToAllBody,
    DeliveryReceiptBody,
    ReadByAllBody,
    ReadReceiptBody,
)
from chathooks_events.sample_campaigns import campaign_samples

_NOW_S = c.NOW_S
_HELLO = c.text_message("Shall we meet at the lake at nine?")
_APPROVED = c.text_message("See you there!", moderation=MessageModeration(status="approved"))
_BLOCKED = c.text_message(
    "A damn fine day",
    moderation=MessageModeration(status="disapproved", rule=RuleReference(id="profanity-filter")),
)
_REACTION = Reaction(
    id="77",
    message_id="1042",
    reaction="👍",
    uid="bob",
    reacted_at=_NOW_S + 20,
    reacted_by=c.BOB,
)
_BLOCKED_USER = msgspec.structs.replace(
    c.BOB, blocked_by_me=True, blocked_by_me_at=_NOW_S, blocked_at=_NOW_S
)


def _conversation(pinned_at: int | None) -> UserConversation:
    return UserConversation(
        conversation_id=c.CALL_CONVERSATION,
        conversation_with=c.BOB,
        unread_message_count="0",
        last_message=_HELLO,
        created_at=_NOW_S - 3_600,
        updated_at=_NOW_S + 30,
        pinned_at=pinned_at,
        pinned_by=None if pinned_at is None else "alice",
    )


def _messages() -> list[msgspec.Struct]:
    return [
        p.MessageSent(message=c.PHOTO_MESSAGE),
        p.MessageEdited(
            message=c.text_message("Shall we meet at the lake at ten?", edited_at=_NOW_S + 60)
        ),
        p.MessageDeleted(
            message=DeletedMessage.of(_HELLO, deleted_at=_NOW_S + 90, deleted_by="alice")
        ),
        p.MessageDeliveryReceipt(
            receiver="alice",
            receiver_type="user",
            type="receipts",
            sender="bob",
            message_sender="alice",
            body=DeliveryReceiptBody(
                action="delivered", message_id="1042", user=c.BOB, timestamp=_NOW_S + 2
            ),
        ),
        p.MessageReadReceipt(
            receiver="alice",
            receiver_type="user",
            type="receipts",
            sender="bob",
            message_sender="alice",
            body=ReadReceiptBody(
                action="read", message_id="1042", user=c.BOB, timestamp=_NOW_S + 12
            ),
        ),
        p.MessageDeliveredToAll(
            receiver="hiking-club",
            receiver_type="group",
            message_sender="alice",
            sender="bob",
            body=DeliveredToAllBody(action="deliveredToAll", message_id="1043"),
        ),
        p.MessageReadByAll(
            receiver="hiking-club",
            receiver_type="group",
            message_sender="alice",
            sender="bob",
            body=ReadByAllBody(action="readByAll", message_id="1043"),
        ),
        p.MessageReactionAdded(reaction=_REACTION),
        p.MessageReactionRemoved(reaction=_REACTION),
        p.UserMentioned(
            message=c.text_message("<@uid:bob> are you coming?", mentions={"bob": c.BOB})
        ),
        p.MessagePinned(
            message=c.text_message("Meeting point: the pier", pinned_at=_NOW_S + 30), by=c.ALICE
        ),
        p.MessageUnpinned(message=c.text_message("Meeting point: the pier"), by=c.ALICE),
        p.ConversationPinned(conversation=_conversation(_NOW_S + 30), by=c.ALICE),
        p.ConversationUnpinned(conversation=_conversation(None), by=c.ALICE),
    ]


def _users() -> list[msgspec.Struct]:
    return [
        p.UserBlocked(users={"bob": _BLOCKED_USER}, by=c.ALICE),
        p.UserUnblocked(users={"bob": c.BOB}, by=c.ALICE),
        p.UserConnectionStatusChanged(
            timestamp=_NOW_S * 1_000,
            user=c.ALICE,
            status="online",
            current_connection=p.CurrentConnection(
                action="connected", platform="web", connected_at=_NOW_S * 1_000
            ),
            user_presence_changed=True,
        ),
    ]


def _groups() -> list[msgspec.Struct]:
    bob = {"bob": c.BOB_IN_GROUP}
    created = msgspec.structs.replace(
        c.GROUP,
        scope="admin",
        has_joined=True,
        joined_at=c.GROUP.created_at,
        members_count=1,
        updated_at=None,
        updated_by=None,
    )
    bob_with_new_scope = MemberWithNewScope(
        uid="bob", name=c.BOB.name, role="default", scope="moderator", old_scope="participant"
    )
    return [
        p.GroupCreated(group=created, members={"alice": c.ALICE}),
        p.GroupUpdated(group=c.GROUP),
        p.GroupDeleted(group=c.GROUP),
        p.GroupOwnerTransferred(
            group=msgspec.structs.replace(c.GROUP, owner="bob", old_owner="alice")
        ),
        p.GroupMemberAdded(group=c.GROUP, members=bob, by=c.ALICE),
        p.GroupMemberRemoved(group=c.GROUP, members=bob, by=c.SYSTEM),
        p.GroupMemberKicked(group=c.GROUP, members=bob, by=c.ALICE),
        p.GroupMemberBanned(group=c.GROUP, members=bob, by=c.ALICE),
        p.GroupMemberUnbanned(group=c.GROUP, members=bob, by=c.ALICE),
        p.GroupMemberScopeChanged(group=c.GROUP, members={"bob": bob_with_new_scope}, by=c.ALICE),
        p.GroupMemberJoined(group=c.GROUP, members=bob),
        p.GroupMemberLeft(group=c.GROUP, members=bob),
    ]


def _calls() -> list[msgspec.Struct]:
    return [
        p.CallInitiated(call=c.call("initiated", sender=c.ALICE, receiver=c.BOB)),
        p.CallBusy(call=c.call("busy", sender=c.BOB, receiver=c.ALICE)),
        p.CallCancelled(call=c.call("cancelled", sender=c.ALICE, receiver=c.BOB)),
        p.CallRejected(call=c.call("rejected", sender=c.BOB, receiver=c.ALICE)),
        p.CallUnanswered(call=c.call("unanswered", sender=c.ALICE, receiver=c.BOB)),
    ]


def _session(
    started: type[p.SessionStarted],
    joined: type[p.SessionParticipantJoined],
    left: type[p.SessionParticipantLeft],
    ended: type[p.SessionEnded],
) -> list[msgspec.Struct]:
    return [
        started(created_at=_NOW_S + 4, session_id=c.SESSION_ID),
        joined(occupant=c.PRESENT, initial_config=c.CONFIG, session_id=c.SESSION_ID),
        left(occupant=c.GONE, session_id=c.SESSION_ID),
        ended(
            all_occupants=c.ALL_OCCUPANTS,
            destroyed_at=_NOW_S + 310,
            created_at=_NOW_S + 4,
            session_id=c.SESSION_ID,
        ),
    ]


def _recordings() -> list[msgspec.Struct]:
    return [
        p.RecordingGenerated(
            recording_date="2026-01-01",
            duration="305",
            start_time=str(_NOW_S + 4),
            session_id=c.SESSION_ID,
            recording_url="https://media.example.com/demo/media/recording-1.mp4",
        ),
        p.TranscriptionGenerated(
            session_id=c.SESSION_ID,
            tid="transcript-1",
            transcript_date="2026-01-01T00:05:20Z",
            transcript_url="https://media.example.com/demo/media/transcript-1.json",
            start_time=_NOW_S + 4,
            end_time=_NOW_S + 309,
        ),
    ]


def _moderation() -> list[msgspec.Struct]:
    context = EngineFailureContext(
        engine="custom_api",
        setting="approve-message",
        rule=c.RULE,
        condition=c.CONDITION,
        request=EngineRequest(
            url="https://moderation.example.com/check",
            method="POST",
            body_bytes=1_311,
            basic_auth_sent=True,
        ),
    )
    resource = ModeratedResource(
        id="1042",
        conversation_id=c.CALL_CONVERSATION,
        sender="alice",
        receiver_type="user",
        receiver="bob",
        category="message",
        type="text",
        sent_at=_NOW_S,
    )
    failure = EngineFailure(
        category="timeout",
        error_message="The moderation service did not answer within 2 s.",
        failed_at=_NOW_S + 2,
        timeout_ms=2_000,
        response_body_truncated=False,
        context=context,
    )
    return [
        p.ModerationEngineApproved(message=_APPROVED),
        p.ModerationEngineBlocked(message=_BLOCKED, moderation=c.MATCHES),
        p.ModerationManualApproved(message=_APPROVED, moderation=c.MATCHES, reviewed=True),
        p.ModerationEngineFailed(
            resource=resource,
            content_type="text",
            outcome="approved",
            completed_at=_NOW_S + 2,
            failures=[failure],
        ),
    ]


@cache
def _all() -> Mapping[type, msgspec.Struct]:
    call = (p.CallStarted, p.CallParticipantJoined, p.CallParticipantLeft, p.CallEnded)
    meeting = (
        p.MeetingStarted,
        p.MeetingParticipantJoined,
        p.MeetingParticipantLeft,
        p.MeetingEnded,
    )
    structs = [
        *_messages(),
        *_users(),
        *_groups(),
        *_calls(),
        *_session(*call),
        *_session(*meeting),
        *_recordings(),
        *_moderation(),
        *campaign_samples(),
    ]
    return MappingProxyType({type(item): item for item in structs})


def sample_data(name: str) -> msgspec.Struct:
    """The sample `data` of trigger `name` as its Struct. Raises `UnknownTrigger`."""
    return _all()[trigger_by_name(name).data_type]


def sample(name: str) -> dict[str, Any]:
    """The sample `data` of trigger `name` as a new plain dict. Raises `UnknownTrigger`."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(sample_data(name)))
    return plain


def sample_body(
    name: str,
    app_id: str = c.APP_ID,
    region: str = c.REGION,
    webhook_id: str = c.WEBHOOK_ID,
    event_id: str = c.EVENT_ID,
) -> bytes:
    """The whole delivered body of the sample of trigger `name`. Raises `UnknownTrigger`."""
    return encode_envelope(
        name,
        msgspec.json.encode(sample_data(name)),
        app_id=app_id,
        region=region,
        webhook_id=webhook_id,
        event_id=event_id,
    )
