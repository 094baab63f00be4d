"""The people, the group and the messages that all samples tell of."""

from chathooks_events.entities import (
    Attachment,
    Call,
    CallData,
    CallEntity,
    CallSession,
    Entities,
    Group,
    GroupEntity,
    Message,
    MessageData,
    MessageModeration,
    ReactionCount,
    User,
    UserEntity,
)
from chathooks_events.moderation import ModerationCondition, ModerationMatch, ModerationRule
from chathooks_events.sessions import InitialConfig, LeftOccupant, Occupant

APP_ID = "demo"
EVENT_ID = "evt_019b76da-a800-7b6c-9d3e-52c7a8e1f004"
REGION = "us"
WEBHOOK_ID = "orders"

NOW_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""
SESSION_ID = "v1.us.demo.17672256000f3a9c51d2e84b76"
CALL_CONVERSATION = "alice_user_bob"
GROUP_CONVERSATION = "group_hiking-club"

ALICE = User(
    uid="alice",
    name="Alice Martin",
    avatar="https://media.example.com/avatars/alice.png",
    role="default",
    status="online",
    created_at=NOW_S - 86_400,
    last_active_at=NOW_S - 60,
)
BOB = User(
    uid="bob",
    name="Bob Okafor",
    role="default",
    status="offline",
    created_at=NOW_S - 86_400,
    last_active_at=NOW_S - 3_600,
)
SYSTEM = User(uid="app_system", name="System", role="default", status="offline")

GROUP = Group(
    guid="hiking-club",
    name="Hiking club",
    type="public",
    description="Weekend tours around the lake",
    owner="alice",
    members_count=3,
    online_members_count=1,
    conversation_id=GROUP_CONVERSATION,
    created_at=NOW_S - 7_200,
    updated_at=NOW_S,
    updated_by="alice",
)

BOB_IN_GROUP = User(
    uid=BOB.uid,
    name=BOB.name,
    role=BOB.role,
    status=BOB.status,
    created_at=BOB.created_at,
    conversation_id=GROUP_CONVERSATION,
)

BOB_AS_RECEIVER = User(
    uid=BOB.uid,
    name=BOB.name,
    role=BOB.role,
    status=BOB.status,
    conversation_id=CALL_CONVERSATION,
)

ENTITIES = Entities(sender=UserEntity(entity=ALICE), receiver=UserEntity(entity=BOB_AS_RECEIVER))

PHOTO = Attachment(
    url="https://media.example.com/demo/media/lake.jpg",
    name="lake.jpg",
    mime_type="image/jpeg",
    extension="jpg",
    size=482_113,
)


def text_message(
    text: str,
    *,
    edited_at: int | None = None,
    pinned_at: int | None = None,
    mentions: dict[str, User] | None = None,
    reactions: list[ReactionCount] | None = None,
    moderation: MessageModeration | None = None,
) -> Message:
    """A text message from Alice to Bob; `edited_at` and `pinned_at` in unix seconds, both by Alice."""
    return Message(
        id="1042",
        muid="c0ffee-1",
        conversation_id=CALL_CONVERSATION,
        sender="alice",
        receiver_type="user",
        receiver="bob",
        category="message",
        type="text",
        data=MessageData(
            text=text,
            entities=ENTITIES,
            mentions=mentions,
            reactions=reactions,
            moderation=moderation,
        ),
        sent_at=NOW_S,
        updated_at=max(NOW_S, edited_at or 0, pinned_at or 0),
        edited_at=edited_at,
        edited_by=None if edited_at is None else "alice",
        pinned_at=pinned_at,
        pinned_by=None if pinned_at is None else "alice",
    )


PHOTO_MESSAGE = Message(
    id="1043",
    conversation_id=GROUP_CONVERSATION,
    sender="alice",
    receiver_type="group",
    receiver="hiking-club",
    category="message",
    type="image",
    data=MessageData(
        text="The lake this morning",
        attachments=[PHOTO],
        metadata={"camera": "phone"},
        entities=Entities(sender=UserEntity(entity=ALICE), receiver=GroupEntity(entity=GROUP)),
    ),
    sent_at=NOW_S,
    updated_at=NOW_S,
    tags=["tour"],
)


def call(action: str, *, sender: User, receiver: User) -> Call:
    """A video call between Alice, who called, and Bob, in the state `action`; `sender` is who acted."""
    session = CallSession(
        sessionid=SESSION_ID,
        status=action,
        type="video",
        conversation_id=CALL_CONVERSATION,
        sender="alice",
        receiver="bob",
        receiver_type="user",
        initiated_at=NOW_S,
    )
    return Call(
        id="1044",
        conversation_id=CALL_CONVERSATION,
        sender=sender.uid,
        receiver_type="user",
        receiver=receiver.uid,
        category="call",
        type="video",
        data=CallData(
            action=action,
            entities=Entities(
                by=UserEntity(entity=sender),
                on=CallEntity(entity=session),
                for_=UserEntity(entity=receiver),
            ),
        ),
        sent_at=NOW_S,
        updated_at=NOW_S,
    )


PRESENT = Occupant(name=ALICE.name, uid="alice", joined_at=NOW_S + 5, audio_call="false")
GONE = LeftOccupant(
    name=BOB.name, uid="bob", joined_at=NOW_S + 7, left_at=NOW_S + 307, audio_call="false"
)
ALL_OCCUPANTS = [
    Occupant(
        name=ALICE.name,
        uid="alice",
        joined_at=NOW_S + 5,
        left_at=NOW_S + 309,
        audio_call="false",
    ),
    Occupant(
        name=BOB.name, uid="bob", joined_at=NOW_S + 7, left_at=NOW_S + 307, audio_call="false"
    ),
]
CONFIG = InitialConfig(
    is_video_muted="false",
    is_audio_muted="false",
    is_audio_only="false",
    start_recording_on_call_start="false",
    call_version="v5",
    sdk="javascript",
    mode="DEFAULT",
    platform="web",
)

RULE = ModerationRule(
    id="profanity-filter",
    name="Profanity filter",
    revision_id="demo_profanity-filter_1",
    action=["blockMessage"],
    blocked_at=NOW_S,
)
CONDITION = ModerationCondition(
    id="contains-profanity",
    entity="message",
    operand="text",
    operator="contains",
    category="word",
    value=["profanity-list"],
    is_keywords_reference_present=True,
    is_media_present=False,
)
MATCHES = [ModerationMatch(rule=RULE, condition=CONDITION)]
