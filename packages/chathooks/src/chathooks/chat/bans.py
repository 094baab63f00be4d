"""Bans from groups: ban, unban, list (rest-api.md C8, delivery contract §5).

A ban ends the membership and keeps the user from being added until it is lifted. Each command checks, changes the
rows and appends its event in one transaction.
"""

from dataclasses import dataclass

from chathooks.chat.actions import record_member_action
from chathooks.chat.actors import Place, place_of, unknown_uid
from chathooks.chat.admission import Candidate, MemberResult, failed
from chathooks.chat.permissions import require_not_owner, require_other
from chathooks.chat.places import (
    append_to_group,
    check_clearance,
    member_of,
    moderating,
    resized,
    user_of,
)
from chathooks.chat.store import BanRecord, ChatTransaction, MemberRecord, UserRecord
from chathooks.chat.views import banned_answer, group_entity, group_member, user_entity
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import Member, Message, Scope
from chathooks_events.payloads import GroupMemberBanned, GroupMemberUnbanned


@dataclass(frozen=True, slots=True)
class BanPage:
    """A page of banned users and how many there are."""

    banned: list[Member]
    total: int


def _already_banned(uid: str) -> ChathooksError:
    return ChathooksError("ERR_ALREADY_BANNED", f"{uid} is banned from the group already.")


class Bans:
    """The bans from all groups."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    async def ban(self, app: int, guid: str, uid: str, on_behalf_of: str | None = None) -> Message:
        """Ban a member; fires group_member_banned; answers the action message.

        Raises:
            ChathooksError: ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_ALREADY_BANNED, ERR_NOT_A_MEMBER,
                ERR_GROUP_NOT_JOINED, ERR_GROUP_NO_MODERATOR_SCOPE, ERR_GROUP_NO_SELF_ACTION,
                ERR_GROUP_NO_SCOPE_CLEARANCE.
        """
        now_s = self._now_s()

        async def ban(tx: ChatTransaction) -> Message:
            place = await place_of(tx, app, guid, on_behalf_of)
            scope = moderating(place)
            user = await user_of(tx, app, place, uid)
            if await tx.bans(place.group.key, (user.key,)):
                raise _already_banned(uid)
            member = await member_of(tx, place, user)
            require_not_owner(uid, place.group.owner)
            check_clearance(place, scope, uid, member.scope)
            banned = [(user, BanRecord(user.key, member.scope, now_s))]
            return (await apply_bans(tx, self._outbox, app, place, banned, [member], now_s))[0]

        return await self._store.write(ban)

    async def unban(
        self, app: int, guid: str, uid: str, on_behalf_of: str | None = None
    ) -> Message:
        """Lift a ban; fires group_member_unbanned; answers the action message. The user stays outside.

        Raises:
            ChathooksError: ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_NOT_A_BANNED_USER, ERR_GROUP_NOT_JOINED,
                ERR_GROUP_NO_MODERATOR_SCOPE, ERR_GROUP_NO_SELF_ACTION.
        """
        now_s = self._now_s()

        async def unban(tx: ChatTransaction) -> Message:
            place = await place_of(tx, app, guid, on_behalf_of)
            moderating(place)
            user = await user_of(tx, app, place, uid)
            if not await tx.bans(place.group.key, (user.key,)):
                raise ChathooksError(
                    "ERR_NOT_A_BANNED_USER", f"{uid} is not banned from the group {guid}."
                )
            await tx.remove_ban(place.group.key, user.key)
            group = await resized(tx, place.group, 0, now_s)
            actor = place.actor.user
            message = await record_member_action(
                tx, app, "unbanned", group=group, by=actor, on=user, now_s=now_s
            )
            payload = GroupMemberUnbanned(
                group=group_entity(group, online=True),
                members={uid: group_member(user, guid)},
                by=user_entity(actor),
            )
            await append_to_group(tx, self._outbox, app, "group_member_unbanned", payload, guid)
            return message

        return await self._store.write(unban)

    async def page(
        self, app: int, guid: str, *, limit: int, offset: int, on_behalf_of: str | None = None
    ) -> BanPage:
        """A page of banned users, for moderators and the app.

        Raises ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_GROUP_NOT_JOINED, ERR_GROUP_NO_MODERATOR_SCOPE.
        """

        async def query(tx: ChatTransaction) -> BanPage:
            place = await place_of(tx, app, guid, on_behalf_of)
            moderating(place)
            found = await tx.list_bans(place.group.key, limit, offset)
            total = await tx.count_bans(place.group.key)
            return BanPage([banned_answer(user, ban) for user, ban in found], total)

        return await self._store.read(query)


async def apply_bans(
    tx: ChatTransaction,
    outbox: Outbox,
    app: int,
    place: Place,
    banned: list[tuple[UserRecord, BanRecord]],
    members: list[MemberRecord],
    now_s: int,
) -> list[Message]:
    """Ban users, ending the memberships of those who are `members`; one event tells of all."""
    group = place.group
    for member in members:
        await tx.remove_member(group.key, member.user)
    await tx.add_bans(group.key, [ban for _, ban in banned])
    group = await resized(tx, group, -len(members), now_s)
    actor = place.actor.user
    messages = [
        await record_member_action(tx, app, "banned", group=group, by=actor, on=user, now_s=now_s)
        for user, _ in banned
    ]
    payload = GroupMemberBanned(
        group=group_entity(group, online=True),
        members={user.uid: group_member(user, group.guid) for user, _ in banned},
        by=user_entity(actor),
    )
    await append_to_group(tx, outbox, app, "group_member_banned", payload, group.guid)
    return messages


async def ban_listed(
    tx: ChatTransaction,
    outbox: Outbox,
    app: int,
    place: Place,
    wanted: list[Candidate],
    *,
    scope: Scope,
    now_s: int,
) -> dict[str, MemberResult]:
    """Ban those of `usersToBan` who may be, members or not; one event tells of all.

    Args:
        tx: the transaction.
        outbox: where the event goes.
        app: key of the app.
        place: the group and who bans.
        wanted: who shall be banned.
        scope: with which the actor moderates.
        now_s: unix seconds.
    """
    users = await tx.users_by_uid(app, [candidate.uid for candidate in wanted])
    keys = [user.key for user in users.values()]
    bans = await tx.bans(place.group.key, keys)
    members = await tx.members(place.group.key, keys)
    results: dict[str, MemberResult] = {}
    banned: list[tuple[UserRecord, BanRecord]] = []
    for candidate in wanted:
        user = users.get(candidate.uid)
        try:
            if user is None or user.built_in:
                raise unknown_uid(candidate.uid)
            if user.key in bans:
                raise _already_banned(user.uid)
            require_not_owner(user.uid, place.group.owner)
            former: Scope = "participant"
            if user.key in members:
                former = members[user.key].scope
            if not place.actor.is_app:
                require_other(place.actor.uid, user.uid)
            check_clearance(place, scope, user.uid, former)
        except ChathooksError as error:
            results[candidate.uid] = failed(error)
        else:
            banned.append((user, BanRecord(user.key, former, now_s)))
            results[candidate.uid] = MemberResult(True)
    if banned:
        ended = [members[user.key] for user, _ in banned if user.key in members]
        await apply_bans(tx, outbox, app, place, banned, ended, now_s)
    return results
