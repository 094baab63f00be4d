"""Members of groups and bans from them (rest-api.md C7, C8)."""

from chathooks.api.chat_answers import Done, Presence
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.admission import MemberResult
from chathooks.chat.bans import Bans
from chathooks.chat.members import MemberPage, Members, MemberScope
from chathooks.chat.requests import MemberUids, ScopeChange
from chathooks_events.entities import Member, Message, Scope

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


class BanAnswer(Message, frozen=True, kw_only=True):
    """The outcome, and in the same object the action message that tells of it."""

    success: bool
    message: str

    @classmethod
    def of(cls, action: Message, message: str) -> "BanAnswer":
        """The answer to a ban or its lifting."""
        fields = {name: getattr(action, name) for name in Message.__struct_fields__}
        return cls(**fields, success=True, message=message)


class MemberRoutes:
    """Handlers of `/groups/{guid}/members` and `/groups/{guid}/bannedusers`."""

    def __init__(self, members: Members, bans: Bans) -> None:
        self._members = members
        self._bans = bans

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

    async def ban(self, call: Call) -> Answer:
        guid, uid = call.path["guid"].lower(), call.path["uid"].lower()
        action = await self._bans.ban(call.app.key, guid, uid, call.on_behalf_of)
        told = f"The member with {uid} has been banned from the Group with {guid}."
        return Answer(BanAnswer.of(action, told))

    async def unban(self, call: Call) -> Answer:
        guid, uid = call.path["guid"].lower(), call.path["uid"].lower()
        action = await self._bans.unban(call.app.key, guid, uid, call.on_behalf_of)
        told = f"The member with {uid} has been unbanned from the Group with {guid}."
        return Answer(BanAnswer.of(action, told))

    async def page_of_bans(self, call: Call) -> Answer:
        query: PageQuery = call.query
        page = await self._bans.page(
            call.app.key,
            call.path["guid"].lower(),
            limit=query.per_page,
            offset=query.offset,
            on_behalf_of=call.on_behalf_of,
        )
        last = page.banned[-1].banned_at if page.banned else None
        meta = page_meta(query, total=page.total, count=len(page.banned), updated_at=last)
        return Answer(page.banned, meta)

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_members(), *self._routes_of_bans()]

    def _routes_of_bans(self) -> list[Route]:
        path = "/groups/{guid}/bannedusers/{uid}"
        return [
            Route(
                method="POST",
                path=path,
                handler=self.ban,
                summary="Ban a member",
                tag=TAG,
                answer=BanAnswer,
                acts_for="optional",
                errors=(*_ACTION, "ERR_ALREADY_BANNED"),
            ),
            Route(
                method="DELETE",
                path=path,
                handler=self.unban,
                summary="Lift a ban",
                tag=TAG,
                answer=BanAnswer,
                acts_for="optional",
                errors=(
                    *_ACTOR,
                    "ERR_NOT_A_BANNED_USER",
                    "ERR_GROUP_NO_MODERATOR_SCOPE",
                    "ERR_GROUP_NO_SELF_ACTION",
                ),
            ),
            Route(
                method="GET",
                path="/groups/{guid}/bannedusers",
                handler=self.page_of_bans,
                summary="List banned users",
                tag=TAG,
                answer=list[Member],
                meta=PageMeta,
                query=PageQuery,
                acts_for="optional",
                errors=(*_ACTOR, "ERR_GROUP_NO_MODERATOR_SCOPE"),
            ),
        ]

    def _routes_of_members(self) -> list[Route]:
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
