"""Facts about the store itself: its clock's anchor, a proof of its secret key."""

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements

_SQL = statements("meta.sql")


class MetaPart(TransactionPart):
    """Named texts."""

    async def get_meta(self, name: str) -> str | None:
        """The text kept under a name."""
        row = await self._one(_SQL["get_meta"], (name,))
        return None if row is None else str(row[0])

    async def set_meta(self, name: str, value: str) -> None:
        """Keep a text under a name."""
        await self._run(_SQL["set_meta"], (name, value))

    async def ping(self) -> None:
        """Touch the database; raises where it cannot be read."""
        await self._one(_SQL["ping"])
