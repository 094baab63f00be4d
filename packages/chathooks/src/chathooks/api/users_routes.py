"""Users (rest-api.md C2). Keys of scope `authOnly` may create and update them (delivery contract §7)."""

from typing import Annotated, Literal

import msgspec

from chathooks.api.chat_answers import IDS_PER_QUERY_MAX, Done, Presence, SearchKey, TagFilter
from chathooks.api.paging import PageMeta, PageQuery, page_meta
from chathooks.api.routing import Answer, Call, Route
from chathooks.chat.departures import Departures
from chathooks.chat.filters import UserFilter
from chathooks.chat.requests import (
    Id,
    NewUser,
    UidsToActivate,
    UidsToDeactivate,
    UserChange,
    UserRemoval,
)
from chathooks.chat.users import UserPage, Users
from chathooks_events.entities import User

TAG = "Users"
AUTH_ONLY = "authOnly"

Roles = Annotated[tuple[Id, ...], msgspec.Meta(max_length=IDS_PER_QUERY_MAX)]


class UserQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Query of the list of users."""

    search_key: SearchKey = ""
    """The beginning of the uid or the name."""
    search_in: tuple[Literal["uid", "name"], ...] = ()
    status: Presence | None = None
    count: bool = False
    """Accepted and without effect: `meta` always tells the total."""
    role: Id | None = None
    roles: Roles = ()
    tags: TagFilter = ()
    with_tags: bool = False
    only_deactivated: bool = False
    with_deactivated: bool = False

    def filter(self) -> UserFilter:
        """Which users are asked for."""
        deactivated = True if self.only_deactivated else None if self.with_deactivated else False
        roles = [*self.roles, *([] if self.role is None else [self.role])]
        return UserFilter(
            search=self.search_key or None,
            search_uid=not self.search_in or "uid" in self.search_in,
            search_name=not self.search_in or "name" in self.search_in,
            roles=tuple(role.lower() for role in roles),
            tags=tuple(self.tags),
            deactivated=deactivated,
        )


class NewUserAnswer(User, frozen=True, kw_only=True):
    """The new user; `authToken` only where it was asked for, and only this once."""

    auth_token: str | None = None


class Deactivated(msgspec.Struct, frozen=True, rename="camel"):
    """Who was deactivated."""

    deactivated_uids: list[str]


class Reactivated(msgspec.Struct, frozen=True, rename="camel"):
    """Who of those named is active now."""

    non_deactivated_uids: list[str]


class UserRoutes:
    """Handlers of `/users`."""

    def __init__(self, users: Users, departures: Departures) -> None:
        self._users = users
        self._departures = departures

    async def create(self, call: Call) -> Answer:
        created = await self._users.create(call.app.key, call.body)
        if created.auth_token is None:
            return Answer(created.user)
        fields = {name: getattr(created.user, name) for name in User.__struct_fields__}
        return Answer(NewUserAnswer(**fields, auth_token=created.auth_token))

    async def page(self, call: Call) -> Answer:
        query: UserQuery = call.query
        page = UserPage([], 0)
        if query.status != "available":
            page = await self._users.page(
                call.app.key,
                query.filter(),
                limit=query.per_page,
                offset=query.offset,
                with_tags=query.with_tags,
                on_behalf_of=call.on_behalf_of,
            )
        last = page.users[-1] if page.users else None
        meta = page_meta(
            query,
            total=page.total,
            count=len(page.users),
            updated_at=None if last is None else last.updated_at or last.created_at,
        )
        return Answer(page.users, meta)

    async def get(self, call: Call) -> Answer:
        return Answer(
            await self._users.get(call.app.key, call.path["uid"].lower(), call.on_behalf_of)
        )

    async def update(self, call: Call) -> Answer:
        return Answer(await self._users.update(call.app.key, call.path["uid"].lower(), call.body))

    async def deactivate(self, call: Call) -> Answer:
        uids = call.body.uids_to_deactivate
        return Answer(Deactivated(await self._departures.deactivate(call.app.key, uids)))

    async def reactivate(self, call: Call) -> Answer:
        uids = call.body.uids_to_activate
        return Answer(Reactivated(await self._departures.reactivate(call.app.key, uids)))

    async def delete(self, call: Call) -> Answer:
        uid = call.path["uid"].lower()
        removal: UserRemoval = call.body or UserRemoval()
        await self._departures.delete(call.app.key, uid, permanent=removal.permanent)
        return Answer(Done(True, f"User with {uid} has been deleted successfully."))

    def routes(self) -> list[Route]:
        """All calls of this module."""
        return [*self._routes_of_users(), *self._routes_of_departures()]

    def _routes_of_departures(self) -> list[Route]:
        return [
            Route(
                method="DELETE",
                path="/users",
                handler=self.deactivate,
                core=True,
                summary="Deactivate users",
                tag=TAG,
                answer=Deactivated,
                body=UidsToDeactivate,
                errors=("ERR_PERMISSION_DENIED",),
            ),
            Route(
                method="PUT",
                path="/users",
                handler=self.reactivate,
                summary="Activate users again",
                tag=TAG,
                answer=Reactivated,
                body=UidsToActivate,
                errors=("ERR_OPERATION_FAILED",),
            ),
            Route(
                method="DELETE",
                path="/users/{uid}",
                handler=self.delete,
                core=True,
                summary="Deactivate a user or delete one for good",
                tag=TAG,
                answer=Done,
                body=UserRemoval,
                body_required=False,
                errors=("ERR_UID_NOT_FOUND", "ERR_PERMISSION_DENIED"),
            ),
        ]

    def _routes_of_users(self) -> list[Route]:
        return [
            Route(
                method="POST",
                path="/users",
                handler=self.create,
                core=True,
                summary="Create a user",
                tag=TAG,
                answer=NewUserAnswer,
                body=NewUser,
                scope=AUTH_ONLY,
                errors=("ERR_UID_ALREADY_EXISTS", "ERR_INVALID_METADATA"),
            ),
            Route(
                method="GET",
                path="/users",
                handler=self.page,
                summary="List users",
                tag=TAG,
                answer=list[User],
                meta=PageMeta,
                query=UserQuery,
                acts_for="optional",
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="GET",
                path="/users/{uid}",
                handler=self.get,
                summary="Read a user",
                tag=TAG,
                answer=User,
                acts_for="optional",
                errors=("ERR_UID_NOT_FOUND",),
            ),
            Route(
                method="PUT",
                path="/users/{uid}",
                handler=self.update,
                summary="Update a user",
                tag=TAG,
                answer=User,
                body=UserChange,
                scope=AUTH_ONLY,
                errors=("ERR_UID_NOT_FOUND", "ERR_INVALID_METADATA", "ERR_PERMISSION_DENIED"),
            ),
        ]
