"""Acting on members of a group: what the actor may do there, on whom, and how it is told."""

import msgspec

from chathooks.chat.actors import Place, unknown_uid
from chathooks.chat.permissions import (
    require_clearance_over,
    require_moderator,
    require_other,
)
from chathooks.chat.store import ChatTransaction, GroupRecord, MemberRecord, UserRecord
from chathooks.events import streams
from chathooks.events.outbox import Outbox
from chathooks.kernel.errors import ChathooksError
from chathooks_events.entities import Scope


def moderating(place: Place) -> Scope:
    """Scope with which the actor moderates: admin for the app.

    Raises ERR_GROUP_NOT_JOINED, ERR_GROUP_NO_MODERATOR_SCOPE.
    """
    if place.actor.is_app:
        return "admin"
    scope = place.require_membership().scope
    require_moderator(scope)
    return scope


async def user_of(tx: ChatTransaction, app: int, place: Place, uid: str) -> UserRecord:
    """The user who is acted on. Raises ERR_UID_NOT_FOUND, ERR_GROUP_NO_SELF_ACTION."""
    if not place.actor.is_app:
        require_other(place.actor.uid, uid)
    user = (await tx.users_by_uid(app, (uid,))).get(uid)
    if user is None:
        raise unknown_uid(uid)
    return user


async def member_of(tx: ChatTransaction, place: Place, user: UserRecord) -> MemberRecord:
    """The membership that is acted on. Raises ERR_NOT_A_MEMBER."""
    member = (await tx.members(place.group.key, (user.key,))).get(user.key)
    if member is None:
        raise ChathooksError(
            "ERR_NOT_A_MEMBER", f"{user.uid} is not a member of the group {place.group.guid}."
        )
    return member


def check_clearance(place: Place, actor_scope: Scope, uid: str, target: Scope) -> None:
    """The actor stands above the target. Raises ERR_GROUP_NO_SCOPE_CLEARANCE."""
    if not place.actor.is_app:
        owner = place.group.owner
        require_clearance_over(
            actor_scope,
            target,
            actor_owns=place.actor.uid == owner,
            target_owns=uid == owner,
        )


async def resized(tx: ChatTransaction, group: GroupRecord, by: int, now_s: int) -> GroupRecord:
    """The group with so many members more; stored."""
    await tx.resize_group(group.key, by, now_s)
    return msgspec.structs.replace(group, members_count=group.members_count + by, updated_at=now_s)


async def append_to_group(
    tx: ChatTransaction,
    outbox: Outbox,
    app: int,
    trigger: str,
    data: msgspec.Struct,
    guid: str,
) -> None:
    """Append an event to the group's stream."""
    await outbox.append(tx, app=app, trigger=trigger, data=data, stream=streams.group(guid))
