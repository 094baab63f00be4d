"""Messages (rest-api.md C10)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.chat_answers import IDS_PER_QUERY_MAX, SearchKey, TagFilter
from chathooks.api.paging import PageNumber
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.filters import MessageFilter
from chathooks.chat.history import History, MessagePage, Shape, Window, parse_message_id
from chathooks.chat.limits import (
    CATEGORY_CHARS_MAX,
    CONVERSATION_ID_CHARS_MAX,
    MESSAGES_PER_PAGE_DEFAULT,
    MESSAGES_PER_PAGE_MAX,
    MESSAGES_SKIPPED_MAX,
)
from chathooks.chat.messages import Messages, SentToMany
from chathooks.chat.requests import Id, MessageChange, MessageRemoval, SendMessage
from chathooks_events.entities import DeletedMessage, Message

TAG = "Messages"
FILTER_VALUES_MAX = 25

Kind = Annotated[str, msgspec.Meta(max_length=CATEGORY_CHARS_MAX)]
Kinds = Annotated[tuple[Kind, ...], msgspec.Meta(max_length=FILTER_VALUES_MAX)]
ConversationId = Annotated[str, msgspec.Meta(max_length=CONVERSATION_ID_CHARS_MAX)]
Time = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MESSAGES_PER_PAGE_MAX)]

CONTENT_ERRORS = (
    "ERR_INVALID_MESSAGE_DATA",
    "ERR_EMPTY_MESSAGE_TEXT",
    "ERR_INVALID_MESSAGE_TEXT",
    "ERR_EMPTY_MESSAGE_FILE",
    "ERR_INVALID_MEDIA_MESSAGE",
    "ERR_EMPTY_CUSTOM_DATA",
    "ERR_INVALID_METADATA",
)
ACCESS_ERRORS = (
    "ERR_MESSAGE_ID_NOT_FOUND",
    "ERR_UID_NOT_FOUND",
    "ERR_GROUP_NOT_JOINED",
    "ERR_MESSAGE_NO_ACCESS",
)
_CHANGE = (
    "ERR_MESSAGE_ID_NOT_FOUND",
    "ERR_UID_NOT_FOUND",
    "ERR_GROUP_NOT_JOINED",
    "ERR_MESSAGE_NOT_A_SENDER",
    "ERR_MESSAGE_ACTION_NOT_ALLOWED",
)


MentionedUids = Annotated[tuple[Id, ...], msgspec.Meta(max_length=IDS_PER_QUERY_MAX)]


def ascii_lower(text: str) -> str:
    """The text with its ASCII letters in lower case, as SQL's `lower` makes it."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def require_viewer(parameter: str, on_behalf_of: str | None) -> str:
    """The uid of who looks. Raises ERR_BAD_REQUEST where the call acts for nobody."""
    if on_behalf_of is None:
        raise bad_request(
            f"{parameter} needs the onBehalfOf header.", {parameter: "needs onBehalfOf"}
        )
    return on_behalf_of


class MessageQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of a list of messages: a window, and what narrows it."""

    limit: Limit | None = None
    per_page: Limit | None = None
    """The same as `limit`."""
    page: PageNumber = 1
    """Pages of `limit` messages in the direction of `affix`, from the place given on."""
    affix: Literal["prepend", "append"] = "prepend"
    """`prepend`: older than `id` or `sentAt`; `append`: newer."""
    id: str | None = None
    sent_at: Time | None = None
    from_timestamp: Time | None = None
    to_timestamp: Time | None = None
    category: Kind | None = None
    categories: Kinds = ()
    type: Kind | None = None
    types: Kinds = ()
    hide_deleted: bool = False
    only_deleted: bool = False
    hide_replies: bool = False
    has_attachments: bool = False
    attachment_types: tuple[Literal["image", "video", "audio", "file"], ...] = ()
    has_links: bool = False
    has_mentions: bool = False
    has_reactions: bool = False
    mentioned_uids: MentionedUids = ()
    search_key: SearchKey = ""
    """Part of the text, whatever the case of its ASCII letters."""
    tags: TagFilter = ()
    with_tags: bool = True
    hide_messages_from_blocked_users: bool = False
    """Acting for a user: nothing from those whom they block."""
    mentions_with_blocked_info: bool = False
    """Acting for a user: who of them and each mentioned user blocks the other."""
    mentions_with_tag_info: bool = False
    mentionswith_tag_info: bool = msgspec.field(default=False, name="mentionswithTagInfo")
    """CometChat's API description spells it so too."""

    def window(self) -> Window:
        """The part of the list that is asked for. Raises ERR_MESSAGE_ID_NOT_FOUND, ERR_BAD_REQUEST."""
        limit = self.limit or self.per_page or MESSAGES_PER_PAGE_DEFAULT
        skip = (self.page - 1) * limit
        if skip > MESSAGES_SKIPPED_MAX:
            raise bad_request(
                f"Pages go {MESSAGES_SKIPPED_MAX} messages far; go on with the id in meta.",
                {"page": f"is beyond {MESSAGES_SKIPPED_MAX} messages"},
            )
        return Window(
            limit=limit,
            skip=skip,
            append=self.affix == "append",
            message_id=None if self.id is None else parse_message_id(self.id),
            sent_at=self.sent_at,
            from_timestamp=self.from_timestamp,
            to_timestamp=self.to_timestamp,
        )

    def filter(self) -> MessageFilter:
        """Which messages are asked for."""
        return MessageFilter(
            categories=(*self.categories, *(() if self.category is None else (self.category,))),
            types=(*self.types, *(() if self.type is None else (self.type,))),
            deleted=True if self.only_deleted else False if self.hide_deleted else None,
            replies=False if self.hide_replies else None,
            attached=self.has_attachments,
            attachment_types=tuple(self.attachment_types),
            linked=self.has_links,
            mentioning=self.has_mentions,
            reacted=self.has_reactions,
            mentioned=tuple(uid.lower() for uid in self.mentioned_uids),
            text=ascii_lower(self.search_key) or None,
            tags=tuple(self.tags),
            unblocked_by=0 if self.hide_messages_from_blocked_users else None,
        )

    def shape(self, on_behalf_of: str | None) -> Shape:
        """What is told of each message. Raises ERR_BAD_REQUEST."""
        if self.mentions_with_blocked_info:
            require_viewer("mentionsWithBlockedInfo", on_behalf_of)
        return Shape(
            tags=self.with_tags,
            mentions_blocked=self.mentions_with_blocked_info,
            mentions_tags=self.mentions_with_tag_info or self.mentionswith_tag_info,
        )


class PlaceMessageQuery(
    MessageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of the list of the messages of a user or a group."""

    my_mentions_only: bool = False
    """Only messages that mention the user of `onBehalfOf`."""

    def filter_for(self, on_behalf_of: str | None) -> MessageFilter:
        """Which messages are asked for. Raises ERR_BAD_REQUEST."""
        only = self.filter()
        if not self.my_mentions_only:
            return only
        return msgspec.structs.replace(
            only, mentioning_me=require_viewer("myMentionsOnly", on_behalf_of)
        )


class AppMessageQuery(
    MessageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of the list of an app's messages."""

    receiver_type: Literal["user", "group"] | None = None
    sender: Id | None = None
    conversation_id: ConversationId | None = None
    """As messages show it; where it stands for several conversations, all that may be seen are listed."""


class Place(msgspec.Struct, frozen=True, rename="camel"):
    """Where the list goes on, in the query's own words."""

    affix: str
    sent_at: int
    id: str


class Current(msgspec.Struct, frozen=True):
    """What was asked for and found."""

    limit: int
    count: int


class MessagesMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """`meta` of a list of messages; `next` and `previous` are absent for an empty page."""

    current: Current
    next: Place | None = None
    previous: Place | None = None


def messages_meta(window: Window, found: MessagePage) -> MessagesMeta:
    current = Current(window.limit, len(found))
    newer = older = None
    if found:
        first, last = found[0], found[-1]
        newer = Place("append", last.sent_at or 0, last.id)
        older = Place("prepend", first.sent_at or 0, first.id)
    if found.reached is not None:
        message_id, sent_at = found.reached
        if window.append:
            newer = Place("append", sent_at, str(message_id))
        else:
            older = Place("prepend", sent_at, str(message_id))
    return MessagesMeta(current, next=newer, previous=older)


class MessageRoutes:
    """Handlers of `/messages` and of the messages of users and groups."""

    def __init__(self, messages: Messages, history: History) -> None:
        self._messages = messages
        self._history = history

    async def send(self, call: Call) -> Answer:
        request: SendMessage = call.body
        if request.multiple_receivers is not None:
            return Answer(
                await self._messages.send_to_many(call.app.key, request, call.on_behalf_of)
            )
        encoded = await self._messages.send_encoded(call.app.key, request, call.on_behalf_of)
        return Answer(msgspec.Raw(encoded))

    async def page(self, call: Call) -> Answer:
        query: AppMessageQuery = call.query
        window = query.window()
        found = await self._history.page(
            call.app.key,
            msgspec.structs.replace(query.filter(), receiver_type=query.receiver_type),
            window,
            call.on_behalf_of,
            sender=None if query.sender is None else query.sender.lower(),
            conversation_id=(
                None if query.conversation_id is None else query.conversation_id.lower()
            ),
            shape=query.shape(call.on_behalf_of),
        )
        return Answer(list(found), messages_meta(window, found))

    async def page_of_user(self, call: Call) -> Answer:
        query: PlaceMessageQuery = call.query
        window = query.window()
        found = await self._history.page_of_user(
            call.app.key,
            call.path["uid"].lower(),
            query.filter_for(call.on_behalf_of),
            window,
            call.on_behalf_of,
            shape=query.shape(call.on_behalf_of),
        )
        return Answer(list(found), messages_meta(window, found))

    async def page_of_group(self, call: Call) -> Answer:
        query: PlaceMessageQuery = call.query
        window = query.window()
        found = await self._history.page_of_group(
            call.app.key,
            call.path["guid"].lower(),
            query.filter_for(call.on_behalf_of),
            window,
            call.on_behalf_of,
            shape=query.shape(call.on_behalf_of),
        )
        return Answer(list(found), messages_meta(window, found))

    async def get(self, call: Call) -> Answer:
        return Answer(await self._history.get(call.app.key, call.path["id"], call.on_behalf_of))

    async def edit(self, call: Call) -> Answer:
        return Answer(
            await self._messages.edit(call.app.key, call.path["id"], call.body, call.on_behalf_of)
        )

    async def delete(self, call: Call) -> Answer:
        removal: MessageRemoval = call.body or MessageRemoval()
        return Answer(
            await self._messages.delete(
                call.app.key,
                call.path["id"],
                permanent=removal.permanent,
                on_behalf_of=call.on_behalf_of,
            )
        )

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_messages(), *self._routes_of_lists()]

    def _routes_of_messages(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/messages",
                handler=self.send,
                summary="Send a message",
                tag=TAG,
                answer=Message | SentToMany,
                body=SendMessage,
                acts_for="optional",
                errors=(
                    "ERR_EMPTY_RECEIVER",
                    "ERR_INVALID_RECEIVER_TYPE",
                    "ERR_UID_NOT_FOUND",
                    "ERR_GUID_NOT_FOUND",
                    "ERR_GROUP_NOT_JOINED",
                    "ERR_BLOCKED_RECEIVER",
                    "ERR_BLOCKED_SENDER",
                    "ERR_EMPTY_MESSAGE_CATEGORY",
                    "ERR_INVALID_MESSAGE_CATEGORY",
                    "ERR_EMPTY_MESSAGE_TYPE",
                    "ERR_INVALID_MESSAGE_TYPE",
                    *CONTENT_ERRORS,
                ),
            ),
            Route(
                method="GET",
                path="/messages/{id}",
                handler=self.get,
                summary="Read a message",
                tag=TAG,
                answer=Message | DeletedMessage,
                acts_for="optional",
                errors=ACCESS_ERRORS,
            ),
            Route(
                method="PUT",
                path="/messages/{id}",
                handler=self.edit,
                summary="Edit a message",
                tag=TAG,
                answer=Message,
                body=MessageChange,
                acts_for="optional",
                errors=(*_CHANGE, *CONTENT_ERRORS),
            ),
            Route(
                method="DELETE",
                path="/messages/{id}",
                handler=self.delete,
                summary="Delete a message",
                tag=TAG,
                answer=Message,
                body=MessageRemoval,
                body_required=False,
                acts_for="optional",
                errors=_CHANGE,
            ),
        ]

    def _routes_of_lists(self) -> list[Route]:
        shown = list[Message | DeletedMessage]
        return [
            Route(
                method="GET",
                path="/messages",
                handler=self.page,
                summary="List messages",
                tag=TAG,
                answer=shown,
                meta=MessagesMeta,
                query=AppMessageQuery,
                acts_for="optional",
                errors=("ERR_UID_NOT_FOUND", "ERR_MESSAGE_ID_NOT_FOUND"),
            ),
            Route(
                method="GET",
                path="/users/{uid}/messages",
                handler=self.page_of_user,
                summary="List the messages of a user",
                tag=TAG,
                answer=shown,
                meta=MessagesMeta,
                query=PlaceMessageQuery,
                acts_for="optional",
                errors=("ERR_UID_NOT_FOUND", "ERR_MESSAGE_ID_NOT_FOUND"),
            ),
            Route(
                method="GET",
                path="/groups/{guid}/messages",
                handler=self.page_of_group,
                summary="List the messages of a group",
                tag=TAG,
                answer=shown,
                meta=MessagesMeta,
                query=PlaceMessageQuery,
                acts_for="optional",
                errors=(
                    "ERR_GUID_NOT_FOUND",
                    "ERR_UID_NOT_FOUND",
                    "ERR_GROUP_NOT_JOINED",
                    "ERR_MESSAGE_ID_NOT_FOUND",
                ),
            ),
        ]
