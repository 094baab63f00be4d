"""Who acts: the user named by `onBehalfOf`, else the app itself as `app_system`."""

from dataclasses import dataclass

import msgspec

from chathooks.chat.limits import ID_CHARS_MAX
from chathooks.chat.permissions import not_joined
from chathooks.chat.store import ChatTransaction, GroupRecord, MemberRecord, UserRecord
from chathooks.chat.views import APP_SYSTEM
from chathooks.kernel.errors import ChathooksError


class Actor(msgspec.Struct, frozen=True, gc=False):
    """The acting user; `is_app` where the app acts itself, with full rights (rest-api.md C10)."""

    user: UserRecord
    is_app: bool

    @property
    def uid(self) -> str:
        """Uid of the acting user."""
        return self.user.uid


def unknown_uid(uid: str) -> ChathooksError:
    """ERR_UID_NOT_FOUND; deactivated users are not found either (rest-api.md A6.2)."""
    return ChathooksError(
        "ERR_UID_NOT_FOUND",
        f"There is no active user with the uid {uid[:ID_CHARS_MAX]}.",
        {"uid": "is unknown"},
    )


def unknown_guid(guid: str) -> ChathooksError:
    """ERR_GUID_NOT_FOUND."""
    return ChathooksError(
        "ERR_GUID_NOT_FOUND",
        f"There is no group with the guid {guid[:ID_CHARS_MAX]}.",
        {"guid": "is unknown"},
    )


async def actor_of(tx: ChatTransaction, app: int, on_behalf_of: str | None) -> Actor:
    """The acting user. Raises ERR_UID_NOT_FOUND."""
    uid = on_behalf_of or APP_SYSTEM
    found = await tx.users_by_uid(app, (uid,))
    return actor_among(found, uid)


def actor_among(found: dict[str, UserRecord], uid: str) -> Actor:
    """The acting user out of users that were read. Raises ERR_UID_NOT_FOUND."""
    user = found.get(uid)
    if user is None:
        raise unknown_uid(uid)
    return Actor(user, is_app=uid == APP_SYSTEM)


@dataclass(frozen=True, slots=True)
class Place:
    """A group, who acts in it, and what they are in it (None: the app, or not a member)."""

    group: GroupRecord
    actor: Actor
    membership: MemberRecord | None

    def require_membership(self) -> MemberRecord:
        """The actor's membership; for users only. Raises ERR_GROUP_NOT_JOINED."""
        if self.membership is None:
            raise not_joined(self.actor.uid, self.group.guid)
        return self.membership


async def place_of(tx: ChatTransaction, app: int, guid: str, on_behalf_of: str | None) -> Place:
    """The group and the actor. Raises ERR_UID_NOT_FOUND, ERR_GUID_NOT_FOUND."""
    actor = await actor_of(tx, app, on_behalf_of)
    found = await tx.group_with_member(app, guid, actor.user.key)
    if found is None:
        raise unknown_guid(guid)
    group, membership = found
    return Place(group, actor, membership)
