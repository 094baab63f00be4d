"""Which users, groups and messages a list holds."""

import msgspec

from chathooks_events.entities import GroupType


class UserFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which users a list holds; `search` is a case-folded prefix of the uid or the name."""

    search: str | None = None
    search_uid: bool = True
    search_name: bool = True
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deactivated: bool | None = False
    """None: both."""

    @property
    def narrows(self) -> bool:
        """Whether it asks for more than a state, so that the app's counters do not tell the total."""
        return bool(self.search is not None or self.roles or self.tags)

    @property
    def is_one_role(self) -> bool:
        """Whether it asks for a role and nothing else but a state, which one index lists."""
        return len(self.roles) == 1 and self.search is None and not self.tags


class GroupFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which groups a list holds, in which order."""

    search: str | None = None
    search_guid: bool = True
    search_name: bool = True
    types: tuple[GroupType, ...] = ()
    tags: tuple[str, ...] = ()
    visible_to: int | None = None
    """Key of the user who looks: private groups are listed for members only."""
    joined: bool = False
    """Only groups that `visible_to` is a member of."""
    changed_after: int | None = None
    """Only groups that were made or changed after it (unix s)."""
    changed_before: int | None = None
    sort: str = "guid"
    descending: bool = False

    @property
    def narrows(self) -> bool:
        """Whether it leaves groups out, so that the app's counter does not tell the total."""
        return bool(
            self.search is not None
            or self.types
            or self.tags
            or self.visible_to is not None
            or self.changed_after is not None
            or self.changed_before is not None
        )

    @property
    def is_one_type(self) -> bool:
        """Whether it asks for a type and nothing else, by guid, which one index lists."""
        return len(self.types) == 1 and self == GroupFilter(
            types=self.types, descending=self.descending
        )


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a list holds. Exactly one place is given, the other conditions narrow it."""

    thread: int | None = None
    """Replies to a message."""
    pair: tuple[int, int] | None = None
    """Keys of two users: their conversation."""
    group: int | None = None
    user: int | None = None
    """All that a user sent, and got one-to-one."""
    visible_to: int | None = None
    """`user`, and all messages of the groups they are in."""
    receiver_type: str | None = None
    sender: int | None = None
    categories: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    deleted: bool | None = None
    """None: both."""
    replies: bool | None = None
    """None: both."""
    attached: bool = False
    attachment_types: tuple[str, ...] = ()
    """Any of image, video, audio, file."""
    linked: bool = False
    mentioning: bool = False
    reacted: bool = False
    mentioned: tuple[str, ...] = ()
    """Any of these uids."""
    mentioning_me: str | None = None
    """This uid, whatever else is mentioned."""
    text: str | None = None
    """Part of the text, its ASCII letters in lower case."""
    tags: tuple[str, ...] = ()
    """Any of them."""
    unblocked_by: int | None = None
    """Key of a user: nothing that those whom they block have sent."""

    @property
    def sees_all(self) -> bool:
        """Whether the place is all that a user sees, or all there is."""
        return (
            self.thread is None and self.pair is None and self.group is None and self.user is None
        )

    @property
    def looks_inside(self) -> bool:
        """Whether it asks for content, which deleted messages have no more."""
        return bool(
            self.attached
            or self.attachment_types
            or self.linked
            or self.mentioning
            or self.reacted
            or self.mentioned
            or self.mentioning_me is not None
            or self.text is not None
        )

    @property
    def narrows(self) -> bool:
        """Whether it leaves out messages of its place, so that it may have to scan for each it finds."""
        nowhere = MessageFilter(
            thread=self.thread,
            pair=self.pair,
            group=self.group,
            user=self.user,
            visible_to=self.visible_to,
        )
        return self != nowhere
