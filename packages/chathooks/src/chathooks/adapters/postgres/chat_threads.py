"""Who follows which threads, on PostgreSQL."""

from collections.abc import Collection

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.chat.limits import THREADS_FOLLOWED_MAX
from chathooks.chat.store import MessageRecord

_SQL = statements("chat_threads.sql")


class ChatThreadsPart(TransactionPart):
    """See `chathooks.chat.store.ThreadTransaction`."""

    async def follow_thread(self, user: int, message: int) -> None:
        await self._run(_SQL["follow"], (user, message))

    async def follow_thread_unless_left(self, user: int, message: int) -> None:
        await self._run(_SQL["follow_unless_left"], (user, message))

    async def leave_thread(self, user: int, message: int) -> None:
        await self._run(_SQL["leave"], (user, message))

    async def threads_followed(self, user: int, messages: Collection[int]) -> dict[int, bool]:
        rows = await self._all(_SQL["followed"], (user, list(messages)))
        return {message: bool(subscribed) for message, subscribed in rows}

    async def list_threads(
        self, user: int, before: tuple[int, int], limit: int
    ) -> list[tuple[MessageRecord, int]]:
        rows = await self._all(
            _SQL["list_threads"], (user, THREADS_FOLLOWED_MAX, user, *before, limit)
        )
        return [(MessageRecord(*row[:-1]), row[-1]) for row in rows]

    async def last_replies(self, messages: Collection[int]) -> dict[int, MessageRecord]:
        rows = await self._all(_SQL["last_replies"], (list(messages),))
        replies = [MessageRecord(*row) for row in rows]
        return {reply.parent: reply for reply in replies if reply.parent is not None}
