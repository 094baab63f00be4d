"""Users who were deactivated or deleted, on PostgreSQL."""

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.chat.store import Departure, GroupRecord, MemberRecord

_SQL = statements("chat_departures.sql")
_MEMBERSHIP_COLUMNS = 2
"""Scope and time of joining, at the end of the rows."""


class ChatDeparturesPart(TransactionPart):
    """See `chathooks.chat.store.DepartureTransaction`."""

    async def deactivate_user(
        self, app: int, user: int, deactivated_at: int, *, erase: bool
    ) -> None:
        await self._run(_SQL["deactivate_user"], (deactivated_at, deactivated_at, user))
        await self._run(_SQL["forget_tokens"], (user,))
        await self._run(_SQL["add_departure"], (user, app, int(erase)))

    async def reactivate_user(self, user: int, updated_at: int) -> None:
        await self._run(_SQL["reactivate_user"], (updated_at, user))

    async def erase_user(self, app: int, user: int, *, built_in: int) -> None:
        tags = (await self._one(_SQL["stored_tags"], (user,)))[0]
        await self._run(_SQL["forget_tags"], (user, app, tags or "[]"))
        await self._run(_SQL["erase_user"], (built_in, user))

    async def departure(self, user: int) -> Departure | None:
        row = await self._one(_SQL["departure"], (user,))
        return None if row is None else Departure(row[0], bool(row[1]))

    async def next_departure(self) -> int | None:
        row = await self._one(_SQL["next_departure"])
        return None if row is None else row[0]

    async def end_departure(self, user: int) -> None:
        await self._run(_SQL["end_departure"], (user,))

    async def memberships(self, user: int, limit: int) -> list[tuple[GroupRecord, MemberRecord]]:
        rows = await self._all(_SQL["memberships"], (user, limit))
        return [
            (
                GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]),
                MemberRecord(user, *row[-_MEMBERSHIP_COLUMNS:]),
            )
            for row in rows
        ]
