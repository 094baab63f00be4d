"""Members of groups (rest-api.md C7)."""

from chathooks.api.chat_answers import Done, Presence
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.admission import MemberResult
from chathooks.chat.members import MemberPage, Members, MemberScope
from chathooks.chat.requests import MemberUids, ScopeChange
from chathooks_events.entities import Member, Scope

TAG = "Members"

_ACTOR = ("ERR_GUID_NOT_FOUND", "ERR_UID_NOT_FOUND", "ERR_GROUP_NOT_JOINED")
_ACTION = (
    *_ACTOR,
    "ERR_NOT_A_MEMBER",
    "ERR_GROUP_NO_MODERATOR_SCOPE",
    "ERR_GROUP_NO_SCOPE_CLEARANCE",
    "ERR_GROUP_NO_SELF_ACTION",
)


class MemberQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of members."""

    status: Presence | None = None
    scopes: tuple[Scope, ...] = ()


class MemberRoutes:
    """Handlers of `/groups/{guid}/members`."""

    def __init__(self, members: Members) -> None:
        self._members = members

    async def add(self, call: Call) -> Answer:
        guid = call.path["guid"].lower()
        return Answer(await self._members.add(call.app.key, guid, call.body, call.on_behalf_of))

    async def page(self, call: Call) -> Answer:
        query: MemberQuery = call.query
        page = await self._members.page(
            call.app.key,
            call.path["guid"].lower(),
            frozenset(query.scopes),
            limit=query.per_page,
            offset=query.offset,
            on_behalf_of=call.on_behalf_of,
        )
        if query.status == "available":
            page = MemberPage([], 0)
        last = page.members[-1] if page.members else None
        meta = page_meta(
            query,
            total=page.total,
            count=len(page.members),
            updated_at=None if last is None else last.updated_at or last.created_at,
        )
        return Answer(page.members, meta)

    async def change_scope(self, call: Call) -> Answer:
        change: ScopeChange = call.body or ScopeChange()
        return Answer(
            await self._members.change_scope(
                call.app.key,
                call.path["guid"].lower(),
                call.path["uid"].lower(),
                change.scope,
                call.on_behalf_of,
            )
        )

    async def kick(self, call: Call) -> Answer:
        guid, uid = call.path["guid"].lower(), call.path["uid"].lower()
        await self._members.kick(call.app.key, guid, uid, call.on_behalf_of)
        return Answer(
            Done(True, f"The member with {uid} has been kicked from the Group with {guid}.")
        )

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [
            Route(
                method="POST",
                path="/groups/{guid}/members",
                handler=self.add,
                summary="Add members",
                tag=TAG,
                answer=dict[str, dict[str, MemberResult]],
                body=MemberUids,
                acts_for="optional",
                errors=(*_ACTOR, "ERR_GROUP_NO_MODERATOR_SCOPE"),
            ),
            Route(
                method="GET",
                path="/groups/{guid}/members",
                handler=self.page,
                summary="List members",
                tag=TAG,
                answer=list[Member],
                meta=PageMeta,
                query=MemberQuery,
                acts_for="optional",
                errors=_ACTOR,
            ),
            Route(
                method="PUT",
                path="/groups/{guid}/members/{uid}",
                handler=self.change_scope,
                summary="Change a member's scope",
                tag=TAG,
                answer=MemberScope,
                body=ScopeChange,
                body_required=False,
                acts_for="optional",
                errors=(*_ACTION, "ERR_SAME_SCOPE"),
            ),
            Route(
                method="DELETE",
                path="/groups/{guid}/members/{uid}",
                handler=self.kick,
                summary="Kick a member",
                tag=TAG,
                answer=Done,
                acts_for="optional",
                errors=_ACTION,
            ),
        ]
