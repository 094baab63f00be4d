"""Users of chat on PostgreSQL."""

from collections.abc import Collection
from typing import Any

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.filters import UserFilter
from chathooks.chat.limits import FILTERED_TOTAL_MAX, INDEXED_TOTAL_MAX
from chathooks.chat.store import UserRecord

_SQL = statements("chat_users.sql")
_USER = _SQL["user"]
_TWO_USERS = _SQL["two_users"]
_NUMBER_BY_STATE = {False: "active", True: "deactivated", None: "active + deactivated"}
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
        if only.is_one_role:
            sql = _SQL["list_users_of_role"].replace("{where}", _of_state(only))
            rest = max(0, min(limit, INDEXED_TOTAL_MAX - offset))
            rows = await self._all(numbered(sql), (app, only.roles[0], rest, offset))
        elif only.narrows:
            candidates, where, parameters = _narrowed(app, only)
            sql = _SQL["list_users_found"].replace("{candidates}", candidates)
            rest = max(0, min(limit, FILTERED_TOTAL_MAX - offset))
            rows = await self._all(
                numbered(sql.replace("{where}", where)), (*parameters, rest, offset)
            )
        else:
            first, before = await self._range_of_page(app, only, offset)
            sql = _SQL["list_users"].replace("{where}", _of_state(only))
            rows = await self._all(numbered(sql), (app, first, limit, offset - before))
        return [UserRecord(*row) for row in rows]

    async def _range_of_page(self, app: int, only: UserFilter, offset: int) -> tuple[str, int]:
        """Where the counted range begins that holds the entry at `offset`, and how many stand before it."""
        if offset == 0:
            return "", 0
        number = _NUMBER_BY_STATE[only.deactivated]
        sql = _SQL["range_of_page"].replace("{number}", number)
        row: tuple[str, int] = await self._one(numbered(sql), (app, offset))
        return row

    async def count_users(self, app: int, only: UserFilter) -> int:
        if not only.narrows:
            active = 0 if only.deactivated is True else await self._counter(app, "users")
            gone = 0 if only.deactivated is False else await self._counter(app, "users_deactivated")
            return active + gone
        if only.is_one_role:
            sql = _SQL["count_users_of_role"].replace("{where}", _of_state(only))
            return int((await self._one(numbered(sql), (app, only.roles[0], INDEXED_TOTAL_MAX)))[0])
        candidates, where, parameters = _narrowed(app, only)
        sql = _SQL["count_users_found"].replace("{candidates}", candidates)
        total: int = (await self._one(numbered(sql.replace("{where}", where)), parameters))[0]
        return min(total, FILTERED_TOTAL_MAX)

    async def _counter(self, app: int, name: str) -> int:
        value: int = (await self._one(_SQL["counter"], (app, name)))[0]
        return value


def _of_state(only: UserFilter) -> str:
    if only.deactivated is None:
        return ""
    return f" AND deactivated_at IS {'NOT NULL' if only.deactivated else 'NULL'}"


def _narrowed(app: int, only: UserFilter) -> tuple[str, str, list[Any]]:
    """The narrowest filter as candidates that an index finds, the others as ` AND …`, and all parameters.

    The candidates are limited, so that no list costs more than FILTERED_TOTAL_MAX entries of each index.
    All texts are this package's own.
    """
    which = "uid" if only.search_uid else "name"
    bounds: list[tuple[str, str]] = []
    if only.search is not None and only.search_uid:
        bounds.append(prefix_range(only.search.lower()))
    if only.search is not None and only.search_name:
        bounds.append(prefix_range(only.search.casefold()))
    if len(bounds) == 2:
        which = "uid_or_name"
    search_is_found = False
    if only.tags:
        candidates = _SQL["of_tag"]
        parameters: list[Any] = [app, list(only.tags), FILTERED_TOTAL_MAX]
    elif bounds:
        search_is_found = True
        candidates = _SQL[f"of_{which}"]
        parameters = [part for each in bounds for part in (app, *each, FILTERED_TOTAL_MAX)]
    else:
        candidates = _SQL["of_role"]
        parameters = [app, list(only.roles), FILTERED_TOTAL_MAX]
    found = [_of_state(only)]
    if bounds and not search_is_found:
        found.append(f" AND {_SQL[f'where_{which}_begins']}")
        parameters += [bound for each in bounds for bound in each]
    if only.roles:
        found.append(f" AND {_SQL['where_role']}")
        parameters.append(list(only.roles))
    return candidates, "".join(found), parameters
