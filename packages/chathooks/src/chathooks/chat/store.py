"""What chat asks of a store: its records, and the transaction its commands run in.

Records are rows as they are kept: JSON stays text (it is copied into answers and events, not parsed), and users
and groups are told apart by integer keys, so that a guid or uid that is used again never revives old rows.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from chathooks.chat.filters import GroupFilter, MessageFilter, UserFilter
from chathooks.events.outbox import OutboxTransaction
from chathooks_events.entities import GroupType, ReactionCount, Scope


class UserRecord(msgspec.Struct, frozen=True, gc=False):
    """A user. Times are unix seconds."""

    key: int
    uid: str
    name: str
    avatar: str | None
    link: str | None
    role: str
    status_message: str | None
    metadata: str | None
    """JSON object without `@private`."""
    private_metadata: str | None
    """JSON object: what stood under `@private`; shown by the users API alone."""
    tags: str | None
    """JSON array."""
    created_at: int
    updated_at: int | None
    deactivated_at: int | None
    built_in: int
    """1 for `app_system`: never listed, changed or counted."""


class GroupRecord(msgspec.Struct, frozen=True, gc=False):
    """A group. Times are unix seconds."""

    key: int
    guid: str
    name: str
    type: GroupType
    description: str | None
    icon: str | None
    password_hash: bytes | None
    owner: str
    metadata: str | None
    tags: str | None
    members_count: int
    created_at: int
    updated_at: int | None
    updated_by: str | None
    deleted_at: int | None


class TokenRecord(msgspec.Struct, frozen=True, gc=False):
    """An auth token by its SHA-256. `created_at` is in unix seconds."""

    digest: bytes
    user: int
    masked: str
    created_at: int
    platform: str | None
    user_agent: str | None
    app_info: str | None
    """JSON."""


class Relation(msgspec.Struct, frozen=True, gc=False):
    """What a user who is looked at has to do with who looks. Times are unix seconds."""

    blocked_by_me_at: int | None = None
    blocked_at: int | None = None
    """When they blocked who looks."""


class Departure(msgspec.Struct, frozen=True, gc=False):
    """A user whose memberships wait to be ended."""

    app: int
    erase: bool
    """Whether the user is deleted for good after that."""


class MemberRecord(msgspec.Struct, frozen=True, gc=False):
    """A membership. `joined_at` is in unix seconds."""

    user: int
    scope: Scope
    joined_at: int


class BanRecord(msgspec.Struct, frozen=True, gc=False):
    """A ban from a group, with the scope that the user had there. `banned_at` is in unix seconds."""

    user: int
    scope: Scope
    banned_at: int


class MessageRecord(msgspec.Struct, frozen=True, gc=False):
    """A message: to a user (`receiver_user`) or to a group (`group_key`). Times are unix seconds."""

    id: int
    muid: str | None
    sender: int
    receiver_user: int | None
    group_key: int | None
    category: str
    type: str
    content: str
    """JSON of `data`; of action messages with its entities, of all others without."""
    tags: str | None
    sent_at: int
    updated_at: int
    edited_at: int | None
    edited_by: str | None
    deleted_at: int | None
    deleted_by: str | None
    parent: int | None
    """The message that this one replies to."""
    reply_count: int


class NewMessage(msgspec.Struct, frozen=True, gc=False):
    """A message that has no id yet."""

    app: int
    muid: str | None
    sender: int
    receiver_user: int | None
    group_key: int | None
    category: str
    type: str
    content: str
    tags: str | None
    sent_at: int
    parent: int | None = None


class ReactionRecord(msgspec.Struct, frozen=True, gc=False):
    """A user's reaction to a message. `reacted_at` is in unix seconds."""

    key: int
    message: int
    user: int
    reaction: str
    reacted_at: int


class UserTransaction(Protocol):
    """Users."""

    async def user(self, app: int, uid: str) -> UserRecord | None:
        """The user, deactivated ones too."""

    async def users_by_uid(self, app: int, uids: Collection[str]) -> dict[str, UserRecord]:
        """Those of the users that exist and are active, by uid; `app_system` among them."""

    async def users_by_key(self, keys: Collection[int]) -> dict[int, UserRecord]: ...

    async def add_user(self, app: int, user: UserRecord) -> int | None:
        """Insert (its `key` is not read); answers the key, None where the uid is taken."""

    async def update_user(self, app: int, user: UserRecord) -> None:
        """Store all fields of an existing user but uid and creation time."""

    async def list_users(
        self, app: int, only: UserFilter, limit: int, offset: int
    ) -> list[UserRecord]:
        """By uid; ends after FILTERED_TOTAL_MAX if narrowed, of one role after INDEXED_TOTAL_MAX."""

    async def count_users(self, app: int, only: UserFilter) -> int:
        """How many `list_users` knows."""


class TokenTransaction(Protocol):
    """Auth tokens of users."""

    async def add_auth_token(
        self, app: int, user: int, digest: bytes, masked: str, created_at: int
    ) -> None: ...

    async def auth_token(self, app: int, digest: bytes) -> TokenRecord | None: ...

    async def list_auth_tokens(self, user: int, limit: int, offset: int) -> list[TokenRecord]:
        """By age."""

    async def count_auth_tokens(self, user: int) -> int: ...

    async def update_auth_token(self, token: TokenRecord) -> None:
        """Store where it is used."""

    async def delete_auth_token(self, digest: bytes) -> None: ...

    async def delete_auth_tokens(self, user: int) -> None: ...

    async def drop_oldest_auth_token(self, user: int) -> None: ...


class BlockTransaction(Protocol):
    """Blocks between users."""

    async def add_block(self, user: int, blocked: int, blocked_at: int) -> bool:
        """Whether it was not there before."""

    async def remove_block(self, user: int, blocked: int) -> bool:
        """Whether it was there."""

    async def blocker(self, user: int, other: int) -> int | None:
        """Who of the two blocks the other; `user` if both do."""

    async def relations(self, viewer: int, users: Collection[int]) -> dict[int, Relation]:
        """Of those of the users that `viewer` blocks or is blocked by."""

    async def list_blocks(
        self, user: int, search: str | None, limit: int, offset: int
    ) -> list[tuple[UserRecord, int]]:
        """Active users whom `user` blocks and since when; `search` begins their uid or name."""

    async def count_blocks(self, user: int, search: str | None) -> int:
        """How many `list_blocks` knows, at most FILTERED_TOTAL_MAX."""


class DepartureTransaction(Protocol):
    """Users who were deactivated or deleted."""

    async def deactivate_user(
        self, app: int, user: int, deactivated_at: int, *, erase: bool
    ) -> None:
        """Mark the user, forget the tokens, and leave the memberships for later."""

    async def reactivate_user(self, user: int, updated_at: int) -> None: ...

    async def erase_user(self, app: int, user: int, *, built_in: int) -> None:
        """Forget uid, name and profile; the row stays for the messages that name it."""

    async def departure(self, user: int) -> Departure | None: ...

    async def next_departure(self) -> int | None:
        """A user whose memberships wait to be ended."""

    async def end_departure(self, user: int) -> None: ...

    async def memberships(self, user: int, limit: int) -> list[tuple[GroupRecord, MemberRecord]]:
        """Groups that the user is in, `limit` at most."""


class GroupTransaction(Protocol):
    """Groups and their members; deleted groups do not exist, unless said."""

    async def group(self, app: int, guid: str) -> GroupRecord | None: ...

    async def group_with_member(
        self, app: int, guid: str, user: int
    ) -> tuple[GroupRecord, MemberRecord | None] | None:
        """The group and what `user` is in it."""

    async def groups_by_key(self, keys: Collection[int]) -> dict[int, GroupRecord]:
        """Deleted ones too."""

    async def add_group(self, app: int, group: GroupRecord) -> int | None:
        """Insert (its `key` is not read); answers the key, None where the guid is taken."""

    async def update_group(self, app: int, group: GroupRecord) -> None:
        """Store all fields of an existing group but guid, creation time and members count."""

    async def delete_group(self, app: int, group: int, deleted_at: int) -> None:
        """From now on the group does not exist; its rows go with `purge_deleted_groups`."""

    async def purge_deleted_groups(self, rows_max: int) -> int:
        """Take away members and messages of deleted groups; answers how many rows went."""

    async def list_groups(
        self, app: int, only: GroupFilter, limit: int, offset: int
    ) -> list[tuple[GroupRecord, MemberRecord | None]]:
        """With the membership of `only.visible_to`, if set.

        Ends after FILTERED_TOTAL_MAX if narrowed, of one type by guid after INDEXED_TOTAL_MAX.
        """

    async def count_groups(self, app: int, only: GroupFilter) -> int:
        """How many `list_groups` knows."""

    async def members(self, group: int, users: Collection[int]) -> dict[int, MemberRecord]:
        """Those of the users that are members."""

    async def add_members(self, group: int, members: Sequence[MemberRecord]) -> None: ...

    async def remove_member(self, group: int, user: int) -> None: ...

    async def set_scope(self, group: int, user: int, scope: Scope) -> None: ...

    async def resize_group(self, group: int, by: int, updated_at: int) -> None:
        """Change the members count."""

    async def count_groups_of(self, user: int) -> int:
        """Groups that the user is in, at most GROUPS_PER_USER_MAX."""

    async def list_members(
        self, group: int, scopes: Collection[Scope], limit: int, offset: int
    ) -> list[tuple[UserRecord, MemberRecord]]:
        """By age of the user; of all scopes where `scopes` is empty."""

    async def count_members(self, group: int, scopes: Collection[Scope]) -> int: ...


class BanTransaction(Protocol):
    """Bans from groups."""

    async def bans(self, group: int, users: Collection[int]) -> dict[int, BanRecord]:
        """Those of the users that are banned."""

    async def add_bans(self, group: int, bans: Sequence[BanRecord]) -> None: ...

    async def remove_ban(self, group: int, user: int) -> None: ...

    async def list_bans(
        self, group: int, limit: int, offset: int
    ) -> list[tuple[UserRecord, BanRecord]]:
        """By age of the user."""

    async def count_bans(self, group: int) -> int:
        """How many `list_bans` knows, at most FILTERED_TOTAL_MAX."""


class MessageTransaction(Protocol):
    """Messages."""

    async def add_message(self, message: NewMessage) -> int:
        """Insert; answers the message's id, higher than all before."""

    async def last_message_sent_by(self, app: int, sent_at: int) -> int:
        """The highest id of the app's messages that were sent at or before `sent_at` (unix s); 0 if none."""

    async def next_message_id(self) -> int:
        """An id for a message that is answered but not kept."""

    async def message(self, app: int, message_id: int) -> MessageRecord | None: ...

    async def update_message(self, message: MessageRecord) -> None:
        """Store content, tags and the marks of edit and deletion."""

    async def delete_message(self, message_id: int) -> None: ...

    async def scan_horizon(
        self, app: int, only: MessageFilter, after: int, before: int, rows_max: int, *, newest: bool
    ) -> tuple[int, int] | None:
        """Id and time of the message at which a scan of the place has looked at `rows_max` of them.

        None where it is at its end before. The narrowing conditions of `only` are not looked at.
        """

    async def list_messages(
        self, app: int, only: MessageFilter, after: int, before: int, limit: int, *, newest: bool
    ) -> list[MessageRecord]:
        """Messages with `after` < id < `before`, the `limit` newest or oldest of them; by id, ascending."""


class ReactionTransaction(Protocol):
    """Reactions to messages."""

    async def add_reaction(
        self, message: int, user: int, reaction: str, reacted_at: int
    ) -> ReactionRecord | None:
        """Insert; None where the user reacted so already."""

    async def remove_reaction(
        self, message: int, user: int, reaction: str
    ) -> ReactionRecord | None:
        """Delete; answers what was deleted, None where there was nothing."""

    async def count_other_reactions(self, message: int, reaction: str) -> int:
        """How many different reactions besides `reaction` the message has."""

    async def reaction_counts(
        self, messages: Collection[int], viewer: int | None = None
    ) -> dict[int, list[ReactionCount]]:
        """What stands under `data.reactions`, by message; `viewer` adds `reactedByMe`."""

    async def list_reactions(
        self,
        message: int,
        reaction: str | None,
        after: int,
        before: int,
        limit: int,
        *,
        newest: bool,
    ) -> list[ReactionRecord]:
        """Those with `after` < key < `before`, the `limit` newest or oldest of them; by key, ascending."""

    async def purge_message_traces(self, rows_max: int) -> int:
        """Take away reactions to messages that are gone and who follows them; answers how many rows went."""


class ThreadTransaction(Protocol):
    """Who follows which threads. A thread has the id of its parent message."""

    async def follow_thread(self, user: int, message: int) -> None: ...

    async def follow_thread_unless_left(self, user: int, message: int) -> None:
        """Follow it, but not where the user has said that they do not want to."""

    async def leave_thread(self, user: int, message: int) -> None: ...

    async def threads_followed(self, user: int, messages: Collection[int]) -> dict[int, bool]:
        """Whether the user follows the threads of those messages that they followed or left ever."""

    async def list_threads(
        self, user: int, before: tuple[int, int], limit: int
    ) -> list[tuple[MessageRecord, int]]:
        """Parents of threads that the user follows and may see, with the time of the last change (unix s).

        Latest change first, those with (time, id) < `before`; among the newest THREADS_FOLLOWED_MAX parents.
        """

    async def last_replies(self, messages: Collection[int]) -> dict[int, MessageRecord]:
        """The newest reply in each thread that has one."""


class ChatTransaction(
    OutboxTransaction,
    UserTransaction,
    TokenTransaction,
    BlockTransaction,
    DepartureTransaction,
    GroupTransaction,
    BanTransaction,
    MessageTransaction,
    ReactionTransaction,
    ThreadTransaction,
    Protocol,
):
    """A transaction for chat's commands: state and events are committed together."""
