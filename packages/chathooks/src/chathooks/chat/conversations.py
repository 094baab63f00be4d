"""From a display id back to conversations: only among those that the caller may see.

`_` is legal in uids and guids, so `a_user_b_user_c` or `group_user_b` may stand for several conversations; all
that exist and may be seen are meant (delivery contract §7 "Conversations").
"""

import msgspec

from chathooks.chat.actors import Actor
from chathooks.chat.filters import MessageFilter
from chathooks.chat.store import ChatTransaction

GROUP_PREFIX = "group_"
PAIR_SEPARATOR = "_user_"


def possible_guid(conversation_id: str) -> str | None:
    """The guid that the display id of a group's conversation holds."""
    prefix, guid = conversation_id[: len(GROUP_PREFIX)], conversation_id[len(GROUP_PREFIX) :]
    return guid if prefix == GROUP_PREFIX and guid else None


def possible_pairs(conversation_id: str) -> list[tuple[str, str]]:
    """All pairs of uids whose conversation shows this id; the lesser uid stands first in it."""
    pairs = []
    at = conversation_id.find(PAIR_SEPARATOR)
    while at != -1:
        first, second = conversation_id[:at], conversation_id[at + len(PAIR_SEPARATOR) :]
        if first and second and first <= second:
            pairs.append((first, second))
        at = conversation_id.find(PAIR_SEPARATOR, at + 1)
    return pairs


async def places_of(
    tx: ChatTransaction, app: int, conversation_id: str, actor: Actor, only: MessageFilter
) -> list[MessageFilter]:
    """`only` for each conversation that the id stands for and the actor may see."""
    places = []
    guid = possible_guid(conversation_id)
    if guid is not None:
        found = await tx.group_with_member(app, guid, actor.user.key)
        if found is not None and (actor.is_app or found[1] is not None):
            places.append(msgspec.structs.replace(only, group=found[0].key))
    pairs = [pair for pair in possible_pairs(conversation_id) if actor.is_app or actor.uid in pair]
    users = await tx.users_by_uid(app, {uid for pair in pairs for uid in pair})
    for first, second in pairs:
        if first in users and second in users:
            keys = (users[first].key, users[second].key)
            places.append(msgspec.structs.replace(only, pair=keys))
    return places
