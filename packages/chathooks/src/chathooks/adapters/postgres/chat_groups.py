"""Groups and members of chat on PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any

from chathooks.adapters.postgres.chat_users import prefix_range
from chathooks.adapters.postgres.connection import TransactionPart, columns
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.filters import GroupFilter
from chathooks.chat.limits import FILTERED_TOTAL_MAX, GROUPS_PER_USER_MAX
from chathooks.chat.store import GroupRecord, MemberRecord, UserRecord
from chathooks_events.entities import Scope

_SQL = statements("chat_groups.sql")
_GROUP_WITH_MEMBER = _SQL["group_with_member"]
_MEMBERSHIP_COLUMNS = 2
"""Scope and time of joining, at the end of rows that tell a membership too."""
_SORT_COLUMNS = {
    "guid": ("g.guid",),
    "name": ("g.name_folded", "g.guid"),
    "createdAt": ("g.group_key",),
}


def _membership(row: tuple[Any, ...], user: int) -> MemberRecord | None:
    scope, joined_at = row[-_MEMBERSHIP_COLUMNS:]
    return None if scope is None else MemberRecord(user, scope, joined_at)


class ChatGroupsPart(TransactionPart):
    """See `chathooks.chat.store.GroupTransaction`."""

    async def group(self, app: int, guid: str) -> GroupRecord | None:
        row = await self._one(_SQL["group"], (app, guid))
        return None if row is None else GroupRecord(*row)

    async def group_with_member(
        self, app: int, guid: str, user: int
    ) -> tuple[GroupRecord, MemberRecord | None] | None:
        row = await self._one(_GROUP_WITH_MEMBER, (user, app, guid))
        if row is None:
            return None
        return GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]), _membership(row, user)

    async def groups_by_key(self, keys: Collection[int]) -> dict[int, GroupRecord]:
        rows = await self._all(_SQL["groups_by_key"], (list(keys),))
        return {row[0]: GroupRecord(*row) for row in rows}

    async def add_group(self, app: int, group: GroupRecord) -> int | None:
        rows = await self._all(
            _SQL["add_group"],
            (
                app,
                group.guid,
                group.name,
                group.name.casefold(),
                group.type,
                group.description,
                group.icon,
                group.password_hash,
                group.owner,
                group.metadata,
                group.tags,
                group.members_count,
                group.created_at,
            ),
        )
        if not rows:
            return None
        key: int = rows[0][0]
        if group.tags is not None:
            await self._run(_SQL["add_tags"], (app, key, group.tags))
        return key

    async def update_group(self, app: int, group: GroupRecord) -> None:
        stored = await self.group(app, group.guid)
        await self._run(
            _SQL["update_group"],
            (
                group.name,
                group.name.casefold(),
                group.type,
                group.description,
                group.icon,
                group.password_hash,
                group.owner,
                group.metadata,
                group.tags,
                group.updated_at,
                group.updated_by,
                group.key,
            ),
        )
        if stored is not None and stored.tags != group.tags:
            await self._run(_SQL["forget_tags"], (group.key, app, stored.tags or "[]"))
            await self._run(_SQL["add_tags"], (app, group.key, group.tags or "[]"))

    async def delete_group(self, app: int, group: int, deleted_at: int) -> None:
        row = (await self.groups_by_key((group,)))[group]
        await self._run(_SQL["forget_tags"], (group, app, row.tags or "[]"))
        await self._run(_SQL["delete_group"], (deleted_at, group))

    async def purge_deleted_groups(self, rows_max: int) -> int:
        row = await self._one(_SQL["deleted_group"])
        if row is None:
            return 0
        gone = 0
        for statement in ("purge_members", "purge_bans", "purge_messages"):
            gone += await self._run(_SQL[statement], (row[0], rows_max - gone))
        if gone < rows_max:
            gone += await self._run(_SQL["purge_group"], row)
        return gone

    async def list_groups(
        self, app: int, only: GroupFilter, limit: int, offset: int
    ) -> list[tuple[GroupRecord, MemberRecord | None]]:
        where, parameters = _conditions(app, only)
        direction = "DESC" if only.descending else "ASC"
        order = ", ".join(f"{column} {direction}" for column in _SORT_COLUMNS[only.sort])
        sql = _SQL["list_groups"].replace("{where}", where).replace("{order}", order)
        viewer = only.visible_to
        rows = await self._all(numbered(sql), (viewer, app, *parameters, limit, offset))
        return [
            (GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]), _membership(row, viewer or 0))
            for row in rows
        ]

    async def count_groups(self, app: int, only: GroupFilter) -> int:
        if not only.narrows:
            return int((await self._one(_SQL["counter"], (app,)))[0])
        where, parameters = _conditions(app, only)
        sql = _SQL["count_groups"].replace("{where}", where)
        return int(
            (
                await self._one(
                    numbered(sql), (only.visible_to, app, *parameters, FILTERED_TOTAL_MAX)
                )
            )[0]
        )

    async def members(self, group: int, users: Collection[int]) -> dict[int, MemberRecord]:
        rows = await self._all(_SQL["members"], (group, list(users)))
        return {row[0]: MemberRecord(*row) for row in rows}

    async def add_members(self, group: int, members: Sequence[MemberRecord]) -> None:
        rows = [(member.user, member.scope, member.joined_at) for member in members]
        if rows:
            await self._run(_SQL["add_member"], (group, *columns(rows)))

    async def remove_member(self, group: int, user: int) -> None:
        await self._run(_SQL["remove_member"], (group, user))

    async def set_scope(self, group: int, user: int, scope: Scope) -> None:
        await self._run(_SQL["set_scope"], (scope, group, user))

    async def resize_group(self, group: int, by: int, updated_at: int) -> None:
        await self._run(_SQL["resize_group"], (by, updated_at, group))

    async def count_groups_of(self, user: int) -> int:
        count: int = (await self._one(_SQL["memberships"], (user, GROUPS_PER_USER_MAX)))[0]
        if count >= GROUPS_PER_USER_MAX:
            # Rows of deleted groups that were not purged yet are among them: count exactly.
            count = (await self._one(_SQL["live_memberships"], (user, GROUPS_PER_USER_MAX)))[0]
        return count

    async def list_members(
        self, group: int, scopes: Collection[Scope], limit: int, offset: int
    ) -> list[tuple[UserRecord, MemberRecord]]:
        if scopes:
            rows = await self._all(
                _SQL["list_members_of_scopes"], (group, list(scopes), limit, offset)
            )
        else:
            rows = await self._all(_SQL["list_members"], (group, limit, offset))
        return [
            (UserRecord(*row[:-_MEMBERSHIP_COLUMNS]), MemberRecord(row[0], *row[-2:]))
            for row in rows
        ]

    async def count_members(self, group: int, scopes: Collection[Scope]) -> int:
        if scopes:
            row = await self._one(_SQL["count_members_of_scopes"], (group, list(scopes)))
        else:
            row = await self._one(_SQL["count_members"], (group,))
        count: int = row[0]
        return count


def _conditions(app: int, only: GroupFilter) -> tuple[str, list[Any]]:
    """The filter as ` AND …` with its parameters; all texts are this package's own."""
    found: list[str] = []
    parameters: list[Any] = []
    if only.search is not None:
        by_guid, by_name = prefix_range(only.search.lower()), prefix_range(only.search.casefold())
        if only.search_guid and only.search_name:
            found.append(_SQL["where_guid_or_name_begins"])
            parameters += [app, *by_guid, app, *by_name]
        else:
            name = "where_guid_begins" if only.search_guid else "where_name_begins"
            found.append(_SQL[name])
            parameters += by_guid if only.search_guid else by_name
    if only.types:
        found.append(_SQL["where_type"])
        parameters.append(list(only.types))
    if only.tags:
        found.append(_SQL["where_tag"])
        parameters += [app, list(only.tags)]
    if only.visible_to is not None:
        found.append(_SQL["where_joined"] if only.joined else _SQL["where_visible"])
        if only.joined:
            parameters.append(only.visible_to)
    return "".join(f" AND {condition}" for condition in found), parameters
