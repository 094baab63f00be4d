"""Groups (rest-api.md C6, C9)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.chat_answers import Done, SearchKey, TagFilter
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.problems import bad_request
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.admission import MemberResult
from chathooks.chat.filters import GroupFilter
from chathooks.chat.groups import Groups
from chathooks.chat.requests import GroupChange, NewGroup
from chathooks_events.entities import Group, GroupType

TAG = "Groups"


class GroupQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of groups."""

    search_key: SearchKey = ""
    """The beginning of the guid or the name."""
    search_in: tuple[Literal["guid", "name"], ...] = ()
    sort_by: Literal["name", "guid", "createdAt"] = "guid"
    sort_order: Literal["asc", "desc"] = "asc"
    tags: TagFilter = ()
    with_tags: bool = False
    type: GroupType | None = None
    types: tuple[GroupType, ...] = ()
    updated_at: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    """Only groups that were made or changed after it, or before it, in this order (unix s)."""
    affix: Literal["append", "prepend"] = "append"
    """With `updatedAt`: `append` after it, the earliest first; `prepend` before it, the latest first."""
    has_joined: bool = False
    """Only groups that the user of `onBehalfOf` is in."""

    def filter(self) -> GroupFilter:
        """Which groups are asked for."""
        after, before = self.updated_at, None
        if self.affix == "prepend":
            after, before = before, after
        by_change = self.updated_at is not None
        return GroupFilter(
            search=self.search_key or None,
            search_guid=not self.search_in or "guid" in self.search_in,
            search_name=not self.search_in or "name" in self.search_in,
            types=(*self.types, *(() if self.type is None else (self.type,))),
            tags=tuple(self.tags),
            joined=self.has_joined,
            changed_after=after,
            changed_before=before,
            sort="updatedAt" if by_change else self.sort_by,
            descending=self.affix == "prepend" if by_change else self.sort_order == "desc",
        )


class NewGroupAnswer(Group, frozen=True, kw_only=True):
    """The new group; `members` has a result per array and uid where members were asked for."""

    members: dict[str, dict[str, MemberResult]] | None = None


class GroupRoutes:
    """Handlers of `/groups`."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    async def create(self, call: Call) -> Answer:
        created = await self._groups.create(call.app.key, call.body, call.on_behalf_of)
        if created.members is None:
            return Answer(created.group)
        fields = {name: getattr(created.group, name) for name in Group.__struct_fields__}
        return Answer(NewGroupAnswer(**fields, members=created.members))

    async def page(self, call: Call) -> Answer:
        query: GroupQuery = call.query
        if query.has_joined and call.on_behalf_of is None:
            raise bad_request(
                "hasJoined needs the onBehalfOf header.", {"hasJoined": "needs onBehalfOf"}
            )
        page = await self._groups.page(
            call.app.key,
            query.filter(),
            limit=query.per_page,
            offset=query.offset,
            with_tags=query.with_tags,
            on_behalf_of=call.on_behalf_of,
        )
        last = page.groups[-1] if page.groups else None
        meta = page_meta(
            query,
            total=page.total,
            count=len(page.groups),
            updated_at=None if last is None else last.updated_at or last.created_at,
            affix=query.affix,
        )
        return Answer(page.groups, meta)

    async def get(self, call: Call) -> Answer:
        return Answer(
            await self._groups.get(call.app.key, call.path["guid"].lower(), call.on_behalf_of)
        )

    async def update(self, call: Call) -> Answer:
        guid = call.path["guid"].lower()
        return Answer(await self._groups.update(call.app.key, guid, call.body, call.on_behalf_of))

    async def delete(self, call: Call) -> Answer:
        guid = call.path["guid"].lower()
        await self._groups.delete(call.app.key, guid, call.on_behalf_of)
        return Answer(Done(True, f"Group with guid {guid} has been deleted successfully."))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_all(), *self._routes_of_one()]

    def _routes_of_all(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/groups",
                handler=self.create,
                core=True,
                summary="Create a group",
                tag=TAG,
                answer=NewGroupAnswer,
                body=NewGroup,
                acts_for="optional",
                errors=(
                    "ERR_GUID_ALREADY_EXISTS",
                    "ERR_UID_NOT_FOUND",
                    "ERR_EMPTY_GROUP_PASS",
                    "ERR_INVALID_METADATA",
                    "ERR_PLAN_QUOTA_RESTRICTION",
                ),
            ),
            Route(
                method="GET",
                path="/groups",
                handler=self.page,
                summary="List groups",
                tag=TAG,
                answer=list[Group],
                meta=PageMeta,
                query=GroupQuery,
                acts_for="optional",
                errors=("ERR_UID_NOT_FOUND",),
            ),
        ]

    def _routes_of_one(self) -> list[Route]:
        return [
            Route(
                method="GET",
                path="/groups/{guid}",
                handler=self.get,
                summary="Read a group",
                tag=TAG,
                answer=Group,
                acts_for="optional",
                errors=("ERR_GUID_NOT_FOUND", "ERR_UID_NOT_FOUND", "ERR_GROUP_NOT_JOINED"),
            ),
            Route(
                method="PUT",
                path="/groups/{guid}",
                handler=self.update,
                summary="Update a group or hand it over",
                tag=TAG,
                answer=Group,
                body=GroupChange,
                acts_for="optional",
                errors=(
                    "ERR_GUID_NOT_FOUND",
                    "ERR_UID_NOT_FOUND",
                    "ERR_NOT_A_MEMBER",
                    "ERR_GROUP_NOT_JOINED",
                    "ERR_GROUP_NO_MODERATOR_SCOPE",
                    "ERR_EMPTY_GROUP_PASS",
                    "ERR_INVALID_METADATA",
                ),
            ),
            Route(
                method="DELETE",
                path="/groups/{guid}",
                handler=self.delete,
                summary="Delete a group",
                tag=TAG,
                answer=Done,
                acts_for="optional",
                errors=(
                    "ERR_GUID_NOT_FOUND",
                    "ERR_UID_NOT_FOUND",
                    "ERR_GROUP_NOT_JOINED",
                    "ERR_GROUP_NO_ADMIN_SCOPE",
                ),
            ),
        ]
