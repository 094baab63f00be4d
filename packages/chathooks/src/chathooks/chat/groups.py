"""Groups: create, list, read, update, hand over, delete (rest-api.md C6, C9, delivery contract §5).

Each command checks, changes the rows and appends its event in one transaction. Deleting marks the group: from
then on it does not exist, and its rows are taken away in batches (`purge`).
"""

from dataclasses import dataclass

import msgspec

from chathooks.chat.actors import Place, actor_among, actor_of, place_of, unknown_uid
from chathooks.chat.admission import (
    BANNED_ARRAY,
    Candidate,
    MemberResults,
    candidates,
    check_vacancy,
    judge,
    record_admissions,
)
from chathooks.chat.bans import ban_listed
from chathooks.chat.fields import checked_url, refuse, stored_metadata, stored_tags
from chathooks.chat.filters import GroupFilter
from chathooks.chat.limits import MEMBERS_REMOVED_PER_BATCH
from chathooks.chat.passwords import hashed_password
from chathooks.chat.permissions import not_joined, require_admin, require_moderator
from chathooks.chat.requests import GroupChange, NewGroup
from chathooks.chat.store import ChatTransaction, GroupRecord, MemberRecord, UserRecord
from chathooks.chat.views import APP_SYSTEM, group_answer, group_entity, group_member
from chathooks.events import streams
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store
from chathooks_events.entities import Group, GroupType
from chathooks_events.payloads import (
    GroupCreated,
    GroupDeleted,
    GroupOwnerTransferred,
    GroupUpdated,
)


@dataclass(frozen=True, slots=True)
class CreatedGroup:
    """A new group as its owner sees it, and what became of each uid that was to be a member."""

    group: Group
    members: MemberResults | None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A page of groups and how many there are."""

    groups: list[Group]
    total: int


def _check_password(type_: GroupType, password: str | None) -> None:
    if type_ == "password" and not password:
        raise ChathooksError(
            "ERR_EMPTY_GROUP_PASS",
            "A group of type password needs a password.",
            {"password": "is required"},
        )
    if type_ != "password" and password:
        raise refuse("password", "is for groups of type password")


def _changes(request: GroupChange) -> dict[str, object]:
    """The record's fields that a request sets, checked; type, password and owner aside."""
    changes: dict[str, object] = {}
    if request.name is not None:
        changes["name"] = request.name
    if request.icon is not None:
        changes["icon"] = checked_url("icon", request.icon)
    if request.description is not None:
        changes["description"] = request.description or None
    if request.metadata is not None:
        changes["metadata"] = _metadata(request.metadata)
    if request.tags is not None:
        changes["tags"] = stored_tags(request.tags)
    changes.update(dict.fromkeys(request.unset))
    return changes


def _metadata(metadata: dict[str, object] | None) -> str | None:
    public, private = stored_metadata(metadata)
    if private is not None:
        raise refuse("metadata", "of a group has no @private part")
    return public


def _with_type(
    group: GroupRecord, type_: GroupType | None, password: str | None, hashed: bytes | None
) -> GroupRecord:
    """The group with its new type and password. Raises ERR_EMPTY_GROUP_PASS, ERR_BAD_REQUEST."""
    wanted = type_ or group.type
    if wanted != "password" or hashed is not None or group.password_hash is None:
        _check_password(wanted, password)
        return msgspec.structs.replace(group, type=wanted, password_hash=hashed)
    return group


class Groups:
    """The groups of all apps."""

    def __init__(
        self,
        store: Store[ChatTransaction],
        outbox: Outbox,
        clock: Clock,
        random: RandomBytes,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._random = random

    def _now_s(self) -> int:
        return self._clock.wall_ms() // MS_PER_S

    async def _hashed(self, password: str | None) -> bytes | None:
        return await hashed_password(password, self._random) if password else None

    async def create(
        self, app: int, request: NewGroup, on_behalf_of: str | None = None
    ) -> CreatedGroup:
        """Create a group with its owner as admin, and members; fires group_created, then group_member_banned if any was banned.

        The owner is `on_behalf_of`, else `request.owner`, else app_system.

        Raises:
            ChathooksError: ERR_GUID_ALREADY_EXISTS, ERR_UID_NOT_FOUND (actor or owner),
                ERR_EMPTY_GROUP_PASS, ERR_PLAN_QUOTA_RESTRICTION, ERR_INVALID_METADATA, ERR_BAD_REQUEST.
        """
        _check_password(request.type, request.password)
        listed = candidates(request.members) if request.members is not None else []
        now_s = self._now_s()
        draft = GroupRecord(
            key=0,
            guid=request.guid.lower(),
            name=request.name,
            type=request.type,
            description=request.description or None,
            icon=checked_url("icon", request.icon),
            password_hash=await self._hashed(request.password),
            owner=on_behalf_of or (request.owner or APP_SYSTEM).lower(),
            metadata=_metadata(request.metadata),
            tags=stored_tags(request.tags),
            members_count=1,
            created_at=now_s,
            updated_at=None,
            updated_by=None,
            deleted_at=None,
        )

        async def create(tx: ChatTransaction) -> CreatedGroup:
            return await self._create(tx, app, draft, listed, on_behalf_of or APP_SYSTEM, now_s)

        created = await self._store.write(create)
        return created if request.members is not None else CreatedGroup(created.group, None)

    async def _create(
        self,
        tx: ChatTransaction,
        app: int,
        draft: GroupRecord,
        listed: list[Candidate],
        actor_uid: str,
        now_s: int,
    ) -> CreatedGroup:
        guid = draft.guid
        found = await tx.users_by_uid(app, {actor_uid, draft.owner})
        actor = actor_among(found, actor_uid)
        owner = actor_among(found, draft.owner).user
        await check_vacancy(tx, owner)
        wanted = [candidate for candidate in listed if not candidate.to_ban]
        to_ban = [candidate for candidate in listed if candidate.to_ban]
        verdicts = await judge(
            tx, app, wanted, giver="admin", members_count=1, group=None, owner=owner.uid
        )
        group = msgspec.structs.replace(draft, members_count=1 + len(verdicts.accepted))
        key = await tx.add_group(app, group)
        if key is None:
            raise ChathooksError(
                "ERR_GUID_ALREADY_EXISTS",
                f"The guid {guid} is taken; choose another or update that group.",
                {"guid": "is taken"},
            )
        group = msgspec.structs.replace(group, key=key)
        ownership = MemberRecord(owner.key, "admin", now_s)
        await tx.add_members(key, [ownership, *verdicts.members(now_s)])
        results = await record_admissions(
            tx, app, verdicts, group=group, by=actor.user, now_s=now_s
        )
        members: list[UserRecord] = [owner, *(user for _, user in verdicts.accepted)]
        payload = GroupCreated(
            group=group_answer(group, ownership, seen=True, with_tags=False),
            members={user.uid: group_member(user, guid) for user in members},
        )
        await self._append(tx, app, "group_created", payload, guid)
        if to_ban:
            here = Place(group, actor, ownership)
            results[BANNED_ARRAY] = await ban_listed(
                tx, self._outbox, app, here, to_ban, scope="admin", now_s=now_s
            )
        return CreatedGroup(group_answer(group, ownership, seen=True), results)

    async def get(self, app: int, guid: str, on_behalf_of: str | None = None) -> Group:
        """One group, as `on_behalf_of` sees it if given.

        Raises:
            ChathooksError: ERR_GUID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED (a private group).
        """

        async def get(tx: ChatTransaction) -> Group:
            place = await place_of(tx, app, guid, on_behalf_of)
            if place.actor.is_app:
                return group_answer(place.group)
            if place.membership is None and place.group.type == "private":
                raise not_joined(place.actor.uid, guid)
            return group_answer(place.group, place.membership, seen=True)

        return await self._store.read(get)

    async def page(
        self,
        app: int,
        only: GroupFilter,
        *,
        limit: int,
        offset: int,
        with_tags: bool = False,
        on_behalf_of: str | None = None,
    ) -> GroupPage:
        """A page of groups. Raises ERR_UID_NOT_FOUND for an unknown `on_behalf_of`."""

        async def query(tx: ChatTransaction) -> GroupPage:
            seen = on_behalf_of is not None
            wanted = only
            if seen:
                viewer = await actor_of(tx, app, on_behalf_of)
                wanted = msgspec.structs.replace(only, visible_to=viewer.user.key)
            found = await tx.list_groups(app, wanted, limit, offset)
            total = await tx.count_groups(app, wanted)
            groups = [
                group_answer(group, member, seen=seen, with_tags=with_tags)
                for group, member in found
            ]
            return GroupPage(groups, total)

        return await self._store.read(query)

    async def update(
        self, app: int, guid: str, request: GroupChange, on_behalf_of: str | None = None
    ) -> Group:
        """Change what the request names; fires group_updated, or group_owner_transferred instead.

        `owner` is ignored when acting for a user (rest-api.md C6).

        Raises:
            ChathooksError: ERR_GUID_NOT_FOUND, ERR_UID_NOT_FOUND (actor or new owner), ERR_NOT_A_MEMBER (new
                owner), ERR_GROUP_NOT_JOINED, ERR_GROUP_NO_MODERATOR_SCOPE, ERR_EMPTY_GROUP_PASS,
                ERR_INVALID_METADATA, ERR_BAD_REQUEST.
        """
        changes = _changes(request)
        if not changes and (request.type, request.password, request.owner) == (None, None, None):
            raise ChathooksError("ERR_BAD_REQUEST", "Name at least one field to change.")
        hashed = await self._hashed(request.password)
        now_s = self._now_s()

        async def update(tx: ChatTransaction) -> Group:
            place = await place_of(tx, app, guid, on_behalf_of)
            if not place.actor.is_app:
                require_moderator(place.require_membership().scope)
            before = place.group
            group = msgspec.structs.replace(
                _with_type(before, request.type, request.password, hashed),
                **changes,
                updated_at=now_s,
                updated_by=place.actor.uid,
            )
            new_owner = (request.owner or before.owner).lower()
            membership = place.membership
            if place.actor.is_app and new_owner != before.owner:
                await self._hand_over(tx, app, place, new_owner)
                group = msgspec.structs.replace(group, owner=new_owner)
            await tx.update_group(app, group)
            shown = group_entity(group, online=True)
            if group.owner == before.owner:
                await self._append(tx, app, "group_updated", GroupUpdated(group=shown), guid)
            else:
                handed = msgspec.structs.replace(shown, old_owner=before.owner)
                payload = GroupOwnerTransferred(group=handed)
                await self._append(tx, app, "group_owner_transferred", payload, guid)
            if place.actor.is_app:
                return group_answer(group)
            return group_answer(group, membership, seen=True)

        return await self._store.write(update)

    async def _hand_over(self, tx: ChatTransaction, app: int, place: Place, new_owner: str) -> None:
        """Make a member the admin who may own the group."""
        user = (await tx.users_by_uid(app, (new_owner,))).get(new_owner)
        if user is None:
            raise unknown_uid(new_owner)
        member = (await tx.members(place.group.key, (user.key,))).get(user.key)
        if member is None:
            raise ChathooksError(
                "ERR_NOT_A_MEMBER",
                f"{new_owner} is not a member of the group; only a member can become its owner.",
                {"owner": "is not a member"},
            )
        if member.scope != "admin":
            await tx.set_scope(place.group.key, user.key, "admin")

    async def delete(self, app: int, guid: str, on_behalf_of: str | None = None) -> None:
        """Delete a group; fires group_deleted and no member events (delivery contract §7).

        Raises:
            ChathooksError: ERR_GUID_NOT_FOUND, ERR_UID_NOT_FOUND, ERR_GROUP_NOT_JOINED,
                ERR_GROUP_NO_ADMIN_SCOPE.
        """
        now_s = self._now_s()

        async def delete(tx: ChatTransaction) -> None:
            place = await place_of(tx, app, guid, on_behalf_of)
            if not place.actor.is_app:
                require_admin(place.require_membership().scope)
            await tx.delete_group(app, place.group.key, now_s)
            payload = GroupDeleted(group=group_entity(place.group, online=True))
            await self._append(tx, app, "group_deleted", payload, guid)
            await tx.purge_deleted_groups(MEMBERS_REMOVED_PER_BATCH)

        await self._store.write(delete)

    async def purge(self, rows_max: int = MEMBERS_REMOVED_PER_BATCH) -> int:
        """Take away a batch of rows of deleted groups; 0 once none are left. For upkeep, not for callers."""

        async def purge(tx: ChatTransaction) -> int:
            return await tx.purge_deleted_groups(rows_max)

        return await self._store.write(purge)

    async def _append(
        self, tx: ChatTransaction, app: int, trigger: str, data: msgspec.Struct, guid: str
    ) -> None:
        await self._outbox.append(
            tx, app=app, trigger=trigger, data=data, stream=streams.group(guid)
        )
