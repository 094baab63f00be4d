"""Threads: replies to a message, and who follows them (rest-api.md C11)."""

from typing import Annotated, Any, Literal

import msgspec

from chathooks.api.chat_answers import Done
from chathooks.api.messages_routes import (
    ACCESS_ERRORS,
    CONTENT_ERRORS,
    Current,
    MessageQuery,
    MessagesMeta,
    Time,
    messages_meta,
)
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.history import History, Shown
from chathooks.chat.limits import MESSAGES_PER_PAGE_DEFAULT, THREADS_PER_PAGE_MAX
from chathooks.chat.messages import Messages
from chathooks.chat.requests import SendMessage
from chathooks.chat.threads import FollowedThread, Threads, ThreadWindow
from chathooks_events.entities import DeletedMessage, Message

TAG = "Threads"

_PATH = "/messages/{id}/thread"
_SUBSCRIPTION_PATH = "/messages/{id}/thread/subscription"
Limit = Annotated[int, msgspec.Meta(ge=1, le=THREADS_PER_PAGE_MAX)]


class ThreadQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of the list of threads: those that changed before a place."""

    limit: Limit | None = None
    per_page: Limit | None = None
    """The same as `limit`."""
    participated_by_me: bool = True
    affix: Literal["prepend"] = "prepend"
    """The list goes on towards earlier changes only."""
    updated_at: Time | None = None
    id: str | None = None

    def window(self) -> ThreadWindow:
        """The part of the list that is asked for. Raises ERR_BAD_REQUEST."""
        if not self.participated_by_me:
            raise bad_request(
                "The list holds threads that the user follows; leave participatedByMe out.",
                {"participatedByMe": "must be true"},
            )
        if self.id is not None and self.updated_at is None:
            raise bad_request(
                "id goes with updatedAt, both as meta.previous tells them.",
                {"updatedAt": "is required with id"},
            )
        limit = self.limit or self.per_page or MESSAGES_PER_PAGE_DEFAULT
        return ThreadWindow(limit, self.updated_at, self.id)


class Thread(Message, frozen=True, kw_only=True):
    """The parent of a thread; `updatedAt` is the time of the thread's last change."""

    last_reply: Message | None = None
    """The newest one; of a deleted one without text, as of a deleted parent."""


class ThreadPlace(msgspec.Struct, frozen=True, rename="camel"):
    """Where the list goes on, in the query's own words."""

    affix: str
    updated_at: int
    id: str


class ThreadsMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """`meta` of the list of threads; `previous` is absent on the last page."""

    current: Current
    previous: ThreadPlace | None = None


def _fields(shown: Shown) -> dict[str, Any]:
    """The fields of a message, whether it was deleted or not."""
    return {name: getattr(shown, name, None) for name in Message.__struct_fields__}


def _told(thread: FollowedThread) -> Thread:
    last_reply = None if thread.last_reply is None else Message(**_fields(thread.last_reply))
    fields = _fields(thread.parent)
    fields |= {"updated_at": thread.updated_at, "thread_subscribed": True}
    return Thread(**fields, last_reply=last_reply)


class ThreadRoutes:
    """Handlers of `/messages/{id}/thread` and `/threads`."""

    def __init__(self, messages: Messages, history: History, threads: Threads) -> None:
        self._messages = messages
        self._history = history
        self._threads = threads

    async def reply(self, call: Call) -> Answer:
        uid = call.require_on_behalf_of()
        return Answer(await self._messages.reply(call.app.key, call.path["id"], call.body, uid))

    async def replies(self, call: Call) -> Answer:
        query: MessageQuery = call.query
        window = query.window()
        found = await self._history.page_of_thread(
            call.app.key,
            call.path["id"],
            query.filter(),
            window,
            call.on_behalf_of,
            shape=query.shape(call.on_behalf_of),
        )
        return Answer(list(found), messages_meta(window, found))

    async def follow(self, call: Call) -> Answer:
        uid, message_id = call.require_on_behalf_of(), call.path["id"]
        await self._threads.follow(call.app.key, message_id, uid)
        return Answer(Done(True, f"The user {uid} follows the thread of the message {message_id}."))

    async def leave(self, call: Call) -> Answer:
        uid, message_id = call.require_on_behalf_of(), call.path["id"]
        await self._threads.leave(call.app.key, message_id, uid)
        told = f"The user {uid} does not follow the thread of the message {message_id}."
        return Answer(Done(True, told))

    async def page(self, call: Call) -> Answer:
        query: ThreadQuery = call.query
        window = query.window()
        uid = call.require_on_behalf_of()
        found = [_told(one) for one in await self._threads.page(call.app.key, window, uid)]
        current = Current(window.limit, len(found))
        if len(found) < window.limit:
            return Answer(found, ThreadsMeta(current))
        last = found[-1]
        return Answer(found, ThreadsMeta(current, ThreadPlace("prepend", last.updated_at, last.id)))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_replies(), *self._routes_of_followers()]

    def _routes_of_replies(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path=_PATH,
                handler=self.reply,
                summary="Reply in a message's thread",
                tag=TAG,
                answer=Message,
                body=SendMessage,
                acts_for="required",
                errors=(
                    *ACCESS_ERRORS,
                    "ERR_MESSAGE_THREAD_NESTING",
                    "ERR_WRONG_MESSAGE_THREAD",
                    "ERR_WRONG_MESSAGE_THREAD_CATEGORY",
                    "ERR_MESSAGE_ACTION_NOT_ALLOWED",
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
                path=_PATH,
                handler=self.replies,
                summary="List the replies in a message's thread",
                tag=TAG,
                answer=list[Message | DeletedMessage],
                meta=MessagesMeta,
                query=MessageQuery,
                acts_for="optional",
                errors=ACCESS_ERRORS,
            ),
        ]

    def _routes_of_followers(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path=_SUBSCRIPTION_PATH,
                handler=self.follow,
                summary="Follow a message's thread",
                tag=TAG,
                answer=Done,
                acts_for="required",
                errors=(
                    *ACCESS_ERRORS,
                    "ERR_MESSAGE_THREAD_NESTING",
                    "ERR_WRONG_MESSAGE_THREAD_CATEGORY",
                    "ERR_MESSAGE_ACTION_NOT_ALLOWED",
                ),
            ),
            Route(
                method="DELETE",
                path=_SUBSCRIPTION_PATH,
                handler=self.leave,
                summary="Follow a message's thread no more",
                tag=TAG,
                answer=Done,
                acts_for="required",
                errors=ACCESS_ERRORS,
            ),
            Route(
                method="GET",
                path="/threads",
                handler=self.page,
                summary="List the threads that a user follows",
                tag=TAG,
                answer=list[Thread],
                meta=ThreadsMeta,
                query=ThreadQuery,
                acts_for="required",
                errors=("ERR_UID_NOT_FOUND", "ERR_MESSAGE_ID_NOT_FOUND"),
            ),
        ]
