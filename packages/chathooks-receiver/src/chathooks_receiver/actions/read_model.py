"""Keep a database in step with the chat: users, groups and messages as rows to join with one's own.

What arrives late or twice does no harm: a row is only replaced by what is newer by the sender's own times, and a deleted
message stays deleted.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chathooks_events.entities import DeletedMessage, Group, GroupEntity, Message, User, UserEntity
from chathooks_events.envelope import ReceivedEvent
from chathooks_receiver.database import Database, named_statements
from chathooks_receiver.workflows.registry import Context

_SQL = named_statements(Path(__file__).with_suffix(".sql"))

Row = tuple[str, tuple[Any, ...]]


class ReadModel:
    """The tables `users`, `groups` and `messages` in the SQLite file `path`.

    As a handler: `workflows.on("*", name="read model")(read_model)`.
    """

    def __init__(self, path: Path | str) -> None:
        """Name the file; the handler's process alone writes to it, others may read."""
        self._database = Database(Path(path), _SQL["schema"], synchronous="FULL")

    async def __aenter__(self) -> "ReadModel":
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close."""
        await self.close()

    async def open(self) -> None:
        """Open or make the file. Raises `DatabaseUnavailable`."""
        await self._database.open()

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def __call__(self, event: ReceivedEvent, context: Context) -> None:
        """Write what the event tells, in one transaction. Raises `DatabaseUnavailable`."""
        rows = list(rows_of(event, int(context.received_at_s)))

        def work(connection: sqlite3.Connection) -> None:
            for statement, values in rows:
                connection.execute(_SQL[statement], values)

        if rows:
            await self._database.run(work)

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of the model. Raises `DatabaseUnavailable`."""
        return self._database.read(statement, parameters)


def rows_of(event: ReceivedEvent, received_at_s: int) -> Iterable[Row]:
    """(statement, values) for everything in `event` that has a row; times are unix seconds."""
    data = event.data
    if isinstance(data, dict):
        return
    message = getattr(data, "message", None)
    if isinstance(message, Message | DeletedMessage):
        yield from _message(message, received_at_s)
    group = getattr(data, "group", None)
    if isinstance(group, Group):
        yield _group(group, received_at_s, deleted=event.trigger == "group_deleted")
    people = [getattr(data, name, None) for name in ("user", "by")]
    for holder in ("members", "users"):
        people += list((getattr(data, holder, None) or {}).values())
    for person in people:
        if isinstance(person, User):
            yield _user(person, received_at_s)


def _message(message: Message | DeletedMessage, received_at_s: int) -> Iterable[Row]:
    deleted_at = message.deleted_at
    changed_at = deleted_at or message.edited_at or message.updated_at or message.sent_at
    text = None if deleted_at or message.data is None else message.data.text
    yield (
        "message",
        (
            message.id,
            message.conversation_id,
            message.sender,
            message.receiver,
            message.receiver_type or "user",
            message.type or "unknown",
            text,
            message.sent_at or 0,
            changed_at or received_at_s,
            int(deleted_at is not None),
        ),
    )
    entities = message.data.entities if message.data is not None else None
    for entity in (entities.sender, entities.receiver) if entities is not None else ():
        if isinstance(entity, UserEntity):
            yield _user(entity.entity, message.sent_at or received_at_s)
        elif isinstance(entity, GroupEntity):
            yield _group(entity.entity, message.sent_at or received_at_s, deleted=False)


def _user(user: User, seen_at_s: int) -> Row:
    avatar = None if user.avatar is None else str(user.avatar)
    return "user", (user.uid, user.name, avatar, user.role, user.updated_at or seen_at_s)


def _group(group: Group, seen_at_s: int, *, deleted: bool) -> Row:
    updated_at_s = group.updated_at or group.created_at or seen_at_s
    values = (group.guid, group.name, group.type, group.owner, group.members_count)
    return "group", (
        *values,
        max(updated_at_s, seen_at_s) if deleted else updated_at_s,
        int(deleted),
    )
