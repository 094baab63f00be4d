"""What people do with messages: send, edit, delete, receive, read, react, mention, pin, have them moderated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chathooks_events.entities import (
    DeletedMessage,
    Entities,
    GroupConversation,
    Message,
    MessageData,
    MessageModeration,
    Reaction,
    RuleReference,
    User,
    UserConversation,
    UserEntity,
)
from chathooks_events.moderation import (
    EngineFailure,
    EngineFailureContext,
    ModeratedResource,
    ModerationCondition,
    ModerationMatch,
    ModerationRule,
)
from chathooks_events.payloads import (
    ConversationPinned,
    ConversationUnpinned,
    MessageDeleted,
    MessageDeliveredToAll,
    MessageDeliveryReceipt,
    MessageEdited,
    MessagePinned,
    MessageReactionAdded,
    MessageReactionRemoved,
    MessageReadByAll,
    MessageReadReceipt,
    MessageSent,
    MessageUnpinned,
    ModerationEngineApproved,
    ModerationEngineBlocked,
    ModerationEngineFailed,
    ModerationManualApproved,
    UserMentioned,
)
from chathooks_events.receipts import (
    DeliveredToAllBody,
    DeliveryReceiptBody,
    ReadByAllBody,
    ReadReceiptBody,
)
from chathooks_receiver.tools.simulation.moments import ApiCall, Moment, SimulatedEvent
from chathooks_receiver.tools.simulation.places import Pair, Place, Room, Said, receiver_entity
from chathooks_receiver.tools.simulation.world import Person, World

_CONDITION = ModerationCondition(
    id="contains-profanity",
    entity="message",
    operand="text",
    operator="contains",
    category="word",
    value=["profanity-list"],
    is_keywords_reference_present=True,
    is_media_present=False,
)


def _rule(blocked_at: int | None = None) -> ModerationRule:
    return ModerationRule(
        id="profanity-filter",
        name="Profanity filter",
        revision_id="demo_profanity-filter_1",
        action=["blockMessage"],
        blocked_at=blocked_at,
    )


def _changed(said: Said, **fields: Any) -> Message:
    said.message = msgspec.structs.replace(said.message, **fields)
    return said.message


def _sends(message: Message) -> ApiCall:
    """The call that sends the message."""
    return ApiCall(
        method="POST",
        path="/messages",
        body={
            "receiver": message.receiver,
            "receiverType": message.receiver_type,
            "category": message.category,
            "type": message.type,
            "data": {"text": message.data.text},
        },
        by=message.sender,
        makes_message=message.id,
    )


class Talk:
    """Messages of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _place_of(self, place: Place, sender: Person) -> tuple[str, str]:
        if isinstance(place, Pair):
            return "user", place.other(sender).uid
        return "group", place.guid if isinstance(place, Room) else ""

    def _new(
        self,
        by: Person,
        place: Place,
        text: str,
        mentions: Sequence[Person],
        moderation: MessageModeration | None,
    ) -> Said:
        world = self._world
        world.pass_time()
        by.last_active_at = world.now_s
        kind, receiver = self._place_of(place, by)
        named: Mapping[str, User] | None = {p.uid: p.user() for p in mentions} or None
        message = Message(
            id=str(world.number()),
            conversation_id=place.conversation_id,
            sender=by.uid,
            receiver_type="user" if kind == "user" else "group",
            receiver=receiver,
            category="message",
            type="text",
            data=MessageData(
                text=text,
                entities=Entities(
                    sender=UserEntity(entity=by.user()), receiver=receiver_entity(place, by)
                ),
                mentions=named,
                moderation=moderation,
            ),
            sent_at=world.now_s,
            updated_at=world.now_s,
        )
        said = Said(message)
        audience = {receiver} if kind == "user" else set()
        if isinstance(place, Room):
            audience = set(place.members) - {by.uid}
        said.audience = frozenset(audience)
        return said

    def say(
        self, by: Person, place: Place, text: str, *mentions: Person, moderated: bool = False
    ) -> Iterator[Moment]:
        """A message, with `@` for those it mentions; with moderation, its approval comes first."""
        text = " ".join([*(f"<@uid:{person.uid}>" for person in mentions), text])
        moderation = MessageModeration(status="approved") if moderated else None
        said = self._new(by, place, text, mentions, moderation)
        place.keep(said)
        event = self._world.event
        events: list[SimulatedEvent] = []
        if moderated:
            approved = ModerationEngineApproved(message=said.message)
            events.append(event("moderation_engine_approved", approved, place.stream))
        events.append(event("message_sent", MessageSent(message=said.message), place.stream))
        if mentions:
            mentioned = UserMentioned(message=said.message)
            events.append(event("user_mentioned", mentioned, place.stream))
        yield Moment(tells=f"{by.name}: {text}", events=events, call=_sends(said.message))

    def edit(self, place: Place, said: Said, text: str) -> Iterator[Moment]:
        """The sender changes the text."""
        self._world.pass_time()
        now_s = self._world.now_s
        message = _changed(
            said,
            data=msgspec.structs.replace(said.message.data, text=text, mentions=None),
            edited_at=now_s,
            edited_by=said.message.sender,
            updated_at=now_s,
        )
        yield Moment(
            tells=f"{message.sender} edits: {text}",
            events=[
                self._world.event("message_edited", MessageEdited(message=message), place.stream)
            ],
            call=ApiCall(
                method="PUT",
                path=f"/messages/{{m:{message.id}}}",
                body={"data": {"text": text}},
                by=message.sender,
            ),
        )

    def delete(self, place: Place, said: Said) -> Iterator[Moment]:
        """The sender deletes the message."""
        self._world.pass_time()
        place.forget(said)
        deleted = DeletedMessage.of(
            said.message, deleted_at=self._world.now_s, deleted_by=said.message.sender
        )
        data = MessageDeleted(message=deleted)
        yield Moment(
            tells=f"{deleted.sender} deletes a message",
            events=[self._world.event("message_deleted", data, place.stream)],
            call=ApiCall(
                method="DELETE", path=f"/messages/{{m:{deleted.id}}}", by=said.message.sender
            ),
        )

    def deliver(self, place: Place, said: Said, to: Person) -> Iterator[Moment]:
        """The message reaches a recipient's client."""
        if to.uid in said.delivered_to or to.uid not in said.audience:
            return
        self._world.pass_time()
        said.delivered_to.add(to.uid)
        body = DeliveryReceiptBody(
            action="delivered",
            message_id=said.message.id,
            user=to.user(),
            timestamp=self._world.now_s,
        )
        data = MessageDeliveryReceipt(
            receiver=self._receipt_receiver(place, said),
            receiver_type=said.message.receiver_type,
            type="receipts",
            sender=to.uid,
            message_sender=said.message.sender,
            body=body,
        )
        events = [self._world.event("message_delivery_receipt", data, place.stream)]
        if isinstance(place, Room) and place.all_of(
            said.audience, said.delivered_to, said.told, "delivered"
        ):
            everybody = MessageDeliveredToAll(
                receiver=place.guid,
                receiver_type="group",
                message_sender=said.message.sender,
                sender=to.uid,
                body=DeliveredToAllBody(action="deliveredToAll", message_id=said.message.id),
            )
            events.append(self._world.event("message_delivered_to_all", everybody, place.stream))
        yield Moment(tells=f"{to.name} gets a message", events=events)

    def read(self, place: Place, said: Said, by: Person) -> Iterator[Moment]:
        """A recipient reads the message, which must have been delivered before."""
        if by.uid in said.read_by or by.uid not in said.audience:
            return
        yield from self.deliver(place, said, by)
        self._world.pass_time()
        said.read_by.add(by.uid)
        body = ReadReceiptBody(
            action="read",
            message_id=said.message.id,
            user=by.user(),
            timestamp=self._world.now_s,
        )
        data = MessageReadReceipt(
            receiver=self._receipt_receiver(place, said),
            receiver_type=said.message.receiver_type,
            type="receipts",
            sender=by.uid,
            message_sender=said.message.sender,
            body=body,
        )
        events = [self._world.event("message_read_receipt", data, place.stream)]
        if isinstance(place, Room) and place.all_of(said.audience, said.read_by, said.told, "read"):
            everybody = MessageReadByAll(
                receiver=place.guid,
                receiver_type="group",
                message_sender=said.message.sender,
                sender=by.uid,
                body=ReadByAllBody(action="readByAll", message_id=said.message.id),
            )
            events.append(self._world.event("message_read_by_all", everybody, place.stream))
        yield Moment(tells=f"{by.name} reads a message", events=events)

    def _receipt_receiver(self, place: Place, said: Said) -> str:
        return place.guid if isinstance(place, Room) else said.message.sender

    def react(self, place: Place, said: Said, by: Person, emoji: str) -> Iterator[Moment]:
        """A reaction, unless there is this one already; a second time takes it back."""
        self._world.pass_time()
        key = (by.uid, emoji)
        known = said.reactions.pop(key, None)
        reaction = Reaction(
            id=known or str(self._world.number()),
            message_id=said.message.id,
            reaction=emoji,
            uid=by.uid,
            reacted_at=self._world.now_s,
            reacted_by=by.user(),
        )
        if known is None:
            said.reactions[key] = reaction.id
            event = self._world.event(
                "message_reaction_added", MessageReactionAdded(reaction=reaction), place.stream
            )
        else:
            event = self._world.event(
                "message_reaction_removed", MessageReactionRemoved(reaction=reaction), place.stream
            )
        yield Moment(
            tells=f"{by.name} {'reacts with' if known is None else 'takes back'} {emoji}",
            events=[event],
            call=ApiCall(
                method="POST" if known is None else "DELETE",
                path=f"/messages/{{m:{said.message.id}}}/reactions/{emoji}",
                by=by.uid,
            ),
        )

    # --- pins ------------------------------------------------------------------------------------------------

    def pin(self, place: Place, said: Said, by: Person) -> Iterator[Moment]:
        """Pin the message, or take the pin back where it is pinned."""
        self._world.pass_time()
        pinned = said.message.pinned_at is None
        message = _changed(
            said,
            pinned_at=self._world.now_s if pinned else None,
            pinned_by=by.uid if pinned else None,
            updated_at=self._world.now_s,
        )
        data = (
            MessagePinned(message=message, by=by.user())
            if pinned
            else MessageUnpinned(message=message, by=by.user())
        )
        trigger = "message_pinned" if pinned else "message_unpinned"
        yield Moment(
            tells=f"{by.name} {'pins' if pinned else 'unpins'} a message",
            events=[self._world.event(trigger, data, place.stream)],
        )

    def pin_conversation(self, place: Place, by: Person, *, pinned: bool) -> Iterator[Moment]:
        """Pin the conversation, or take the pin back."""
        self._world.pass_time()
        state: dict[str, Any] = {
            "conversation_id": place.conversation_id,
            "unread_message_count": "0",
            "last_message": place.said[-1].message if place.said else None,
            "created_at": place.created_at,
            "updated_at": self._world.now_s,
            "pinned_at": self._world.now_s if pinned else None,
            "pinned_by": by.uid if pinned else None,
        }
        conversation: UserConversation | GroupConversation
        if isinstance(place, Room):
            conversation = GroupConversation(conversation_with=place.group(), **state)
        else:
            assert isinstance(place, Pair)  # noqa: S101 - there are two kinds of places
            conversation = UserConversation(conversation_with=place.other(by).user(), **state)
        data = (
            ConversationPinned(conversation=conversation, by=by.user())
            if pinned
            else ConversationUnpinned(conversation=conversation, by=by.user())
        )
        trigger = "conversation_pinned" if pinned else "conversation_unpinned"
        yield Moment(
            tells=f"{by.name} {'pins' if pinned else 'unpins'} a conversation",
            events=[self._world.event(trigger, data, place.stream)],
        )

    # --- moderation ------------------------------------------------------------------------------------------

    def blocked(
        self, by: Person, place: Place, text: str, *, approved_later: bool
    ) -> Iterator[Moment]:
        """A message that an engine blocks; a person may approve it, and only then it is sent."""
        world = self._world
        refused = MessageModeration(status="disapproved", rule=RuleReference(id="profanity-filter"))
        said = self._new(by, place, text, (), refused)
        match = ModerationMatch(rule=_rule(world.now_s), condition=_CONDITION)
        blocked = ModerationEngineBlocked(message=said.message, moderation=[match])
        yield Moment(
            tells=f"A message of {by.name} is blocked",
            events=[world.event("moderation_engine_blocked", blocked, place.stream)],
        )
        if not approved_later:
            return
        world.pass_time(300)
        accepted = MessageModeration(status="approved")
        message = _changed(
            said, data=msgspec.structs.replace(said.message.data, moderation=accepted)
        )
        place.keep(said)
        approval = ModerationManualApproved(message=message, moderation=[match], reviewed=True)
        yield Moment(
            tells=f"A moderator approves the message of {by.name}",
            events=[
                world.event("moderation_manual_approved", approval, place.stream),
                world.event("message_sent", MessageSent(message=message), place.stream),
            ],
            call=_sends(message),
        )

    def engine_fails(self, by: Person, place: Place, text: str) -> Iterator[Moment]:
        """An engine does not answer in time, and the message is let through."""
        world = self._world
        said = self._new(by, place, text, (), MessageModeration(status="approved"))
        place.keep(said)
        message = said.message
        failure = EngineFailure(
            category="timeout",
            error_message="The moderation service did not answer within 2 s.",
            failed_at=world.now_s + 2,
            timeout_ms=2_000,
            response_body_truncated=False,
            context=EngineFailureContext(
                engine="custom_api",
                setting="approve-message",
                rule=_rule(),
                condition=_CONDITION,
            ),
        )
        failed = ModerationEngineFailed(
            resource=ModeratedResource(
                id=message.id,
                conversation_id=message.conversation_id,
                sender=message.sender,
                receiver_type=message.receiver_type,
                receiver=message.receiver,
                category=message.category,
                type=message.type,
                sent_at=message.sent_at,
            ),
            content_type="text",
            outcome="approved",
            completed_at=world.now_s + 2,
            failures=[failure],
        )
        approved = ModerationEngineApproved(message=message)
        yield Moment(
            tells=f"An engine fails on a message of {by.name}, which is let through",
            events=[
                world.event("moderation_engine_failed", failed, place.stream),
                world.event("moderation_engine_approved", approved, place.stream),
                world.event("message_sent", MessageSent(message=message), place.stream),
            ],
            call=_sends(message),
        )
