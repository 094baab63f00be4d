"""Users: create, list, read, update. No trigger exists for any of it (rest-api.md C2).

`tx` of a command is one transaction; checks that decide a change are made in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from chathooks.chat.actors import Actor, actor_of, unknown_uid
from chathooks.chat.fields import checked_url, stored_metadata, stored_tags
from chathooks.chat.filters import UserFilter
from chathooks.chat.requests import NewUser, UserChange
from chathooks.chat.store import ChatTransaction, Relation, UserRecord
from chathooks.chat.views import user_answer
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store
from chathooks_events.entities import User

DEFAULT_ROLE = "default"
AUTH_TOKEN_RANDOM_BYTES = 20
UNIX_SECONDS_DIGITS = 10


@dataclass(frozen=True, slots=True)
class CreatedUser:
    """A new user, and the token if one was asked for; the only time that it is shown."""

    user: User
    auth_token: str | None


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of users and how many there are."""

    users: list[User]
    total: int


def auth_token(uid: str, now_s: int, random: RandomBytes) -> str:
    """A new token: `<uid>_<10-digit unix seconds><hex>` (rest-api.md A3)."""
    return f"{uid}_{now_s:0{UNIX_SECONDS_DIGITS}d}{random(AUTH_TOKEN_RANDOM_BYTES).hex()}"


def _created(request: NewUser, now_s: int) -> UserRecord:
    metadata, private = stored_metadata(request.metadata)
    return UserRecord(
        key=0,
        uid=request.uid.lower(),
        name=request.name,
        avatar=checked_url("avatar", request.avatar),
        link=checked_url("link", request.link),
        role=(request.role or DEFAULT_ROLE).lower(),
        status_message=request.status_message or None,
        metadata=metadata,
        private_metadata=private,
        tags=stored_tags(request.tags),
        created_at=now_s,
        updated_at=None,
        deactivated_at=None,
        built_in=0,
    )


def _changes(request: UserChange) -> dict[str, object]:
    """The record's fields that a request sets, checked."""
    changes: dict[str, object] = {}
    if request.name is not None:
        changes["name"] = request.name
    if request.avatar is not None:
        changes["avatar"] = checked_url("avatar", request.avatar)
    if request.link is not None:
        changes["link"] = checked_url("link", request.link)
    if request.role is not None:
        changes["role"] = request.role.lower()
    if request.status_message is not None:
        changes["status_message"] = request.status_message or None
    if request.metadata is not None:
        changes["metadata"], changes["private_metadata"] = stored_metadata(request.metadata)
    if request.tags is not None:
        changes["tags"] = stored_tags(request.tags)
    for field in request.unset:
        changes[field] = None
        if field == "metadata":
            changes["private_metadata"] = None
    return changes


class Users:
    """The users of all apps."""

    def __init__(self, store: Store[ChatTransaction], clock: Clock, random: RandomBytes) -> None:
        self._store = store
        self._clock = clock
        self._random = random

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    async def create(self, app: int, request: NewUser) -> CreatedUser:
        """Create a user, with an auth token if asked for.

        Raises:
            ChathooksError: ERR_UID_ALREADY_EXISTS, ERR_BAD_REQUEST, ERR_INVALID_METADATA.
        """
        now_s = self._now_s()
        user = _created(request, now_s)
        token = auth_token(user.uid, now_s, self._random) if request.with_auth_token else None

        async def create(tx: ChatTransaction) -> None:
            key = await tx.add_user(app, user)
            if key is None:
                raise ChathooksError(
                    "ERR_UID_ALREADY_EXISTS",
                    f"The uid {user.uid} is taken; choose another or update that user.",
                    {"uid": "is taken"},
                )
            if token is not None:
                await tx.add_auth_token(app, key, digest(token), mask(token), now_s)

        await self._store.write(create)
        return CreatedUser(user_answer(user), token)

    async def get(self, app: int, uid: str, on_behalf_of: str | None = None) -> User:
        """One active user, as `on_behalf_of` sees them if given. Raises ERR_UID_NOT_FOUND."""

        async def get(tx: ChatTransaction) -> User:
            viewer = None if on_behalf_of is None else await actor_of(tx, app, on_behalf_of)
            found = (await tx.users_by_uid(app, (uid,))).get(uid)
            if found is None:
                raise unknown_uid(uid)
            return (await _seen(tx, [found], viewer, with_tags=True))[0]

        return await self._store.read(get)

    async def update(self, app: int, uid: str, request: UserChange) -> User:
        """Change what the request names.

        Raises:
            ChathooksError: ERR_UID_NOT_FOUND, ERR_PERMISSION_DENIED (built-in user), ERR_BAD_REQUEST,
                ERR_INVALID_METADATA.
        """
        changes = _changes(request)
        if not changes:
            raise ChathooksError("ERR_BAD_REQUEST", "Name at least one field to change.")
        changes["updated_at"] = self._now_s()

        async def update(tx: ChatTransaction) -> UserRecord:
            found = (await tx.users_by_uid(app, (uid,))).get(uid)
            if found is None:
                raise unknown_uid(uid)
            if found.built_in:
                raise ChathooksError(
                    "ERR_PERMISSION_DENIED", f"{uid} is built in and cannot be changed."
                )
            user = msgspec.structs.replace(found, **changes)
            await tx.update_user(app, user)
            return user

        return user_answer(await self._store.write(update))

    async def page(
        self,
        app: int,
        only: UserFilter,
        *,
        limit: int,
        offset: int,
        with_tags: bool = False,
        on_behalf_of: str | None = None,
    ) -> UserPage:
        """A page of users by uid. Raises ERR_UID_NOT_FOUND for an unknown `on_behalf_of`."""

        async def query(tx: ChatTransaction) -> UserPage:
            viewer = None if on_behalf_of is None else await actor_of(tx, app, on_behalf_of)
            found = await tx.list_users(app, only, limit, offset)
            total = await tx.count_users(app, only)
            return UserPage(await _seen(tx, found, viewer, with_tags=with_tags), total)

        return await self._store.read(query)


async def _seen(
    tx: ChatTransaction, users: Sequence[UserRecord], viewer: Actor | None, *, with_tags: bool
) -> list[User]:
    """The users as the viewer sees them, or the app."""
    if viewer is None:
        return [user_answer(user, with_tags=with_tags) for user in users]
    relations = await tx.relations(viewer.user.key, [user.key for user in users])
    return [
        user_answer(
            user,
            seen_by=viewer.uid,
            with_tags=with_tags,
            relation=None if user.uid == viewer.uid else relations.get(user.key, Relation()),
        )
        for user in users
    ]
