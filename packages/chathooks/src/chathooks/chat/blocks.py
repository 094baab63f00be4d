"""Blocks between users: block, unblock, list (rest-api.md C5).

One user's refusal does not refuse the others: each uid has its own result. One event tells of all whom a call
newly blocks, and none is fired where nothing changed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from chathooks.chat.actors import actor_of, unknown_uid
from chathooks.chat.admission import ItemFailure
from chathooks.chat.store import ChatTransaction, UserRecord
from chathooks.chat.views import user_answer, user_entity
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import User
from chathooks_events.payloads import UserBlocked, UserUnblocked


class BlockResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one uid."""

    success: bool
    message: str | None = None
    error: ItemFailure | None = None


@dataclass(frozen=True, slots=True)
class BlockPage:
    """A page of blocked users and how many there are."""

    blocked: list[User]
    total: int


def _check_target(user: UserRecord | None, uid: str, by: UserRecord) -> UserRecord:
    if uid == by.uid:
        raise ChathooksError("ERR_CANNOT_BLOCK_SELF", "Nobody can block or unblock themselves.")
    if user is None or user.built_in:
        raise unknown_uid(uid)
    return user


class Blocks:
    """The blocks between the users of all apps."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    async def block(self, app: int, uid: str, blocked: Sequence[str]) -> dict[str, BlockResult]:
        """Block users on behalf of `uid`; fires user_blocked with those who were not blocked before.

        Raises ERR_UID_NOT_FOUND for `uid`. What is wrong with one of `blocked` is in its result.
        """
        now_s = self._clock.wall_ms() // MS_PER_S

        async def block(tx: ChatTransaction) -> dict[str, BlockResult]:
            by = (await actor_of(tx, app, uid)).user
            results, changed = await _each(
                tx, app, by, blocked, "blocked", lambda user: tx.add_block(by.key, user.key, now_s)
            )
            if changed:
                payload = UserBlocked(users=_told(changed), by=user_entity(by))
                await self._outbox.append(
                    tx, app=app, trigger="user_blocked", data=payload, stream=None
                )
            return results

        return await self._store.write(block)

    async def unblock(self, app: int, uid: str, blocked: Sequence[str]) -> dict[str, BlockResult]:
        """Lift blocks of `uid`; fires user_unblocked with those who were blocked.

        Raises ERR_UID_NOT_FOUND for `uid`. What is wrong with one of `blocked` is in its result.
        """

        async def unblock(tx: ChatTransaction) -> dict[str, BlockResult]:
            by = (await actor_of(tx, app, uid)).user
            results, changed = await _each(
                tx, app, by, blocked, "unblocked", lambda user: tx.remove_block(by.key, user.key)
            )
            if changed:
                payload = UserUnblocked(users=_told(changed), by=user_entity(by))
                await self._outbox.append(
                    tx, app=app, trigger="user_unblocked", data=payload, stream=None
                )
            return results

        return await self._store.write(unblock)

    async def page(
        self, app: int, uid: str, search: str | None, *, limit: int, offset: int
    ) -> BlockPage:
        """A page of those whom `uid` blocks, by age of the user. Raises ERR_UID_NOT_FOUND."""

        async def query(tx: ChatTransaction) -> BlockPage:
            viewer = (await actor_of(tx, app, uid)).user
            found = await tx.list_blocks(viewer.key, search, limit, offset)
            total = await tx.count_blocks(viewer.key, search)
            shown = [
                msgspec.structs.replace(
                    user_answer(user, seen_by=uid, with_tags=False),
                    blocked_by_me=True,
                    blocked_by_me_at=blocked_at,
                    blocked_at=blocked_at,
                )
                for user, blocked_at in found
            ]
            return BlockPage(shown, total)

        return await self._store.read(query)


def _told(users: Sequence[UserRecord]) -> dict[str, User]:
    return {user.uid: user_entity(user) for user in users}


async def _each(
    tx: ChatTransaction,
    app: int,
    by: UserRecord,
    uids: Sequence[str],
    done: str,
    change: Callable[[UserRecord], Awaitable[bool]],
) -> tuple[dict[str, BlockResult], list[UserRecord]]:
    """Results by uid, and the users for whom `change` changed something."""
    wanted = list(dict.fromkeys(uid.lower() for uid in uids))
    users = await tx.users_by_uid(app, wanted)
    results: dict[str, BlockResult] = {}
    changed = []
    for uid in wanted:
        try:
            user = _check_target(users.get(uid), uid, by)
        except ChathooksError as error:
            failure = ItemFailure(error.code, error.message, dict(error.details))
            results[uid] = BlockResult(False, error=failure)
            continue
        if await change(user):
            changed.append(user)
        results[uid] = BlockResult(
            True, f"The user with UID {by.uid} has {done} user with UID {uid} successfully."
        )
    return results, changed
