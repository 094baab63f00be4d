"""Reactions to messages (rest-api.md C12)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.messages_routes import Current, MessagesMeta, Place, Time
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.limits import REACTIONS_PER_PAGE_DEFAULT, REACTIONS_PER_PAGE_MAX
from chathooks.chat.reactions import Reactions, ReactionWindow
from chathooks_events.entities import DeletedMessage, Message, Reaction

TAG = "Reactions"

Limit = Annotated[int, msgspec.Meta(ge=1, le=REACTIONS_PER_PAGE_MAX)]

_ACCESS = (
    "ERR_MESSAGE_ID_NOT_FOUND",
    "ERR_UID_NOT_FOUND",
    "ERR_GROUP_NOT_JOINED",
    "ERR_MESSAGE_NO_ACCESS",
)


class ReactionQuery(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Query of a list of reactions: a window by id."""

    limit: Limit = REACTIONS_PER_PAGE_DEFAULT
    affix: Literal["prepend", "append"] = "prepend"
    """`prepend`: older than `id`; `append`: newer."""
    id: str | None = None
    sent_at: Time | None = None
    """With `id`, as `meta` tells it: the id says the place."""

    def window(self) -> ReactionWindow:
        """The part of the list that is asked for. Raises ERR_BAD_REQUEST."""
        if self.sent_at is not None and self.id is None:
            raise bad_request(
                "sentAt goes with id, both as meta tells them.", {"id": "is required with sentAt"}
            )
        return ReactionWindow(self.limit, self.affix == "append", self.id)


class ReactionRoutes:
    """Handlers of `/messages/{id}/reactions`."""

    def __init__(self, reactions: Reactions) -> None:
        self._reactions = reactions

    async def add(self, call: Call) -> Answer:
        uid = call.require_on_behalf_of()
        return Answer(
            await self._reactions.add(call.app.key, call.path["id"], call.path["reaction"], uid)
        )

    async def remove(self, call: Call) -> Answer:
        uid = call.require_on_behalf_of()
        return Answer(
            await self._reactions.remove(call.app.key, call.path["id"], call.path["reaction"], uid)
        )

    async def page(self, call: Call) -> Answer:
        query: ReactionQuery = call.query
        found = await self._reactions.page(
            call.app.key,
            call.path["id"],
            query.window(),
            reaction=call.path.get("reaction"),
            on_behalf_of=call.on_behalf_of,
        )
        return Answer(found, _meta(query.limit, found))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        path = "/messages/{id}/reactions/{reaction}"
        return [
            Route(
                method="POST",
                path=path,
                handler=self.add,
                summary="React to a message",
                tag=TAG,
                answer=Message | DeletedMessage,
                acts_for="required",
                errors=(*_ACCESS, "ERR_MESSAGE_ACTION_NOT_ALLOWED", "ERR_PLAN_QUOTA_RESTRICTION"),
            ),
            Route(
                method="DELETE",
                path=path,
                handler=self.remove,
                summary="Take a reaction back",
                tag=TAG,
                answer=Message | DeletedMessage,
                acts_for="required",
                errors=(*_ACCESS, "ERR_MESSAGE_ACTION_NOT_ALLOWED", "ERR_REACTION_NOT_FOUND"),
            ),
            self._list("/messages/{id}/reactions", "List the reactions to a message"),
            self._list(path, "List the reactions of one kind to a message"),
        ]

    def _list(self, path: str, summary: str) -> Route:
        return Route(
            method="GET",
            path=path,
            handler=self.page,
            summary=summary,
            tag=TAG,
            answer=list[Reaction],
            meta=MessagesMeta,
            query=ReactionQuery,
            acts_for="optional",
            errors=_ACCESS,
        )


def _meta(limit: int, found: list[Reaction]) -> MessagesMeta:
    current = Current(limit, len(found))
    if not found:
        return MessagesMeta(current)
    first, last = found[0], found[-1]
    return MessagesMeta(
        current,
        next=Place("append", last.reacted_at, last.id),
        previous=Place("prepend", first.reacted_at, first.id),
    )
