"""Reactions to messages: add, remove, list (rest-api.md C12).

Each command checks, changes the rows and appends its event in one transaction. To add a reaction that is there
already changes nothing and fires nothing.
"""

from dataclasses import dataclass

from chathooks.chat.actors import Actor, actor_of
from chathooks.chat.fields import refuse
from chathooks.chat.history import (
    Parties,
    Shown,
    find_message,
    parse_message_id,
    require_party,
    views_of,
)
from chathooks.chat.limits import (
    MESSAGE_ID_MAX,
    REACTION_CHARS_MAX,
    REACTIONS_PER_MESSAGE_MAX,
)
from chathooks.chat.permissions import require_changeable
from chathooks.chat.store import ChatTransaction, ReactionRecord, UserRecord
from chathooks.chat.views import user_entity
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import Reaction
from chathooks_events.payloads import MessageReactionAdded, MessageReactionRemoved

_SPACE = 32
_DELETE = 127


@dataclass(frozen=True, slots=True)
class ReactionWindow:
    """Which part of a message's reactions is asked for: those after the id given, or before it."""

    limit: int
    append: bool = False
    reaction_id: str | None = None


def checked_reaction(reaction: str) -> str:
    """The reaction. Raises ERR_BAD_REQUEST where it is too long or has control characters."""
    if not 1 <= len(reaction) <= REACTION_CHARS_MAX:
        raise refuse("reaction", f"must have 1 to {REACTION_CHARS_MAX} characters")
    if not reaction.strip() or any(ord(char) < _SPACE or ord(char) == _DELETE for char in reaction):
        raise refuse("reaction", "must be visible: an emoji or a word")
    return reaction


def _told(record: ReactionRecord, user: UserRecord) -> Reaction:
    return Reaction(
        id=str(record.key),
        message_id=str(record.message),
        reaction=record.reaction,
        uid=user.uid,
        reacted_at=record.reacted_at,
        reacted_by=user_entity(user),
    )


class Reactions:
    """The reactions to the messages of all apps."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    async def add(self, app: int, message_id: str, reaction: str, on_behalf_of: str) -> Shown:
        """React to a message; fires message_reaction_added unless the reaction is there already.

        Answers the message as the user sees it.

        Raises:
            ChathooksError: ERR_BAD_REQUEST, ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_MESSAGE_NO_ACCESS, ERR_MESSAGE_ACTION_NOT_ALLOWED, ERR_PLAN_QUOTA_RESTRICTION.
        """
        checked_reaction(reaction)
        now_s = self._clock.wall_ms() // MS_PER_S

        async def add(tx: ChatTransaction) -> Shown:
            actor, parties = await self._reactable(tx, app, message_id, on_behalf_of)
            message = parties.record.id
            if await tx.count_other_reactions(message, reaction) >= REACTIONS_PER_MESSAGE_MAX:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"A message may have {REACTIONS_PER_MESSAGE_MAX} different reactions; "
                    "use one that it has already.",
                )
            added = await tx.add_reaction(message, actor.user.key, reaction, now_s)
            if added is not None:
                await self._outbox.append(
                    tx,
                    app=app,
                    trigger="message_reaction_added",
                    data=MessageReactionAdded(reaction=_told(added, actor.user)),
                    stream=parties.stream,
                )
            return (await views_of(tx, app, [parties], actor.user.key))[0]

        return await self._store.write(add)

    async def remove(self, app: int, message_id: str, reaction: str, on_behalf_of: str) -> Shown:
        """Take a reaction back; fires message_reaction_removed. Answers the message as the user sees it.

        Raises:
            ChathooksError: as `add`, and ERR_REACTION_NOT_FOUND where the user did not react so.
        """

        async def remove(tx: ChatTransaction) -> Shown:
            actor, parties = await self._reactable(tx, app, message_id, on_behalf_of)
            removed = await tx.remove_reaction(parties.record.id, actor.user.key, reaction)
            if removed is None:
                raise ChathooksError(
                    "ERR_REACTION_NOT_FOUND",
                    f"{actor.uid} has no such reaction to this message.",
                    {"reaction": "is unknown"},
                )
            await self._outbox.append(
                tx,
                app=app,
                trigger="message_reaction_removed",
                data=MessageReactionRemoved(reaction=_told(removed, actor.user)),
                stream=parties.stream,
            )
            return (await views_of(tx, app, [parties], actor.user.key))[0]

        return await self._store.write(remove)

    async def page(
        self,
        app: int,
        message_id: str,
        window: ReactionWindow,
        *,
        reaction: str | None = None,
        on_behalf_of: str | None = None,
    ) -> list[Reaction]:
        """Reactions to a message by age, oldest first; of one kind if `reaction` is given.

        Raises:
            ChathooksError: ERR_MESSAGE_ID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_MESSAGE_NO_ACCESS.
        """
        after, before = 0, MESSAGE_ID_MAX
        if window.reaction_id is not None:
            place = parse_message_id(window.reaction_id)
            after, before = (place, before) if window.append else (after, place)

        async def query(tx: ChatTransaction) -> list[Reaction]:
            actor = await actor_of(tx, app, on_behalf_of)
            parties = await find_message(tx, app, message_id)
            await require_party(tx, actor, parties)
            records = await tx.list_reactions(
                parties.record.id, reaction, after, before, window.limit, newest=not window.append
            )
            users = await tx.users_by_key({record.user for record in records})
            return [_told(record, users[record.user]) for record in records]

        return await self._store.read(query)

    async def purge(self, rows_max: int) -> int:
        """Take away what messages that are gone have left behind; 0 once nothing is. For upkeep."""

        async def purge(tx: ChatTransaction) -> int:
            return await tx.purge_message_traces(rows_max)

        return await self._store.write(purge)

    async def _reactable(
        self, tx: ChatTransaction, app: int, message_id: str, on_behalf_of: str
    ) -> tuple[Actor, Parties]:
        actor = await actor_of(tx, app, on_behalf_of)
        parties = await find_message(tx, app, message_id)
        await require_party(tx, actor, parties)
        record = parties.record
        require_changeable(record.category, deleted=record.deleted_at is not None)
        return actor, parties
