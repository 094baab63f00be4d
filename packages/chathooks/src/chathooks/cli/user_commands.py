"""More commands for users and for who may be in a group, as data: going and coming back, tokens, blocks, bans."""

from chathooks.cli.commands import Command
from chathooks.cli.fields import argument, option
from chathooks.cli.tables import MEMBERS, TOKENS, USERS

UID = argument("uid", "Uid of the user.", path="uid")
GUID = argument("guid", "Guid of the group.", path="guid")

USER_LIFE_COMMANDS = (
    Command(
        name="deactivate",
        summary="Deactivate users; they leave their groups.",
        examples=("chathooks users deactivate alice bob",),
        method="DELETE",
        path="/users",
        fields=(argument("uids", "Uids of users.", kind="many", body=("uidsToDeactivate",)),),
    ),
    Command(
        name="reactivate",
        summary="Activate users again, without their former groups.",
        examples=("chathooks users reactivate alice",),
        method="PUT",
        path="/users",
        fields=(argument("uids", "Uids of users.", kind="many", body=("uidsToActivate",)),),
    ),
    Command(
        name="delete",
        summary="Deactivate a user, or delete one for good.",
        examples=("chathooks users delete alice", "chathooks users delete alice --permanent"),
        method="DELETE",
        path="/users/{uid}",
        fields=(
            UID,
            option("--permanent", "For good; messages stay.", kind="flag", body=("permanent",)),
        ),
    ),
    Command(
        name="block",
        summary="Block users for a user; each has a result of its own.",
        examples=("chathooks users block alice mallory",),
        method="POST",
        path="/users/{uid}/blockedusers",
        fields=(UID, argument("uids", "Whom to block.", kind="many", body=("blockedUids",))),
        batch=True,
    ),
    Command(
        name="unblock",
        summary="Unblock users for a user; each has a result of its own.",
        examples=("chathooks users unblock alice mallory",),
        method="DELETE",
        path="/users/{uid}/blockedusers",
        fields=(UID, argument("uids", "Whom to unblock.", kind="many", body=("blockedUids",))),
        batch=True,
    ),
    Command(
        name="blocked",
        summary="List whom a user has blocked.",
        examples=("chathooks users blocked alice",),
        path="/users/{uid}/blockedusers",
        fields=(UID,),
        view=USERS,
        paging="pages",
    ),
    Command(
        name="tokens",
        summary="List the auth tokens of a user, masked.",
        examples=("chathooks users tokens alice",),
        path="/users/{uid}/auth_tokens",
        fields=(UID,),
        view=TOKENS,
        paging="pages",
    ),
    Command(
        name="create-token",
        summary="Make an auth token for a user; it is shown this once.",
        examples=("chathooks users create-token alice",),
        method="POST",
        path="/users/{uid}/auth_tokens",
        fields=(UID,),
        remark="The token is shown this once.",
    ),
    Command(
        name="clear-tokens",
        summary="Delete all auth tokens of a user.",
        examples=("chathooks users clear-tokens alice",),
        method="DELETE",
        path="/users/{uid}/auth_tokens",
        fields=(UID,),
    ),
)

BAN_COMMANDS = (
    Command(
        name="ban",
        summary="Ban a user from a group; a member leaves it.",
        examples=("chathooks members ban team mallory",),
        method="POST",
        path="/groups/{guid}/bannedusers/{uid}",
        fields=(GUID, UID),
        acts_for=True,
    ),
    Command(
        name="unban",
        summary="Let a banned user in again.",
        examples=("chathooks members unban team mallory",),
        method="DELETE",
        path="/groups/{guid}/bannedusers/{uid}",
        fields=(GUID, UID),
        acts_for=True,
    ),
    Command(
        name="banned",
        summary="List who is banned from a group.",
        examples=("chathooks members banned team",),
        path="/groups/{guid}/bannedusers",
        fields=(GUID,),
        view=MEMBERS,
        paging="pages",
        acts_for=True,
    ),
)
