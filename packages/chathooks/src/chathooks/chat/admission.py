"""Taking users into a group: who is accepted, and what is told of each (rest-api.md C6, C7).

One user's refusal does not refuse the others: each uid has its own result.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from chathooks.chat.actions import record_member_action
from chathooks.chat.actors import unknown_uid
from chathooks.chat.fields import refuse
from chathooks.chat.limits import GROUP_MEMBERS_MAX, GROUPS_PER_USER_MAX, UIDS_PER_CALL_MAX
from chathooks.chat.permissions import require_clearance_to_give
from chathooks.chat.requests import MemberUids
from chathooks.chat.store import (
    BanRecord,
    ChatTransaction,
    GroupRecord,
    MemberRecord,
    UserRecord,
)
from chathooks.kernel.errors import ChathooksError
from chathooks_events.entities import Message, Scope


class ItemFailure(msgspec.Struct, frozen=True):
    """Why one item of a batch was refused, in the shape of every error."""

    code: str
    message: str
    details: dict[str, str]


class MemberResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one uid: the action message where it was added."""

    success: bool
    data: Message | None = None
    error: ItemFailure | None = None


BANNED_ARRAY = "usersToBan"

MemberResults: TypeAlias = dict[str, dict[str, MemberResult]]
"""Results by array (`admins`, …) and uid."""


def failed(error: ChathooksError) -> MemberResult:
    """The result of a uid that was refused."""
    return MemberResult(False, error=ItemFailure(error.code, error.message, dict(error.details)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A uid, the array that it stood in, and the scope that it shall have."""

    uid: str
    array: str
    scope: Scope

    @property
    def to_ban(self) -> bool:
        """Whether the user shall be banned, not added."""
        return self.array == BANNED_ARRAY


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Who is accepted, and who is refused why."""

    accepted: list[tuple[Candidate, UserRecord]] = field(default_factory=list)
    refused: list[tuple[Candidate, ChathooksError]] = field(default_factory=list)

    def members(self, now_s: int) -> list[MemberRecord]:
        """The memberships of the accepted."""
        return [MemberRecord(user.key, wanted.scope, now_s) for wanted, user in self.accepted]


def _listed(wanted: MemberUids) -> Iterator[Candidate]:
    for uid in wanted.admins:
        yield Candidate(uid.lower(), "admins", "admin")
    for uid in wanted.moderators:
        yield Candidate(uid.lower(), "moderators", "moderator")
    for uid in wanted.participants:
        yield Candidate(uid.lower(), "participants", "participant")
    for uid in wanted.users_to_ban:
        yield Candidate(uid.lower(), BANNED_ARRAY, "participant")


def candidates(wanted: MemberUids) -> list[Candidate]:
    """Each uid once, with the highest scope asked for it; who is both added and banned is added.

    Raises ERR_BAD_REQUEST for more than 25 uids.
    """
    listed = list(_listed(wanted))
    if len(listed) > UIDS_PER_CALL_MAX:
        raise refuse("members", f"names {len(listed)} uids; at most {UIDS_PER_CALL_MAX} per call")
    first: dict[str, Candidate] = {}
    for candidate in listed:
        first.setdefault(candidate.uid, candidate)
    return list(first.values())


def _check_one(
    candidate: Candidate,
    user: UserRecord | None,
    *,
    is_member: bool,
    banned: Container[int],
    giver: Scope,
) -> UserRecord:
    if user is None or user.built_in:
        raise unknown_uid(candidate.uid)
    if is_member:
        raise ChathooksError("ERR_ALREADY_JOINED", f"{candidate.uid} is a member of the group.")
    if user.key in banned:
        raise ChathooksError(
            "ERR_BANNED_GROUPMEMBER",
            f"{candidate.uid} is banned from the group; lift the ban first.",
        )
    require_clearance_to_give(giver, candidate.scope)
    return user


async def check_vacancy(tx: ChatTransaction, user: UserRecord) -> None:
    """Raises ERR_PLAN_QUOTA_RESTRICTION where the user is in as many groups as anybody may be."""
    if not user.built_in and await tx.count_groups_of(user.key) >= GROUPS_PER_USER_MAX:
        raise ChathooksError(
            "ERR_PLAN_QUOTA_RESTRICTION",
            f"{user.uid} is in {GROUPS_PER_USER_MAX} groups, which is the most a user may be in.",
        )


async def judge(
    tx: ChatTransaction,
    app: int,
    wanted: list[Candidate],
    *,
    giver: Scope,
    members_count: int,
    group: int | None,
    owner: str,
) -> Verdicts:
    """Decide on each candidate.

    Args:
        tx: the transaction that will add them.
        app: key of the app.
        wanted: who shall be added.
        giver: scope of who adds them; admin for the app.
        members_count: members that the group has already.
        group: key of the group, None for one that is about to be made.
        owner: uid of the owner, a member of every group.
    """
    verdicts = Verdicts()
    if not wanted:
        return verdicts
    users = await tx.users_by_uid(app, [candidate.uid for candidate in wanted])
    present: Mapping[int, MemberRecord] = {}
    banned: Mapping[int, BanRecord] = {}
    if group is not None:
        keys = [user.key for user in users.values()]
        present, banned = await tx.members(group, keys), await tx.bans(group, keys)
    for candidate in wanted:
        user = users.get(candidate.uid)
        is_member = candidate.uid == owner or (user is not None and user.key in present)
        try:
            accepted = _check_one(candidate, user, is_member=is_member, banned=banned, giver=giver)
            if members_count + len(verdicts.accepted) >= GROUP_MEMBERS_MAX:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"The group has {GROUP_MEMBERS_MAX} members, which is the most it may have.",
                )
            await check_vacancy(tx, accepted)
        except ChathooksError as error:
            verdicts.refused.append((candidate, error))
        else:
            verdicts.accepted.append((candidate, accepted))
    return verdicts


async def record_admissions(
    tx: ChatTransaction,
    app: int,
    verdicts: Verdicts,
    *,
    group: GroupRecord,
    by: UserRecord,
    now_s: int,
) -> MemberResults:
    """Keep an action message for each accepted; answers the results of all."""
    results: MemberResults = {}
    for candidate, user in verdicts.accepted:
        message = await record_member_action(
            tx, app, "added", group=group, by=by, on=user, now_s=now_s
        )
        results.setdefault(candidate.array, {})[candidate.uid] = MemberResult(True, data=message)
    for candidate, error in verdicts.refused:
        results.setdefault(candidate.array, {})[candidate.uid] = failed(error)
    return results
