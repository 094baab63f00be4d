"""Bans from groups on SQLite."""

import json
from collections.abc import Collection, Sequence

from chathooks.adapters.sqlite.connection import TransactionPart
from chathooks.adapters.sqlite.statements import statements
from chathooks.chat.limits import FILTERED_TOTAL_MAX
from chathooks.chat.store import BanRecord, UserRecord

_SQL = statements("chat_bans.sql")
_BAN_COLUMNS = 2
"""Scope and time of the ban, at the end of rows that tell the user too."""


class ChatBansPart(TransactionPart):
    """See `chathooks.chat.store.BanTransaction`."""

    async def bans(self, group: int, users: Collection[int]) -> dict[int, BanRecord]:
        rows = self._all(_SQL["bans"], (group, json.dumps(list(users))))
        return {row[0]: BanRecord(*row) for row in rows}

    async def add_bans(self, group: int, bans: Sequence[BanRecord]) -> None:
        self._run_many(
            _SQL["add_ban"], [(group, ban.user, ban.scope, ban.banned_at) for ban in bans]
        )

    async def remove_ban(self, group: int, user: int) -> None:
        self._run(_SQL["remove_ban"], (group, user))

    async def list_bans(
        self, group: int, limit: int, offset: int
    ) -> list[tuple[UserRecord, BanRecord]]:
        rows = self._all(_SQL["list_bans"], (group, FILTERED_TOTAL_MAX, limit, offset))
        return [
            (UserRecord(*row[:-_BAN_COLUMNS]), BanRecord(row[0], *row[-_BAN_COLUMNS:]))
            for row in rows
        ]

    async def count_bans(self, group: int) -> int:
        count: int = self._one(_SQL["count_bans"], (group, FILTERED_TOTAL_MAX))[0]
        return count
