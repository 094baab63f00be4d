"""Action messages: what happened to a group's members or to a message, told as a message (rest-api.md C0).

Those of group members are kept and listed with the group's messages. Those of edits and deletions are answered
only: they would repeat the message's text, which a later deletion has to take away.
"""

import msgspec

from chathooks.chat.store import (
    ChatTransaction,
    GroupRecord,
    MessageRecord,
    NewMessage,
    UserRecord,
)
from chathooks.chat.views import group_entity, message_view, user_entity
from chathooks_events.entities import (
    Entities,
    Entity,
    GroupEntity,
    Message,
    MessageData,
    UserEntity,
)

ACTION = "action"
GROUP_MEMBER = "groupMember"

_encode = msgspec.json.Encoder().encode


async def record_member_action(
    tx: ChatTransaction,
    app: int,
    action: str,
    *,
    group: GroupRecord,
    by: UserRecord,
    on: UserRecord,
    now_s: int,
) -> Message:
    """Keep one action message of the group, e.g. `added`; `group` is as it is after the action."""
    content = MessageData(
        action=action,
        entities=Entities(
            by=UserEntity(entity=user_entity(by)),
            on=UserEntity(entity=user_entity(on)),
            for_=GroupEntity(entity=group_entity(group)),
        ),
    )
    new = NewMessage(
        app=app,
        muid=None,
        sender=by.key,
        receiver_user=None,
        group_key=group.key,
        category=ACTION,
        type=GROUP_MEMBER,
        content=_encode(content).decode(),
        tags=None,
        sent_at=now_s,
    )
    message_id = await tx.add_message(new)
    return message_view(stored(new, message_id), by, group)


def stored(new: NewMessage, message_id: int) -> MessageRecord:
    """The record of a message that was just added."""
    return MessageRecord(
        id=message_id,
        muid=new.muid,
        sender=new.sender,
        receiver_user=new.receiver_user,
        group_key=new.group_key,
        category=new.category,
        type=new.type,
        content=new.content,
        tags=new.tags,
        sent_at=new.sent_at,
        updated_at=new.sent_at,
        edited_at=None,
        edited_by=None,
        deleted_at=None,
        deleted_by=None,
        parent=new.parent,
        reply_count=0,
    )


def message_action(
    action_id: int, action: str, *, by: UserRecord, on: Entity, original: Message, now_s: int
) -> Message:
    """What an edit or deletion answers (rest-api.md C10): an action message about `original`."""
    entities = original.data.entities
    return Message(
        id=str(action_id),
        conversation_id=original.conversation_id,
        sender=by.uid,
        receiver_type=original.receiver_type,
        receiver=original.receiver,
        category=ACTION,
        type="message",
        data=MessageData(
            action=action,
            entities=Entities(
                by=UserEntity(entity=user_entity(by)),
                on=on,
                for_=None if entities is None else entities.receiver,
            ),
        ),
        sent_at=now_s,
        updated_at=now_s,
    )
