"""Blocks between users on PostgreSQL."""

from collections.abc import Collection
from typing import Any

from chathooks.adapters.postgres.chat_users import prefix_range
from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.limits import FILTERED_TOTAL_MAX
from chathooks.chat.store import Relation, UserRecord

_SQL = statements("chat_blocks.sql")
_BLOCKER = _SQL["blocker"]


class ChatBlocksPart(TransactionPart):
    """See `chathooks.chat.store.BlockTransaction`."""

    async def add_block(self, user: int, blocked: int, blocked_at: int) -> bool:
        return await self._run(_SQL["add_block"], (user, blocked, blocked_at)) > 0

    async def remove_block(self, user: int, blocked: int) -> bool:
        return await self._run(_SQL["remove_block"], (user, blocked)) > 0

    async def blocker(self, user: int, other: int) -> int | None:
        row = await self._one(_BLOCKER, (user, other, other, user))
        return None if row is None else row[0]

    async def relations(self, viewer: int, users: Collection[int]) -> dict[int, Relation]:
        keys = list(users)
        found: dict[int, Relation] = {}
        for user, by_me, by_them in await self._all(
            _SQL["relations"], (viewer, keys, viewer, keys)
        ):
            known = found.get(user, Relation())
            found[user] = Relation(by_me or known.blocked_by_me_at, by_them or known.blocked_at)
        return found

    async def list_blocks(
        self, user: int, search: str | None, limit: int, offset: int
    ) -> list[tuple[UserRecord, int]]:
        where, parameters = _begins(search)
        sql = _SQL["list_blocks"].replace("{where}", where)
        rows = await self._all(
            numbered(sql), (user, FILTERED_TOTAL_MAX, *parameters, limit, offset)
        )
        return [(UserRecord(*row[:-1]), row[-1]) for row in rows]

    async def count_blocks(self, user: int, search: str | None) -> int:
        where, parameters = _begins(search)
        sql = _SQL["count_blocks"].replace("{where}", where)
        count: int = (await self._one(numbered(sql), (user, FILTERED_TOTAL_MAX, *parameters)))[0]
        return count


def _begins(search: str | None) -> tuple[str, tuple[Any, ...]]:
    if search is None:
        return "", ()
    bounds = (*prefix_range(search.lower()), *prefix_range(search.casefold()))
    return f" AND {_SQL['where_begins']}", bounds
