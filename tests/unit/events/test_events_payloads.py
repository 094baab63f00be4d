"""Field names on the wire are those of the REST contract, section D2, with our decisions on top."""

from typing import Any

import msgspec
import pytest

from chathooks_events import entities as e
from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample
from chathooks_events.wire import stored_json

GROUP_FIELDS = [
    "guid",
    "name",
    "type",
    "membersCount",
    "conversationId",
    "createdAt",
    "owner",
    "updatedAt",
    "updatedBy",
    "onlineMembersCount",
]
CALL_FIELDS = [
    "id",
    "conversationId",
    "sender",
    "receiverType",
    "receiver",
    "category",
    "type",
    "data",
    "sentAt",
    "updatedAt",
]
RECEIPT = """receiver receiverType type sender messageSender body.action body.messageId body.user.uid
    body.user.name body.user.status body.timestamp"""
GROUP_RECEIPT = "receiver receiverType messageSender sender body.action body.messageId"
MESSAGE = """message.id message.conversationId message.sender message.receiverType message.receiver
    message.category message.type message.data message.sentAt message.updatedAt message.data.entities.sender.entity
    message.data.entities.sender.entityType message.data.entities.receiver.entity"""
GROUP = " ".join(f"group.{field}" for field in GROUP_FIELDS)
MEMBERS = f"{GROUP} members.bob.uid members.bob.name members.bob.conversationId"
CALL = (
    " ".join(f"call.{field}" for field in CALL_FIELDS) + " call.data.action call.data.entities.by"
)
JOINED = """occupant.joined_at occupant.audio_call occupant.name sessionId initial_config.is_video_muted
    initial_config.start_recording_on_call_start initial_config.call_version initial_config.is_audio_muted
    initial_config.sdk initial_config.mode initial_config.platform initial_config.is_audio_only"""
LEFT = "occupant.joined_at occupant.left_at occupant.audio_call occupant.name sessionId"
ENDED = "all_occupants destroyed_at created_at sessionId"
CAMPAIGN = """campaignId appId name status templateId templateVersion totalTargets sentCount failedCount
    createdAt updatedAt"""
FEED = """id appId notificationId campaignId receiver templateId templateVersion channelType channelId
    templateCategory categoryId label tags dataType status sentAt"""
PUSH = """pushNotificationId appId notificationId campaignId receiver templateId templateVersion channelType
    category status sentAt"""
FAILURE = "failures.0.failedAt failures.0.category failures.0.errorMessage failures.0.responseBodyTruncated"
CONTEXT = "failures.0.context.engine failures.0.context.setting failures.0.context.rule.revisionId"
REQUEST = " ".join(
    f"failures.0.context.request.{field}"
    for field in ("url", "method", "bodyBytes", "basicAuthSent")
)

WIRE_PATHS = {
    "message_sent": f"{MESSAGE} message.data.attachments.0.mimeType message.data.metadata message.tags",
    "message_edited": f"{MESSAGE} message.editedAt message.editedBy message.data.text",
    "message_deleted": f"{MESSAGE} message.deletedAt message.deletedBy",
    "message_delivery_receipt": RECEIPT,
    "message_read_receipt": RECEIPT,
    "message_reaction_added": """reaction.id reaction.messageId reaction.reaction reaction.uid
        reaction.reactedAt reaction.reactedBy.uid reaction.reactedBy.name""",
    "message_reaction_removed": "reaction.id reaction.messageId reaction.reaction reaction.uid",
    "user_mentioned": f"{MESSAGE} message.data.text message.data.mentions.bob.uid",
    "message_delivered_to_all": GROUP_RECEIPT,
    "message_read_by_all": GROUP_RECEIPT,
    "message_pinned": f"{MESSAGE} message.pinnedAt message.pinnedBy by.uid",
    "message_unpinned": f"{MESSAGE} by.uid",
    "conversation_pinned": """conversation.conversationId conversation.conversationType conversation.pinnedAt
        conversation.conversationWith.uid conversation.unreadMessageCount by.uid""",
    "conversation_unpinned": "conversation.conversationId conversation.conversationType by.uid",
    "user_blocked": "users.bob.uid users.bob.name by.uid by.name",
    "user_unblocked": "users.bob.uid users.bob.name by.uid by.name",
    "user_connection_status_changed": """timestamp user.uid user.name user.status user.role status
        currentConnection.action currentConnection.platform currentConnection.connectedAt
        userPresenceChanged""",
    "group_created": """group.guid group.name group.type group.scope group.membersCount group.joinedAt
        group.conversationId group.hasJoined group.createdAt group.owner members.alice.uid""",
    "group_updated": GROUP,
    "group_deleted": GROUP,
    "group_owner_transferred": f"{GROUP} group.oldOwner",
    **{
        f"group_member_{what}": f"{MEMBERS} by.uid"
        for what in ("added", "removed", "kicked", "banned", "unbanned")
    },
    "group_member_scope_changed": f"{GROUP} members.bob.scope members.bob.oldScope by.uid",
    "group_member_joined": MEMBERS,
    "group_member_left": MEMBERS,
    **{
        f"call_{what}": CALL
        for what in ("initiated", "busy", "cancelled", "rejected", "unanswered")
    },
    **{f"{kind}_started": "created_at sessionId" for kind in ("call", "meeting")},
    **{f"{kind}_participant_joined": JOINED for kind in ("call", "meeting")},
    **{f"{kind}_participant_left": LEFT for kind in ("call", "meeting")},
    **{f"{kind}_ended": ENDED for kind in ("call", "meeting")},
    "recording_generated": "recordingDate duration startTime sessionId recording_url",
    "transcription_generated": "sessionId tid transcriptDate transcript_url startTime endTime",
    "moderation_engine_approved": f"{MESSAGE} message.data.moderation.status",
    "moderation_engine_blocked": f"""{MESSAGE} message.data.moderation.status message.data.moderation.rule.id
        moderation.0.rule.id moderation.0.rule.action""",
    "moderation_manual_approved": f"""{MESSAGE} moderation.0.condition.id moderation.0.rule.id
        moderation.0.condition.isKeywordsReferencePresent moderation.0.condition.isMediaPresent
        moderation.0.rule.revisionId moderation.0.rule.blockedAt reviewed""",
    "moderation_engine_failed": f"""resource.id resource.conversationId resource.sender resource.receiverType
        resource.receiver resource.category resource.type resource.sentAt contentType outcome completedAt
        {FAILURE} {CONTEXT} {REQUEST}""",
    "after_campaign_completed": f"{CAMPAIGN} tag scheduledAt sentAt completedAt",
    "after_campaign_failed": CAMPAIGN,
    "after_notification_created": """notificationId appId templateId templateVersion category label tags sendMode
        priority channels dataType status totalTargets sentCount failedCount createdAt""",
    "after_feed_item_sent": f"{FEED} alternativeText variables realtimeFanout content",
    "after_feed_item_delivered": f"{FEED} deliveredAt",
    "after_feed_item_read": f"{FEED} deliveredAt readAt",
    "after_feed_item_interacted": f"{FEED} engagedAt interactedAt",
    "after_push_notification_sent": PUSH,
    "after_push_notification_delivered": f"{PUSH} deliveredAt",
    "after_push_notification_clicked": f"{PUSH} clickedAt engagedAt",
}

TOP_LEVEL_ONLY = {
    name: fields.split()
    for name, fields in {
        "message_sent": "message",
        "message_edited": "message",
        "message_deleted": "message",
        "message_delivery_receipt": "receiver receiverType type sender messageSender body",
        "message_delivered_to_all": "receiver receiverType messageSender sender body",
        "group_created": "group members",
        "group_updated": "group",
        "group_deleted": "group",
        "group_owner_transferred": "group",
        "group_member_kicked": "group members by",
        "group_member_removed": "group members by",
        "group_member_scope_changed": "group members by",
        "group_member_joined": "group members",
        "group_member_left": "group members",
        "user_blocked": "users by",
        "call_initiated": "call",
        "call_started": "created_at sessionId",
        "call_ended": "all_occupants destroyed_at created_at sessionId",
        "recording_generated": "recordingDate duration startTime sessionId recording_url",
        "message_pinned": "message by",
        "conversation_pinned": "conversation by",
    }.items()
}


def at(node: Any, path: str) -> Any:
    for key in path.split("."):
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


def test_every_trigger_has_its_documented_fields_listed() -> None:
    assert set(WIRE_PATHS) == set(TRIGGERS)


@pytest.mark.parametrize("name", list(WIRE_PATHS))
def test_field_names_equal_the_documented_wire_names(name: str) -> None:
    data = sample(name)
    for path in WIRE_PATHS[name].split():
        assert at(data, path) is not None, path


@pytest.mark.parametrize("name", list(TOP_LEVEL_ONLY))
def test_data_has_no_field_beyond_the_documented_ones(name: str) -> None:
    wire_names = [field.encode_name for field in msgspec.structs.fields(TRIGGERS[name].data_type)]
    assert sorted(wire_names) == sorted(TOP_LEVEL_ONLY[name])


def test_a_deleted_message_carries_no_content_but_its_entities() -> None:
    message = e.Message(
        id="1",
        conversation_id="a_user_b",
        sender="a",
        receiver_type="user",
        receiver="b",
        category="message",
        type="image",
        data=e.MessageData(
            text="secret",
            attachments=[e.Attachment(url="https://example.com/secret.png")],
            metadata={"note": "secret"},
            entities=e.Entities(sender=e.UserEntity(entity=e.User(uid="a", name="A"))),
        ),
        sent_at=5,
        updated_at=5,
        tags=["kept"],
    )
    deleted = msgspec.to_builtins(e.DeletedMessage.of(message, deleted_at=9, deleted_by="a"))
    assert b"secret" not in msgspec.json.encode(deleted)
    assert deleted["data"]["entities"]["sender"]["entity"]["uid"] == "a"
    assert (deleted["id"], deleted["sentAt"], deleted["deletedAt"], deleted["updatedAt"]) == (
        "1",
        5,
        9,
        9,
    )


def test_a_permanent_deletion_leaves_the_six_promised_fields_and_nothing_else() -> None:
    gone = e.DeletedMessage(
        id="1", conversation_id="a_user_b", sender="a", receiver="b", deleted_at=9, deleted_by="a"
    )
    promised = {"id", "conversationId", "sender", "receiver", "deletedAt", "deletedBy"}
    assert set(msgspec.json.decode(msgspec.json.encode(gone))) == promised


def test_absent_values_are_left_out_and_false_and_zero_are_kept() -> None:
    user = e.User(uid="a", name="A", blocked_by_me=False, last_active_at=0)
    assert msgspec.json.decode(msgspec.json.encode(user)) == {
        "uid": "a",
        "name": "A",
        "blockedByMe": False,
        "lastActiveAt": 0,
    }


def test_stored_json_is_copied_into_the_bytes_as_it_is() -> None:
    user = e.User(uid="a", name="A", metadata=stored_json(b'{"b" : 1,"a":2.50}'))
    assert msgspec.json.encode(user) == b'{"uid":"a","name":"A","metadata":{"b" : 1,"a":2.50}}'


def test_an_event_cannot_be_built_with_an_unknown_field() -> None:
    with pytest.raises(TypeError, match="nickname"):
        e.User(uid="a", name="A", nickname="Al")  # type: ignore[call-arg]  # that is the point
