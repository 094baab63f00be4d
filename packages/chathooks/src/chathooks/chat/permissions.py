"""Who may do what in a group and with a message: pure rules over scopes.

The app itself (no `onBehalfOf`) passes all rules but those that keep a group sound (its owner stays an admin
member). Source: rest-api.md C7 and C10, delivery contract §7 "Statuses".
"""

from collections.abc import Mapping

from chathooks.kernel.errors import ChathooksError
from chathooks_events.entities import Scope

RANK: Mapping[Scope, int] = {"participant": 0, "moderator": 1, "admin": 2}
"""admin > moderator > participant (rest-api.md C6)."""

_OWNER_RANK = 3


def rank(scope: Scope, *, owner: bool) -> int:
    """Place in the order of clearance; the owner stands above the admins."""
    return _OWNER_RANK if owner else RANK[scope]


def not_joined(uid: str, guid: str) -> ChathooksError:
    """ERR_GROUP_NOT_JOINED: the actor is not in the group."""
    return ChathooksError(
        "ERR_GROUP_NOT_JOINED",
        f"The user {uid} is not a member of the group {guid}; add the user to it first.",
    )


def require_admin(scope: Scope) -> None:
    """Raises ERR_GROUP_NO_ADMIN_SCOPE unless `scope` is admin."""
    if scope != "admin":
        raise ChathooksError(
            "ERR_GROUP_NO_ADMIN_SCOPE",
            f"Only admins of the group may do this; the acting user is a {scope}.",
        )


def require_moderator(scope: Scope) -> None:
    """Raises ERR_GROUP_NO_MODERATOR_SCOPE unless `scope` is moderator or admin."""
    if RANK[scope] < RANK["moderator"]:
        raise ChathooksError(
            "ERR_GROUP_NO_MODERATOR_SCOPE",
            f"Only moderators and admins of the group may do this; the acting user is a {scope}.",
        )


def require_clearance_to_give(actor: Scope, given: Scope) -> None:
    """Nobody gives a scope above their own. Raises ERR_GROUP_NO_SCOPE_CLEARANCE."""
    if RANK[given] > RANK[actor]:
        raise ChathooksError(
            "ERR_GROUP_NO_SCOPE_CLEARANCE", f"A {actor} of the group may not make anyone {given}."
        )


def require_clearance_over(
    actor: Scope, target: Scope, *, actor_owns: bool, target_owns: bool
) -> None:
    """Members act only on those who stand below them. Raises ERR_GROUP_NO_SCOPE_CLEARANCE."""
    if rank(actor, owner=actor_owns) <= rank(target, owner=target_owns):
        raise ChathooksError(
            "ERR_GROUP_NO_SCOPE_CLEARANCE",
            f"A {actor} of the group may not act on {'its owner' if target_owns else f'a {target}'}.",
        )


def require_other(actor_uid: str, target_uid: str) -> None:
    """Raises ERR_GROUP_NO_SELF_ACTION where somebody acts on their own membership."""
    if actor_uid == target_uid:
        raise ChathooksError(
            "ERR_GROUP_NO_SELF_ACTION", "A member cannot do this to their own membership."
        )


def require_not_owner(target_uid: str, owner_uid: str) -> None:
    """The owner stays an admin member, whoever asks. Raises ERR_GROUP_NO_SCOPE_CLEARANCE."""
    if target_uid == owner_uid:
        raise ChathooksError(
            "ERR_GROUP_NO_SCOPE_CLEARANCE",
            f"{target_uid} owns the group; transfer the ownership first (PUT owner).",
        )


def require_sender(actor_uid: str, sender_uid: str) -> None:
    """Raises ERR_MESSAGE_NOT_A_SENDER unless the actor wrote the message."""
    if actor_uid != sender_uid:
        raise ChathooksError(
            "ERR_MESSAGE_NOT_A_SENDER",
            f"Only the sender may change this message, and {actor_uid} did not send it.",
        )


def require_changeable(category: str, *, deleted: bool) -> None:
    """Raises ERR_MESSAGE_ACTION_NOT_ALLOWED for action and call messages and for deleted ones."""
    if category in ("action", "call"):
        raise ChathooksError(
            "ERR_MESSAGE_ACTION_NOT_ALLOWED",
            f"Messages of category {category} cannot be edited or deleted.",
        )
    if deleted:
        raise ChathooksError(
            "ERR_MESSAGE_ACTION_NOT_ALLOWED", "The message was deleted; it cannot be changed."
        )
