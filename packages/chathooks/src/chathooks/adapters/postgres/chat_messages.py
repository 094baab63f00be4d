"""Messages of chat on PostgreSQL."""

from typing import Any

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import numbered, statements
from chathooks.chat.filters import MessageFilter
from chathooks.chat.limits import MESSAGE_ID_MAX
from chathooks.chat.store import MessageRecord, NewMessage

_SQL = statements("chat_messages.sql")
_ADD = _SQL["add_message"]
_NEWEST = _SQL["newest_at_or_below"]


class ChatMessagesPart(TransactionPart):
    """See `chathooks.chat.store.MessageTransaction`."""

    async def add_message(self, message: NewMessage) -> int:
        message_id = self._allot("messages")
        await self._run(
            _ADD,
            (
                message_id,
                message.app,
                message.muid,
                message.sender,
                message.receiver_user,
                message.group_key,
                message.category,
                message.type,
                message.content,
                message.tags,
                message.sent_at,
                message.sent_at,
                message.parent,
            ),
        )
        return message_id

    async def next_message_id(self) -> int:
        return self._allot("messages")

    async def message(self, app: int, message_id: int) -> MessageRecord | None:
        row = await self._one(_SQL["message"], (message_id, app))
        return None if row is None else MessageRecord(*row)

    async def update_message(self, message: MessageRecord) -> None:
        await self._run(
            _SQL["update_message"],
            (
                message.content,
                message.tags,
                message.updated_at,
                message.edited_at,
                message.edited_by,
                message.deleted_at,
                message.deleted_by,
                message.id,
            ),
        )

    async def delete_message(self, message_id: int) -> None:
        await self._run(_SQL["delete_message"], (message_id,))

    async def last_message_sent_by(self, app: int, sent_at: int) -> int:
        newest = await self._one(_NEWEST, (app, MESSAGE_ID_MAX))
        if newest is None or newest[1] <= sent_at:
            return 0 if newest is None else newest[0]
        # Ids grow with time, so the place is found by halving: no index on the time is kept for it.
        low, high, found = 0, newest[0], 0
        while low < high:
            row = await self._one(_NEWEST, (app, (low + high) // 2))
            if row is None or row[1] <= sent_at:
                found = found if row is None else row[0]
                low = (low + high) // 2 + 1
            else:
                high = row[0]
        return found

    async def scan_horizon(
        self, app: int, only: MessageFilter, after: int, before: int, rows_max: int, *, newest: bool
    ) -> tuple[int, int] | None:
        # What a user sees is within what the app has, and that is followed by one index.
        places = [(_SQL["of_app"], (app,))] if only.sees_all else _places(app, only, "", ())
        bounds = (after, before, rows_max - 1)
        found = []
        for place, parameters in places:
            sql = _SQL["horizon"].replace("{place}", place)
            sql = sql.replace("{direction}", "DESC" if newest else "ASC")
            row = await self._one(numbered(sql), (*parameters, *bounds))
            if row is not None:
                found.append((row[0], row[1]))
        if not found:
            return None
        return max(found) if newest else min(found)

    async def list_messages(
        self, app: int, only: MessageFilter, after: int, before: int, limit: int, *, newest: bool
    ) -> list[MessageRecord]:
        direction = "DESC" if newest else "ASC"
        where, parameters = _conditions(only)
        window = _SQL["window"].replace("{where}", where).replace("{direction}", direction)
        bounds = (after, before, *parameters, limit)
        rows: set[tuple[Any, ...]] = set()
        for place, place_parameters in _places(app, only, window, bounds):
            sql = _SQL["list_messages"].replace("{place}", place).replace("{window}", window)
            rows.update(await self._all(numbered(sql), (*place_parameters, *bounds)))
        kept = sorted(rows, key=lambda row: row[0], reverse=newest)[:limit]
        return [MessageRecord(*row) for row in (reversed(kept) if newest else kept)]


def _places(
    app: int, only: MessageFilter, window: str, bounds: tuple[Any, ...]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Conditions that each follow an index; the list is what any of them finds."""
    if only.thread is not None:
        return [(_SQL["of_thread"], (only.thread,))]
    if only.pair is not None:
        return [(_SQL["of_pair"], (min(only.pair), max(only.pair)))]
    if only.group is not None:
        return [(_SQL["of_group"], (only.group,))]
    user = only.visible_to if only.user is None else only.user
    if user is None:
        return [(_SQL["of_app"], (app,))]
    places: list[tuple[str, tuple[Any, ...]]] = [(_SQL["to_user"], (user,))]
    if only.user is not None:
        return [*places, (_SQL["from_user"], (user,))]
    groups = _SQL["of_groups_of_user"].replace("{window}", window)
    own = f"{_SQL['from_user']} AND receiver_user IS NOT NULL"
    return [*places, (own, (user,)), (groups, (*bounds, user))]


def _conditions(only: MessageFilter) -> tuple[str, list[Any]]:
    """The narrowing conditions as ` AND …` with their parameters."""
    found: list[str] = []
    parameters: list[Any] = []
    if only.receiver_type is not None:
        found.append(f"group_key IS {'NULL' if only.receiver_type == 'user' else 'NOT NULL'}")
    if only.sender is not None:
        found.append("sender = ?")
        parameters.append(only.sender)
    for condition, values in (("where_category", only.categories), ("where_type", only.types)):
        if values:
            found.append(_SQL[condition])
            parameters.append(list(values))
    if only.deleted is not None:
        found.append(f"deleted_at IS {'NOT NULL' if only.deleted else 'NULL'}")
    if only.replies is not None:
        found.append(f"parent IS {'NOT NULL' if only.replies else 'NULL'}")
    for is_asked, condition in (
        (only.attached, "where_attached"),
        (only.linked, "where_linked"),
        (only.mentioning, "where_mentioning"),
        (only.reacted, "where_reacted"),
    ):
        if is_asked:
            found.append(_SQL[condition])
    if only.attachment_types:
        found.append(_SQL["where_attached_type"])
        parameters.append(list(only.attachment_types))
    if only.mentioned:
        found.append(_SQL["where_mentioned"])
        parameters.append(list(only.mentioned))
    if only.mentioning_me is not None:
        found.append(_SQL["where_mentioned"])
        parameters.append([only.mentioning_me])
    if only.text is not None:
        found.append(_SQL["where_text"])
        parameters.append(only.text)
    if only.tags:
        found.append(_SQL["where_tagged"])
        parameters.append(list(only.tags))
    if only.unblocked_by is not None:
        found.append(_SQL["where_not_blocked"])
        parameters.append(only.unblocked_by)
    if only.looks_inside and only.deleted is None:
        found.append("deleted_at IS NULL")
    return "".join(f" AND {condition}" for condition in found), parameters
