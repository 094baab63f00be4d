"""Users who go: deactivation, reactivation, deletion (rest-api.md C2, delivery contract §5, §7).

From the moment of the call the user is not found. The memberships end one by one, each told by
group_member_removed: some in the call itself, the rest as stored work in batches (`cascade`). A user who is
deleted for good is erased after that: the row stays for the messages that name it, without uid, name and profile.
"""

from collections.abc import Sequence

import msgspec

from chathooks.chat.actions import record_member_action
from chathooks.chat.actors import actor_of, unknown_uid
from chathooks.chat.places import append_to_group, resized
from chathooks.chat.store import ChatTransaction, GroupRecord, MemberRecord, UserRecord
from chathooks.chat.views import APP_SYSTEM, group_entity, group_member, user_entity
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store
from chathooks_events.payloads import GroupMemberRemoved, GroupOwnerTransferred

MEMBERSHIPS_PER_STEP = 50
"""Memberships that one transaction ends."""
ERASED = 2
"""`built_in` of a user who was deleted for good: neither listed nor counted."""


def _built_in(uid: str) -> ChathooksError:
    return ChathooksError("ERR_PERMISSION_DENIED", f"{uid} is built in and cannot be deleted.")


class Departures:
    """Ends the stay of users of all apps."""

    def __init__(self, store: Store[ChatTransaction], outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    async def deactivate(self, app: int, uids: Sequence[str]) -> list[str]:
        """Deactivate users; answers the uids of those who were active.

        Raises ERR_PERMISSION_DENIED where the built-in user is named. Unknown uids are left out.
        """
        wanted = list(dict.fromkeys(uid.lower() for uid in uids))
        now_s = self._now_s()

        async def deactivate(tx: ChatTransaction) -> list[str]:
            found = await tx.users_by_uid(app, wanted)
            for user in found.values():
                if user.built_in:
                    raise _built_in(user.uid)
                await tx.deactivate_user(app, user.key, now_s, erase=False)
            await self._cascade(tx, [user.key for user in found.values()], MEMBERSHIPS_PER_STEP)
            return [uid for uid in wanted if uid in found]

        return await self._store.write(deactivate)

    async def reactivate(self, app: int, uids: Sequence[str]) -> list[str]:
        """Activate users again, without their former groups; answers the uids that are active now.

        Raises ERR_OPERATION_FAILED while memberships of one of them still end. Unknown uids are left out.
        """
        wanted = list(dict.fromkeys(uid.lower() for uid in uids))
        now_s = self._now_s()

        async def reactivate(tx: ChatTransaction) -> list[str]:
            active = []
            for uid in wanted:
                user = await tx.user(app, uid)
                if user is None or user.built_in:
                    continue
                if await tx.departure(user.key) is not None:
                    raise ChathooksError(
                        "ERR_OPERATION_FAILED",
                        f"{uid} still leaves the groups of before; try again in a moment.",
                        {"uidsToActivate": "names a user who still leaves groups"},
                    )
                if user.deactivated_at is not None:
                    await tx.reactivate_user(user.key, now_s)
                active.append(uid)
            return active

        return await self._store.write(reactivate)

    async def delete(self, app: int, uid: str, *, permanent: bool) -> None:
        """Deactivate a user, or delete one for good, deactivated ones too.

        Raises ERR_UID_NOT_FOUND, ERR_PERMISSION_DENIED (built-in user).
        """
        now_s = self._now_s()

        async def delete(tx: ChatTransaction) -> None:
            user = await tx.user(app, uid)
            if user is None or (user.deactivated_at is not None and not permanent):
                raise unknown_uid(uid)
            if user.built_in:
                raise _built_in(uid)
            await tx.deactivate_user(app, user.key, user.deactivated_at or now_s, erase=permanent)
            await self._cascade(tx, [user.key], MEMBERSHIPS_PER_STEP)

        await self._store.write(delete)

    async def cascade(self, rows_max: int = MEMBERSHIPS_PER_STEP) -> int:
        """End a batch of memberships; 0 once none are left. For upkeep, not for callers."""

        async def cascade(tx: ChatTransaction) -> int:
            user = await tx.next_departure()
            return 0 if user is None else await self._cascade(tx, [user], rows_max)

        return await self._store.write(cascade)

    async def _cascade(self, tx: ChatTransaction, users: Sequence[int], rows_max: int) -> int:
        """End memberships of departing users, `rows_max` at most; answers how much was done."""
        done = 0
        for key in users:
            departure = await tx.departure(key)
            if departure is None or done >= rows_max:
                continue
            user = (await tx.users_by_key((key,)))[key]
            by = (await actor_of(tx, departure.app, APP_SYSTEM)).user
            batch = await tx.memberships(key, rows_max - done)
            for group, member in batch:
                await self._remove(tx, departure.app, group, user, member, by)
            done += len(batch)
            if done < rows_max:
                await tx.end_departure(key)
                if departure.erase:
                    await tx.erase_user(departure.app, key, built_in=ERASED)
                done += 1
        return done

    async def _remove(
        self,
        tx: ChatTransaction,
        app: int,
        group: GroupRecord,
        user: UserRecord,
        member: MemberRecord,
        by: UserRecord,
    ) -> None:
        now_s = self._now_s()
        if group.owner == user.uid:
            group = await self._inherit(tx, app, group, by, now_s)
        await tx.remove_member(group.key, member.user)
        group = await resized(tx, group, -1, now_s)
        await record_member_action(tx, app, "kicked", group=group, by=by, on=user, now_s=now_s)
        payload = GroupMemberRemoved(
            group=group_entity(group, online=True),
            members={user.uid: group_member(user, group.guid)},
            by=user_entity(by),
        )
        await append_to_group(tx, self._outbox, app, "group_member_removed", payload, group.guid)

    async def _inherit(
        self, tx: ChatTransaction, app: int, group: GroupRecord, heir: UserRecord, now_s: int
    ) -> GroupRecord:
        """The built-in user becomes the owner, and so a member, of a group whose owner goes."""
        if await tx.members(group.key, (heir.key,)):
            await tx.set_scope(group.key, heir.key, "admin")
        else:
            await tx.add_members(group.key, [MemberRecord(heir.key, "admin", now_s)])
            group = await resized(tx, group, 1, now_s)
        before = group.owner
        group = msgspec.structs.replace(
            group, owner=heir.uid, updated_at=now_s, updated_by=heir.uid
        )
        await tx.update_group(app, group)
        shown = msgspec.structs.replace(group_entity(group, online=True), old_owner=before)
        payload = GroupOwnerTransferred(group=shown)
        await append_to_group(tx, self._outbox, app, "group_owner_transferred", payload, group.guid)
        return group
