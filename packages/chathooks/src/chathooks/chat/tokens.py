"""Auth tokens of users: create, list, read, describe, delete (rest-api.md A3, C3).

Only the SHA-256 of a token is kept, and its last four characters to tell it by (delivery contract §4). So
a token is shown once, and each creation makes a new one.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from chathooks.chat.actors import unknown_uid
from chathooks.chat.fields import refuse
from chathooks.chat.limits import AUTH_TOKENS_PER_USER_MAX, METADATA_BYTES_MAX
from chathooks.chat.requests import TokenChange
from chathooks.chat.store import ChatTransaction, TokenRecord, UserRecord
from chathooks.chat.users import auth_token
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store

_encode = msgspec.json.Encoder().encode


class AuthToken(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A token; `authToken` is the whole of it in the answer to its creation, else its mask."""

    uid: str
    auth_token: str
    created_at: int
    platform: str | None = None
    user_agent: str | None = None
    app_info: Any = None


@dataclass(frozen=True, slots=True)
class TokenPage:
    """A page of tokens and how many there are."""

    tokens: list[AuthToken]
    total: int


def _told(uid: str, token: TokenRecord) -> AuthToken:
    return AuthToken(
        uid,
        token.masked,
        token.created_at,
        token.platform,
        token.user_agent,
        None if token.app_info is None else msgspec.Raw(token.app_info.encode()),
    )


async def _user(tx: ChatTransaction, app: int, uid: str) -> UserRecord:
    user = (await tx.users_by_uid(app, (uid,))).get(uid)
    if user is None or user.built_in:
        raise unknown_uid(uid)
    return user


async def _token(tx: ChatTransaction, app: int, uid: str, token: str) -> TokenRecord:
    """Raises ERR_UID_NOT_FOUND, ERR_AUTH_TOKEN_NOT_FOUND, ERR_AUTHTOKEN_NOT_ACCESSIBLE."""
    user = await _user(tx, app, uid)
    found = await tx.auth_token(app, digest(token))
    if found is None:
        raise ChathooksError(
            "ERR_AUTH_TOKEN_NOT_FOUND", "There is no such auth token.", {"authToken": "is unknown"}
        )
    if found.user != user.key:
        raise ChathooksError(
            "ERR_AUTHTOKEN_NOT_ACCESSIBLE",
            f"This auth token is not one of {uid}.",
            {"authToken": "belongs to another user"},
        )
    return found


class AuthTokens:
    """The auth tokens of the users of all apps."""

    def __init__(self, store: Store[ChatTransaction], clock: Clock, random: RandomBytes) -> None:
        self._store = store
        self._clock = clock
        self._random = random

    async def create(self, app: int, uid: str) -> AuthToken:
        """A new token; the oldest goes where the user has 100. Raises ERR_UID_NOT_FOUND."""
        now_s = self._clock.wall_ms() // MS_PER_S
        token = auth_token(uid, now_s, self._random)

        async def create(tx: ChatTransaction) -> AuthToken:
            user = await _user(tx, app, uid)
            if await tx.count_auth_tokens(user.key) >= AUTH_TOKENS_PER_USER_MAX:
                await tx.drop_oldest_auth_token(user.key)
            await tx.add_auth_token(app, user.key, digest(token), mask(token), now_s)
            return AuthToken(uid, token, now_s)

        return await self._store.write(create)

    async def page(self, app: int, uid: str, *, limit: int, offset: int) -> TokenPage:
        """A page of the user's tokens, masked, oldest first. Raises ERR_UID_NOT_FOUND."""

        async def query(tx: ChatTransaction) -> TokenPage:
            user = await _user(tx, app, uid)
            found = await tx.list_auth_tokens(user.key, limit, offset)
            total = await tx.count_auth_tokens(user.key)
            return TokenPage([_told(uid, token) for token in found], total)

        return await self._store.read(query)

    async def get(self, app: int, uid: str, token: str) -> AuthToken:
        """One token, masked.

        Raises ERR_UID_NOT_FOUND, ERR_AUTH_TOKEN_NOT_FOUND, ERR_AUTHTOKEN_NOT_ACCESSIBLE.
        """

        async def query(tx: ChatTransaction) -> AuthToken:
            return _told(uid, await _token(tx, app, uid, token))

        return await self._store.read(query)

    async def update(self, app: int, uid: str, token: str, request: TokenChange) -> AuthToken:
        """Say where the token is used.

        Raises:
            ChathooksError: ERR_UID_NOT_FOUND, ERR_AUTH_TOKEN_NOT_FOUND, ERR_AUTHTOKEN_NOT_ACCESSIBLE,
                ERR_BAD_REQUEST.
        """
        changes: dict[str, str] = {}
        if request.platform is not None:
            changes["platform"] = request.platform
        if request.user_agent is not None:
            changes["user_agent"] = request.user_agent
        if request.app_info is not None:
            changes["app_info"] = _encode(request.app_info).decode()
            if len(changes["app_info"].encode()) > METADATA_BYTES_MAX:
                raise refuse("appInfo", f"is larger than {METADATA_BYTES_MAX} bytes")
        if not changes:
            raise ChathooksError("ERR_BAD_REQUEST", "Name at least one field to change.")

        async def update(tx: ChatTransaction) -> AuthToken:
            found = msgspec.structs.replace(await _token(tx, app, uid, token), **changes)
            await tx.update_auth_token(found)
            return _told(uid, found)

        return await self._store.write(update)

    async def delete(self, app: int, uid: str, token: str) -> None:
        """Delete one token.

        Raises ERR_UID_NOT_FOUND, ERR_AUTH_TOKEN_NOT_FOUND, ERR_AUTHTOKEN_NOT_ACCESSIBLE.
        """

        async def delete(tx: ChatTransaction) -> None:
            await tx.delete_auth_token((await _token(tx, app, uid, token)).digest)

        await self._store.write(delete)

    async def clear(self, app: int, uid: str) -> None:
        """Delete all tokens of a user. Raises ERR_UID_NOT_FOUND."""

        async def clear(tx: ChatTransaction) -> None:
            await tx.delete_auth_tokens((await _user(tx, app, uid)).key)

        await self._store.write(clear)
