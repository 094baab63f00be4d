"""Reactions of chat on PostgreSQL."""

from collections.abc import Collection

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.store import ReactionRecord
from chathooks_events.entities import ReactionCount

_SQL = statements("chat_reactions.sql")


class ChatReactionsPart(TransactionPart):
    """See `chathooks.chat.store.ReactionTransaction`."""

    async def add_reaction(
        self, message: int, user: int, reaction: str, reacted_at: int
    ) -> ReactionRecord | None:
        rows = await self._all(_SQL["add_reaction"], (message, user, reaction, reacted_at))
        return ReactionRecord(rows[0][0], message, user, reaction, reacted_at) if rows else None

    async def remove_reaction(
        self, message: int, user: int, reaction: str
    ) -> ReactionRecord | None:
        rows = await self._all(_SQL["remove_reaction"], (message, user, reaction))
        return ReactionRecord(*rows[0]) if rows else None

    async def count_other_reactions(self, message: int, reaction: str) -> int:
        count: int = (await self._one(_SQL["kinds"], (message, reaction)))[0]
        return count

    async def reaction_counts(
        self, messages: Collection[int], viewer: int | None = None
    ) -> dict[int, list[ReactionCount]]:
        keys = list(messages)
        rows = await self._all(_SQL["counts"], (keys,))
        if not rows:
            return {}
        own = set() if viewer is None else set(await self._all(_SQL["own"], (keys, viewer)))
        found: dict[int, list[ReactionCount]] = {}
        for message, reaction, number in rows:
            by_me = None if viewer is None else (message, reaction) in own
            count = ReactionCount(reaction=reaction, count=number, reacted_by_me=by_me)
            found.setdefault(message, []).append(count)
        return found

    async def list_reactions(
        self,
        message: int,
        reaction: str | None,
        after: int,
        before: int,
        limit: int,
        *,
        newest: bool,
    ) -> list[ReactionRecord]:
        where = "" if reaction is None else f" AND {_SQL['where_reaction']}"
        sql = _SQL["list_reactions"].replace("{where}", where)
        sql = sql.replace("{direction}", "DESC" if newest else "ASC")
        kind = () if reaction is None else (reaction,)
        rows = await self._all(numbered(sql), (message, after, before, *kind, limit))
        return [ReactionRecord(*row) for row in (reversed(rows) if newest else rows)]

    async def purge_message_traces(self, rows_max: int) -> int:
        row = await self._one(_SQL["message_gone"])
        if row is None:
            return 0
        gone = await self._run(_SQL["purge_reactions"], (row[0], rows_max))
        gone += await self._run(_SQL["purge_subscriptions"], (row[0], rows_max - gone))
        if gone < rows_max:
            gone += await self._run(_SQL["purge_message_gone"], row)
        return gone
