"""Members of a group: add, list, change scope, kick (rest-api.md C7, delivery contract §5).

Each command checks, changes the rows and appends its events in one transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec

from chathooks.chat.actions import record_member_action
from chathooks.chat.actors import place_of
from chathooks.chat.admission import (
    BANNED_ARRAY,
    MemberResults,
    candidates,
    judge,
    record_admissions,
)
from chathooks.chat.bans import ban_listed
from chathooks.chat.fields import refuse
from chathooks.chat.permissions import require_clearance_to_give, require_not_owner
from chathooks.chat.places import (
    append_to_group,
    check_clearance,
    member_of,
    moderating,
    resized,
    user_of,
)
from chathooks.chat.requests import MemberUids
from chathooks.chat.store import ChatTransaction
from chathooks.chat.views import (
    group_entity,
    group_member,
    member_answer,
    member_with_new_scope,
    user_entity,
)
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.entities import Member, Scope, User
from chathooks_events.payloads import (
    GroupMemberAdded,
    GroupMemberKicked,
    GroupMemberRemoved,
    GroupMemberScopeChanged,
)


class MemberScope(msgspec.Struct, frozen=True):
    """What a scope change answers (rest-api.md C7)."""

    guid: str
    uid: str
    scope: Scope
    joined_at: int = msgspec.field(name="joinedAt")


@dataclass(frozen=True, slots=True)
class MemberPage:
    """A page of members and how many there are."""

    members: list[Member]
    total: int


class Members:
    """The members of all groups."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    async def add(
        self, app: int, guid: str, request: MemberUids, on_behalf_of: str | None = None
    ) -> MemberResults:
        """Add users with the scopes they stand under; fires group_member_added if any was added.

        Those under `usersToBan` are banned instead; fires group_member_banned if any was.

        Raises:
            ChathooksError: ERR_BAD_REQUEST, ERR_UID_NOT_FOUND (actor), ERR_GUID_NOT_FOUND,
                ERR_GROUP_NOT_JOINED, ERR_GROUP_NO_MODERATOR_SCOPE. What is wrong with one uid is in its result.
        """
        listed = candidates(request)
        if not listed:
            raise refuse(
                "members", "names nobody; give admins, moderators, participants or usersToBan"
            )
        wanted = [candidate for candidate in listed if not candidate.to_ban]
        to_ban = [candidate for candidate in listed if candidate.to_ban]
        now_s = self._now_s()

        async def add(tx: ChatTransaction) -> MemberResults:
            place = await place_of(tx, app, guid, on_behalf_of)
            group = place.group
            scope = moderating(place)
            verdicts = await judge(
                tx,
                app,
                wanted,
                giver=scope,
                members_count=group.members_count,
                group=group.key,
                owner=group.owner,
            )
            if verdicts.accepted:
                await tx.add_members(group.key, verdicts.members(now_s))
                group = await resized(tx, group, len(verdicts.accepted), now_s)
            results = await record_admissions(
                tx, app, verdicts, group=group, by=place.actor.user, now_s=now_s
            )
            if verdicts.accepted:
                members = {user.uid: group_member(user, guid) for _, user in verdicts.accepted}
                payload = GroupMemberAdded(
                    group=group_entity(group, online=True),
                    members=members,
                    by=user_entity(place.actor.user),
                )
                await append_to_group(tx, self._outbox, app, "group_member_added", payload, guid)
            if to_ban:
                here = replace(place, group=group)
                results[BANNED_ARRAY] = await ban_listed(
                    tx, self._outbox, app, here, to_ban, scope=scope, now_s=now_s
                )
            return results

        return await self._store.write(add)

    async def kick(self, app: int, guid: str, uid: str, on_behalf_of: str | None = None) -> None:
        """End a membership; fires group_member_kicked, and group_member_removed where the app does it.

        Raises:
            ChathooksError: ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_NOT_A_MEMBER, ERR_GROUP_NOT_JOINED,
                ERR_GROUP_NO_MODERATOR_SCOPE, ERR_GROUP_NO_SELF_ACTION, ERR_GROUP_NO_SCOPE_CLEARANCE.
        """
        now_s = self._now_s()

        async def kick(tx: ChatTransaction) -> None:
            place = await place_of(tx, app, guid, on_behalf_of)
            scope = moderating(place)
            user = await user_of(tx, app, place, uid)
            member = await member_of(tx, place, user)
            require_not_owner(uid, place.group.owner)
            check_clearance(place, scope, uid, member.scope)
            await tx.remove_member(place.group.key, user.key)
            group = await resized(tx, place.group, -1, now_s)
            actor = place.actor.user
            await record_member_action(
                tx, app, "kicked", group=group, by=actor, on=user, now_s=now_s
            )
            shown = group_entity(group, online=True)
            members = {uid: group_member(user, guid)}
            by: User = user_entity(actor)
            kicked = GroupMemberKicked(group=shown, members=members, by=by)
            await append_to_group(tx, self._outbox, app, "group_member_kicked", kicked, guid)
            if place.actor.is_app:
                removed = GroupMemberRemoved(group=shown, members=members, by=by)
                await append_to_group(tx, self._outbox, app, "group_member_removed", removed, guid)

        await self._store.write(kick)

    async def change_scope(
        self, app: int, guid: str, uid: str, scope: Scope, on_behalf_of: str | None = None
    ) -> MemberScope:
        """Give a member another scope; fires group_member_scope_changed.

        Raises:
            ChathooksError: as `kick`, and ERR_SAME_SCOPE.
        """
        now_s = self._now_s()

        async def change(tx: ChatTransaction) -> MemberScope:
            place = await place_of(tx, app, guid, on_behalf_of)
            actor_scope = moderating(place)
            user = await user_of(tx, app, place, uid)
            member = await member_of(tx, place, user)
            if member.scope == scope:
                raise ChathooksError("ERR_SAME_SCOPE", f"{uid} has the scope {scope} already.")
            require_not_owner(uid, place.group.owner)
            check_clearance(place, actor_scope, uid, member.scope)
            require_clearance_to_give(actor_scope, scope)
            await tx.set_scope(place.group.key, user.key, scope)
            group = await resized(tx, place.group, 0, now_s)
            actor = place.actor.user
            await record_member_action(
                tx, app, "scopeChanged", group=group, by=actor, on=user, now_s=now_s
            )
            payload = GroupMemberScopeChanged(
                group=group_entity(group, online=True),
                members={uid: member_with_new_scope(user, guid, scope, member.scope)},
                by=user_entity(actor),
            )
            await append_to_group(
                tx, self._outbox, app, "group_member_scope_changed", payload, guid
            )
            return MemberScope(guid, uid, scope, member.joined_at)

        return await self._store.write(change)

    async def page(
        self,
        app: int,
        guid: str,
        scopes: Collection[Scope],
        *,
        limit: int,
        offset: int,
        on_behalf_of: str | None = None,
    ) -> MemberPage:
        """A page of members. Raises ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND, ERR_GROUP_NOT_JOINED."""

        async def query(tx: ChatTransaction) -> MemberPage:
            place = await place_of(tx, app, guid, on_behalf_of)
            if not place.actor.is_app:
                place.require_membership()
            group = place.group
            found = await tx.list_members(group.key, scopes, limit, offset)
            total = await tx.count_members(group.key, scopes) if scopes else group.members_count
            return MemberPage([member_answer(user, member) for user, member in found], total)

        return await self._store.read(query)
