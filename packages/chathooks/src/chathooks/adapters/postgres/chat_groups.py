"""Groups and members of chat on PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Any

from chathooks.adapters.postgres.chat_users import prefix_range
from chathooks.adapters.postgres.connection import TransactionPart, columns
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.filters import GroupFilter
from chathooks.chat.limits import FILTERED_TOTAL_MAX, GROUPS_PER_USER_MAX, INDEXED_TOTAL_MAX
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
    "updatedAt": ("coalesce(g.updated_at, g.created_at)", "g.group_key"),
}
_END_OF_TIME_S = 2**63 - 1


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
        if not only.narrows:
            return [
                (GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]), None)
                for row in await self._page_of_all(app, only, limit, offset)
            ]
        if only.is_one_type:
            sql = _SQL["list_groups_of_type"].replace("{order}", _order(only, only.descending))
            rest = max(0, min(limit, INDEXED_TOTAL_MAX - offset))
            rows = await self._all(numbered(sql), (app, only.types[0], rest, offset))
            return [(GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]), None) for row in rows]
        candidates, where, parameters = _narrowed(app, only)
        rest = max(0, min(limit, FILTERED_TOTAL_MAX - offset))
        sql = _SQL["list_groups_found"].replace("{candidates}", candidates)
        sql = sql.replace("{where}", where).replace("{order}", _order(only, only.descending))
        viewer = only.visible_to or 0
        return [
            (GroupRecord(*row[:-_MEMBERSHIP_COLUMNS]), _membership(row, viewer))
            for row in await self._all(numbered(sql), (*parameters, rest, offset))
        ]

    async def _page_of_all(
        self, app: int, only: GroupFilter, limit: int, offset: int
    ) -> list[tuple[Any, ...]]:
        """Rows of the list of all groups, found by its counted ranges."""
        if only.descending:
            # The ranges count from the beginning, so a page from the end is read forward and turned round.
            total = await self.count_groups(app, only)
            offset, limit = max(0, total - offset - limit), max(0, min(limit, total - offset))
        sort = only.sort
        first, first_guid, before = (0 if sort == "createdAt" else ""), "", 0
        if offset > 0:
            first, first_guid, before = await self._one(_SQL["range_of_page"], (app, sort, offset))
            if sort == "createdAt":
                first = int(first)
        begins = (first, first_guid) if sort == "name" else (first,)
        sql = _SQL["list_groups"].replace("{from}", _SQL[f"from_{sort.lower()}"])
        sql = sql.replace("{order}", _order(only, descending=False))
        rows = await self._all(numbered(sql), (app, *begins, limit, offset - before))
        return rows[::-1] if only.descending else rows

    async def count_groups(self, app: int, only: GroupFilter) -> int:
        if not only.narrows:
            return int((await self._one(_SQL["counter"], (app,)))[0])
        if only.is_one_type:
            sql = _SQL["count_groups_of_type"]
            return int((await self._one(numbered(sql), (app, only.types[0], INDEXED_TOTAL_MAX)))[0])
        candidates, where, parameters = _narrowed(app, only)
        sql = _SQL["count_groups_found"].replace("{candidates}", candidates)
        total = int((await self._one(numbered(sql.replace("{where}", where)), parameters))[0])
        return min(total, FILTERED_TOTAL_MAX)

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


def _order(only: GroupFilter, descending: bool) -> str:
    direction = "DESC" if descending else "ASC"
    return ", ".join(f"{column} {direction}" for column in _SORT_COLUMNS[only.sort])


def _change(only: GroupFilter) -> tuple[int, int] | None:
    """Between which times (unix s, both excluded) the groups changed; None for any."""
    if only.changed_after is None and only.changed_before is None:
        return None
    before = _END_OF_TIME_S if only.changed_before is None else only.changed_before
    return (-1 if only.changed_after is None else only.changed_after, before)


def _candidates(app: int, only: GroupFilter) -> tuple[str, str, list[Any]]:
    """Name and text of the narrowest filter as candidates that an index finds, with its parameters.

    They are limited, so that no list costs more than FILTERED_TOTAL_MAX entries of each index.
    """
    most = FILTERED_TOTAL_MAX
    if only.joined:
        return "joined", _SQL["of_member"], [only.visible_to, most]
    if only.tags:
        return "tags", _SQL["of_tag"], [app, list(only.tags), most]
    if only.search is not None:
        which, bounds = _search(only)
        parameters = [part for each in bounds for part in (app, *each, most)]
        return "search", _SQL[f"of_{which}"], parameters
    if (change := _change(only)) is not None:
        direction = "DESC" if only.descending else "ASC"
        sql = _SQL["of_change"].replace("{direction}", direction)
        return "change", sql, [app, *change, most]
    if only.types:
        return "types", _SQL["of_type"], [app, list(only.types), most]
    return "visible", _SQL["of_visible"], [app, most, only.visible_to, most]


def _search(only: GroupFilter) -> tuple[str, list[tuple[str, str]]]:
    """What the search looks at, and the bounds of what begins with it."""
    search = only.search or ""
    by_guid, by_name = prefix_range(search.lower()), prefix_range(search.casefold())
    if only.search_guid and only.search_name:
        return "guid_or_name", [by_guid, by_name]
    return ("guid", [by_guid]) if only.search_guid else ("name", [by_name])


def _narrowed(app: int, only: GroupFilter) -> tuple[str, str, list[Any]]:
    """Candidates, the other filters as ` AND …`, and all parameters up to these; texts are this package's own."""
    kind, candidates, parameters = _candidates(app, only)
    found: list[str] = []
    parameters += [only.visible_to, app]
    if only.tags and kind != "tags":
        found.append(_SQL["where_tag"])
        parameters.append(list(only.tags))
    if only.search is not None and kind != "search":
        which, bounds = _search(only)
        found.append(_SQL[f"where_{which}_begins"])
        parameters += [bound for each in bounds for bound in each]
    change = _change(only)
    if change is not None and kind != "change":
        found.append(_SQL["where_changed"])
        parameters += change
    if only.types and kind != "types":
        found.append(_SQL["where_type"])
        parameters.append(list(only.types))
    if only.visible_to is not None:
        found.append(_SQL["where_visible"])
    return candidates, "".join(f" AND {condition}" for condition in found), parameters
