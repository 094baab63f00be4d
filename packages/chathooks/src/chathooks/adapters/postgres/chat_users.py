"""Users of chat on PostgreSQL."""

from collections.abc import Collection
from typing import Any

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.filters import UserFilter
from chathooks.chat.limits import FILTERED_TOTAL_MAX
from chathooks.chat.store import UserRecord

_SQL = statements("chat_users.sql")
_USER = _SQL["user"]
_TWO_USERS = _SQL["two_users"]
_LAST_CHARACTER = "\U0010ffff"


def prefix_range(prefix: str) -> tuple[str, str]:
    """Bounds of the texts that begin with `prefix`: first, and beyond the last."""
    return prefix, prefix + _LAST_CHARACTER


class ChatUsersPart(TransactionPart):
    """See `chathooks.chat.store.UserTransaction`."""

    async def user(self, app: int, uid: str) -> UserRecord | None:
        row = await self._one(_USER, (app, uid))
        return None if row is None else UserRecord(*row)

    async def users_by_uid(self, app: int, uids: Collection[str]) -> dict[str, UserRecord]:
        wanted = list(dict.fromkeys(uids))
        if len(wanted) <= 2:
            rows = await self._all(_TWO_USERS, (app, wanted[0], wanted[-1])) if wanted else []
        else:
            rows = await self._all(_SQL["users_by_uid"], (app, wanted))
        return {row[1]: UserRecord(*row) for row in rows}

    async def users_by_key(self, keys: Collection[int]) -> dict[int, UserRecord]:
        rows = await self._all(_SQL["users_by_key"], (list(keys),))
        return {row[0]: UserRecord(*row) for row in rows}

    async def add_user(self, app: int, user: UserRecord) -> int | None:
        rows = await self._all(
            _SQL["add_user"],
            (
                app,
                user.uid,
                user.name,
                user.name.casefold(),
                user.avatar,
                user.link,
                user.role,
                user.status_message,
                user.metadata,
                user.private_metadata,
                user.tags,
                user.created_at,
            ),
        )
        if not rows:
            return None
        key: int = rows[0][0]
        if user.tags is not None:
            await self._run(_SQL["add_tags"], (app, key, user.tags))
        return key

    async def update_user(self, app: int, user: UserRecord) -> None:
        stored = await self.user(app, user.uid)
        await self._run(
            _SQL["update_user"],
            (
                user.name,
                user.name.casefold(),
                user.avatar,
                user.link,
                user.role,
                user.status_message,
                user.metadata,
                user.private_metadata,
                user.tags,
                user.updated_at,
                user.key,
            ),
        )
        if stored is not None and stored.tags != user.tags:
            await self._run(_SQL["forget_tags"], (user.key, app, stored.tags or "[]"))
            await self._run(_SQL["add_tags"], (app, user.key, user.tags or "[]"))

    async def list_users(
        self, app: int, only: UserFilter, limit: int, offset: int
    ) -> list[UserRecord]:
        where, parameters = _conditions(app, only)
        sql = _SQL["list_users"].replace("{where}", where)
        return [
            UserRecord(*row)
            for row in await self._all(numbered(sql), (app, *parameters, limit, offset))
        ]

    async def count_users(self, app: int, only: UserFilter) -> int:
        if only == UserFilter(deactivated=only.deactivated):
            active = 0 if only.deactivated is True else await self._counter(app, "users")
            gone = 0 if only.deactivated is False else await self._counter(app, "users_deactivated")
            return active + gone
        where, parameters = _conditions(app, only)
        sql = _SQL["count_users"].replace("{where}", where)
        total: int = (await self._one(numbered(sql), (app, *parameters, FILTERED_TOTAL_MAX)))[0]
        return total

    async def _counter(self, app: int, name: str) -> int:
        value: int = (await self._one(_SQL["counter"], (app, name)))[0]
        return value


def _conditions(app: int, only: UserFilter) -> tuple[str, list[Any]]:
    """The filter as ` AND …` with its parameters; all texts are this package's own."""
    found: list[str] = []
    parameters: list[Any] = []
    if only.deactivated is not None:
        found.append(f"deactivated_at IS {'NOT NULL' if only.deactivated else 'NULL'}")
    if only.search is not None:
        by_uid, by_name = prefix_range(only.search.lower()), prefix_range(only.search.casefold())
        if only.search_uid and only.search_name:
            found.append(_SQL["where_uid_or_name_begins"])
            parameters += [app, *by_uid, app, *by_name]
        else:
            name = "where_uid_begins" if only.search_uid else "where_name_begins"
            found.append(_SQL[name])
            parameters += by_uid if only.search_uid else by_name
    if only.roles:
        found.append(_SQL["where_role"])
        parameters.append(list(only.roles))
    if only.tags:
        found.append(_SQL["where_tag"])
        parameters += [app, list(only.tags)]
    return "".join(f" AND {condition}" for condition in found), parameters
