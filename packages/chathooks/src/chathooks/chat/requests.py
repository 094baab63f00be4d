"""What callers ask of chat: the bodies of the REST calls, as the client API sends them too.

Field names and bounds are those of rest-api.md C2, C6, C7, C10 and A8; what JSON Schema cannot say is checked in
`chathooks.chat.fields` and `chathooks.chat.content`.
"""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from chathooks.chat.limits import (
    DESCRIPTION_CHARS_MAX,
    ID_CHARS_MAX,
    MUID_CHARS_MAX,
    NAME_CHARS_MAX,
    PASSWORD_CHARS_MAX,
    PLATFORM_CHARS_MAX,
    STATUS_MESSAGE_CHARS_MAX,
    TAG_CHARS_MAX,
    TAGS_MAX,
    UIDS_PER_CALL_MAX,
    URL_CHARS_MAX,
    USER_AGENT_CHARS_MAX,
    USERS_PER_CALL_MAX,
)
from chathooks_events.entities import GroupType, Scope

Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$(?!\n)")]
"""uid, guid or role; stored in lower case."""
GivenId: TypeAlias = Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)]
"""A uid or guid that is looked up; one that cannot exist is not found."""
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Link: TypeAlias = Annotated[str, msgspec.Meta(max_length=URL_CHARS_MAX)]
Tag: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=TAG_CHARS_MAX)]
Tags: TypeAlias = Annotated[list[Tag], msgspec.Meta(max_length=TAGS_MAX)]
Metadata: TypeAlias = dict[str, Any]
StatusMessage: TypeAlias = Annotated[str, msgspec.Meta(max_length=STATUS_MESSAGE_CHARS_MAX)]
Description: TypeAlias = Annotated[str, msgspec.Meta(max_length=DESCRIPTION_CHARS_MAX)]
Password: TypeAlias = Annotated[str, msgspec.Meta(max_length=PASSWORD_CHARS_MAX)]


class Request(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """A JSON body; `null` means the same as leaving a field out."""


class NewUser(Request, frozen=True, kw_only=True):
    """Body of `POST /users`."""

    uid: Id
    name: Name
    avatar: Link | None = None
    link: Link | None = None
    role: Id | None = None
    status_message: StatusMessage | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    with_auth_token: bool = False


class UserChange(Request, frozen=True, kw_only=True):
    """Body of `PUT /users/{uid}`: what is absent stays, what `unset` names goes."""

    name: Name | None = None
    avatar: Link | None = None
    link: Link | None = None
    role: Id | None = None
    status_message: StatusMessage | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    unset: list[Literal["avatar", "link", "metadata"]] = []


class BlockedUids(Request, frozen=True, kw_only=True):
    """Body of the calls that block and unblock."""

    blocked_uids: Annotated[list[GivenId], msgspec.Meta(min_length=1, max_length=UIDS_PER_CALL_MAX)]


class UidsToDeactivate(Request, frozen=True, kw_only=True):
    """Body of `DELETE /users`."""

    uids_to_deactivate: Annotated[
        list[GivenId], msgspec.Meta(min_length=1, max_length=USERS_PER_CALL_MAX)
    ]


class UidsToActivate(Request, frozen=True, kw_only=True):
    """Body of `PUT /users`."""

    uids_to_activate: Annotated[
        list[GivenId], msgspec.Meta(min_length=1, max_length=USERS_PER_CALL_MAX)
    ]


class UserRemoval(Request, frozen=True, kw_only=True):
    """Body of `DELETE /users/{uid}`."""

    permanent: bool = False


class NewToken(Request, frozen=True, kw_only=True):
    """Body of `POST /users/{uid}/auth_tokens`; a new token is made whatever `force` says."""

    force: bool = False


class TokenChange(Request, frozen=True, kw_only=True):
    """Body of `PUT /users/{uid}/auth_tokens/{authToken}`: what is absent stays."""

    platform: Annotated[str, msgspec.Meta(max_length=PLATFORM_CHARS_MAX)] | None = None
    user_agent: Annotated[str, msgspec.Meta(max_length=USER_AGENT_CHARS_MAX)] | None = None
    app_info: dict[str, Any] | str | None = None


class MemberUids(Request, frozen=True, kw_only=True):
    """Uids by the scope that they shall have; at most 25 over all arrays."""

    admins: list[GivenId] = []
    moderators: list[GivenId] = []
    participants: list[GivenId] = []
    users_to_ban: list[GivenId] = []


class NewGroup(Request, frozen=True, kw_only=True):
    """Body of `POST /groups`."""

    guid: Id
    name: Name
    type: GroupType = "public"
    password: Password | None = None
    icon: Link | None = None
    description: Description | None = None
    metadata: Metadata | None = None
    owner: Id | None = None
    tags: Tags | None = None
    members: MemberUids | None = None


class GroupChange(Request, frozen=True, kw_only=True):
    """Body of `PUT /groups/{guid}`: what is absent stays, what `unset` names goes."""

    name: Name | None = None
    type: GroupType | None = None
    password: Password | None = None
    icon: Link | None = None
    description: Description | None = None
    metadata: Metadata | None = None
    owner: Id | None = None
    tags: Tags | None = None
    unset: list[Literal["icon", "description", "metadata"]] = []


class ScopeChange(Request, frozen=True, kw_only=True):
    """Body of `PUT /groups/{guid}/members/{uid}`."""

    scope: Scope = "participant"


class NewAttachment(Request, frozen=True, kw_only=True):
    """A file of a message, by its address; `size` in bytes."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=URL_CHARS_MAX)]
    name: str | None = None
    mime_type: str | None = None
    extension: str | None = None
    size: Annotated[int, msgspec.Meta(ge=0)] | None = None


class NewContent(Request, frozen=True, kw_only=True):
    """`data` of a message."""

    text: str | None = None
    attachments: list[NewAttachment] | None = None
    custom_data: dict[str, Any] | None = None
    metadata: Metadata | None = None


class Receivers(Request, frozen=True, kw_only=True):
    """Who gets a message each, instead of one receiver."""

    uids: list[GivenId] = []
    guids: list[GivenId] = []


class SendMessage(Request, frozen=True, kw_only=True):
    """Body of `POST /messages`. A `sender` in it is ignored (rest-api.md C10)."""

    receiver: GivenId | None = None
    receiver_type: str | None = None
    multiple_receivers: Receivers | None = None
    category: str | None = None
    type: str | None = None
    data: NewContent | None = None
    muid: Annotated[str, msgspec.Meta(max_length=MUID_CHARS_MAX)] | None = None
    tags: Tags | None = None
    sender: Any = None


class MessageChange(Request, frozen=True, kw_only=True):
    """Body of `PUT /messages/{id}`: what is absent stays."""

    data: NewContent | None = None
    tags: Tags | None = None


class MessageRemoval(Request, frozen=True, kw_only=True):
    """Body of `DELETE /messages/{id}`."""

    permanent: bool = False
