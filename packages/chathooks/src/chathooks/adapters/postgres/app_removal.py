"""Removing the rows of deleted apps, on PostgreSQL.

A table with rows of an app has a statement here, in the order in which rows can go; a test empties every table.
"""

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.delivery.app_deletion import Removal

USERS_PER_STEP = 100

_SQL = statements("app_removal.sql")
_BEFORE_USERS = (
    "replays",
    "attempts",
    "deliveries",
    "webhook_triggers",
    "progress",
    "lanes",
    "webhooks",
    "messages",
    "streams",
    "group_tags",
    "close_groups",
)
_OF_USERS = ("auth_tokens_of", "memberships_of", "blocks_by", "departures_of")
_AFTER_USERS = ("user_tags", "settings", "counters", "user_ranges", "group_ranges")


class AppRemovalPart(TransactionPart):
    """See `chathooks.delivery.app_deletion.AppDeletionTransaction`."""

    async def add_app_removal(self, app: int, begins_at: int) -> None:
        await self._run(_SQL["add_app_removal"], (app, begins_at))

    async def next_app_removal(self, before_s: int) -> Removal | None:
        row = await self._one(_SQL["next_app_removal"], (before_s,))
        return None if row is None else Removal(*row)

    async def begin_feed_removal(self, app: int) -> None:
        await self._run(_SQL["begin_feed_removal"], (app,))

    async def app_lanes_rest(self, app: int) -> bool:
        return await self._one(_SQL["lane_at_work"], (app,)) is None

    async def remove_app_feed(self, app: int, after: int, below: int) -> None:
        await self._run(_SQL["remove_feed"], (after, below, app))
        await self._run(_SQL["removed_feed"], (below, app))

    async def remove_app_rows(self, app: int, limit: int) -> int:
        for name in _BEFORE_USERS:
            if gone := await self._run(_SQL[name], (app, limit)):
                return gone
        if gone := await self._remove_users(app, limit):
            return gone
        for name in _AFTER_USERS:
            if gone := await self._run(_SQL[name], (app, limit)):
                return gone
        return 0

    async def _remove_users(self, app: int, limit: int) -> int:
        """Users with what hangs on them; those with more than fits stay for the next batch."""
        users = [
            user
            for (user,) in await self._all(_SQL["first_users"], (app, min(limit, USERS_PER_STEP)))
        ]
        if not users:
            return 0
        keys = users
        gone = 0
        for name in _OF_USERS:
            gone += await self._run(_SQL[name], (keys, limit - gone))
            if gone >= limit:
                return gone
        return gone + await self._run(_SQL["users_of"], (keys, len(users)))

    async def app_groups_gone(self, app: int) -> bool:
        return await self._one(_SQL["group_left"], (app,)) is None

    async def end_app_removal(self, app: int) -> None:
        await self._run(_SQL["forget_app"], (app,))
        await self._run(_SQL["end_app_removal"], (app,))
