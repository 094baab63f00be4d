"""Bans from groups on PostgreSQL."""

from collections.abc import Collection, Sequence

from chathooks.adapters.postgres.connection import TransactionPart, columns
from chathooks.adapters.postgres.statements import statements
from chathooks.chat.limits import FILTERED_TOTAL_MAX
from chathooks.chat.store import BanRecord, UserRecord

_SQL = statements("chat_bans.sql")
_BAN_COLUMNS = 2
"""Scope and time of the ban, at the end of rows that tell the user too."""


class ChatBansPart(TransactionPart):
    """See `chathooks.chat.store.BanTransaction`."""

    async def bans(self, group: int, users: Collection[int]) -> dict[int, BanRecord]:
        rows = await self._all(_SQL["bans"], (group, list(users)))
        return {row[0]: BanRecord(*row) for row in rows}

    async def add_bans(self, group: int, bans: Sequence[BanRecord]) -> None:
        rows = [(ban.user, ban.scope, ban.banned_at) for ban in bans]
        if rows:
            await self._run(_SQL["add_ban"], (group, *columns(rows)))

    async def remove_ban(self, group: int, user: int) -> None:
        await self._run(_SQL["remove_ban"], (group, user))

    async def list_bans(
        self, group: int, limit: int, offset: int
    ) -> list[tuple[UserRecord, BanRecord]]:
        rows = await self._all(_SQL["list_bans"], (group, FILTERED_TOTAL_MAX, limit, offset))
        return [
            (UserRecord(*row[:-_BAN_COLUMNS]), BanRecord(row[0], *row[-_BAN_COLUMNS:]))
            for row in rows
        ]

    async def count_bans(self, group: int) -> int:
        count: int = (await self._one(_SQL["count_bans"], (group, FILTERED_TOTAL_MAX)))[0]
        return count
