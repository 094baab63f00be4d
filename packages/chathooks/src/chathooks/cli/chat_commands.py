"""Commands for users, groups, members and messages, as data."""

from chathooks.cli.commands import Command
from chathooks.cli.fields import Field, argument, attachments, option, whole_object
from chathooks.cli.tables import GROUPS, MEMBERS, MESSAGES, USERS
from chathooks.cli.thread_commands import REACTION_COMMANDS, THREAD_COMMANDS
from chathooks.cli.user_commands import BAN_COMMANDS, USER_LIFE_COMMANDS

UID = argument("uid", "Uid of the user.", path="uid")
GUID = argument("guid", "Guid of the group.", path="guid")
MESSAGE_ID = argument("id", "Id of the message.", path="id")

_METADATA = option(
    "--metadata",
    "Metadata as a JSON object.",
    body=("metadata",),
    read=whole_object,
    metavar="JSON",
)
_TAGS = option("--tag", "A tag; may be repeated.", kind="many", body=("tags",), name="tags")
_SEARCH = option("--search", "Beginning of the id or the name.", query="searchKey")
_TAG_FILTER = option(
    "--tag", "Only with this tag; may be repeated.", kind="many", query="tags", name="tags"
)
_WITH_TAGS = option("--with-tags", "Show tags too.", kind="flag", query="withTags")
_SCOPES = ("admin", "moderator", "participant")
_GROUP_TYPES = ("public", "private", "password")


def _unset(*names: str) -> Field:
    return option(
        "--unset", "Take this away; may be repeated.", kind="many", choices=names, body=("unset",)
    )


_USER_FIELDS = (
    option("--avatar", "URL of a picture.", body=("avatar",), metavar="URL"),
    option("--link", "URL of a page.", body=("link",), metavar="URL"),
    option("--role", "Role of the user.", body=("role",)),
    option("--status-message", "What the user says of the day.", body=("statusMessage",)),
    _METADATA,
    _TAGS,
)
_GROUP_FIELDS = (
    option("--type", "Who may join.", choices=_GROUP_TYPES, body=("type",)),
    option(
        "--password",
        "Password of a group that has one.",
        body=("password",),
        envvar="CHATHOOKS_GROUP_PASSWORD",
    ),
    option("--description", "What it is about.", body=("description",)),
    option("--icon", "URL of a picture.", body=("icon",), metavar="URL"),
    option("--owner", "Uid of the owner.", body=("owner",), metavar="UID"),
    _METADATA,
    _TAGS,
)


def _members(below: str = "") -> tuple[Field, ...]:
    return tuple(
        option(
            f"--{scope}",
            f"Uid to add as {scope}; may be repeated.",
            kind="many",
            body=(f"{below}{scope}s",),
            metavar="UID",
        )
        for scope in _SCOPES
    )


USER_COMMANDS = (
    Command(
        name="list",
        summary="List users.",
        examples=("chathooks users list", "chathooks users list --search al --all --json"),
        path="/users",
        fields=(
            _SEARCH,
            option("--role", "Only with this role; may be repeated.", kind="many", query="roles"),
            _TAG_FILTER,
            _WITH_TAGS,
            option(
                "--with-deactivated", "Deactivated ones too.", kind="flag", query="withDeactivated"
            ),
            option(
                "--only-deactivated",
                "Only deactivated ones.",
                kind="flag",
                query="onlyDeactivated",
            ),
        ),
        view=USERS,
        paging="pages",
        acts_for=True,
    ),
    Command(
        name="get",
        summary="Show a user.",
        examples=("chathooks users get alice",),
        path="/users/{uid}",
        fields=(UID,),
        acts_for=True,
    ),
    Command(
        name="create",
        summary="Create a user.",
        examples=(
            "chathooks users create alice --name Alice",
            "chathooks users create bob --name Bob --tag vip --metadata '{\"team\": 7}'",
        ),
        method="POST",
        path="/users",
        fields=(
            argument("uid", "Uid: letters, digits, - and _.", body=("uid", "name")),
            option("--name", "Name; the uid where not given.", body=("name",)),
            *_USER_FIELDS,
            option(
                "--with-auth-token",
                "Make an auth token too; it is shown this once.",
                kind="flag",
                body=("withAuthToken",),
            ),
        ),
    ),
    Command(
        name="update",
        summary="Change a user; what is not given stays.",
        examples=(
            'chathooks users update alice --name "Alice B."',
            "chathooks users update alice --unset avatar",
        ),
        method="PUT",
        path="/users/{uid}",
        fields=(
            UID,
            option("--name", "Name.", body=("name",)),
            *_USER_FIELDS,
            _unset("avatar", "link", "metadata"),
        ),
        change=True,
    ),
)

GROUP_COMMANDS = (
    Command(
        name="list",
        summary="List groups.",
        examples=(
            "chathooks groups list",
            "chathooks groups list --type private --sort-by createdAt --descending",
        ),
        path="/groups",
        fields=(
            _SEARCH,
            option(
                "--type",
                "Only of this type; may be repeated.",
                kind="many",
                choices=_GROUP_TYPES,
                query="types",
            ),
            _TAG_FILTER,
            _WITH_TAGS,
            option("--sort-by", "Order.", choices=("guid", "name", "createdAt"), query="sortBy"),
            option(
                "--descending",
                "The other way round.",
                kind="flag",
                query="sortOrder",
                read=lambda _: "desc",
            ),
            option(
                "--joined",
                "Only those that the user of --on-behalf-of is in.",
                kind="flag",
                query="hasJoined",
            ),
        ),
        view=GROUPS,
        paging="pages",
        acts_for=True,
    ),
    Command(
        name="get",
        summary="Show a group.",
        examples=("chathooks groups get team",),
        path="/groups/{guid}",
        fields=(GUID,),
        acts_for=True,
        view=GROUPS,
    ),
    Command(
        name="create",
        summary="Create a group, with members if wanted.",
        examples=(
            "chathooks groups create team --name Team --owner alice",
            "chathooks groups create team --type private --admin alice --participant bob",
        ),
        method="POST",
        path="/groups",
        fields=(
            argument("guid", "Guid: letters, digits, - and _.", body=("guid", "name")),
            option("--name", "Name; the guid where not given.", body=("name",)),
            *_GROUP_FIELDS,
            *_members("members."),
        ),
        acts_for=True,
        view=GROUPS,
    ),
    Command(
        name="update",
        summary="Change a group; what is not given stays.",
        examples=(
            'chathooks groups update team --name "The team"',
            "chathooks groups update team --owner bob --on-behalf-of alice",
        ),
        method="PUT",
        path="/groups/{guid}",
        fields=(
            GUID,
            option("--name", "Name.", body=("name",)),
            *_GROUP_FIELDS,
            _unset("icon", "description", "metadata"),
        ),
        acts_for=True,
        change=True,
        view=GROUPS,
    ),
    Command(
        name="delete",
        summary="Delete a group with its messages.",
        examples=("chathooks groups delete team",),
        method="DELETE",
        path="/groups/{guid}",
        fields=(GUID,),
        acts_for=True,
    ),
)

MEMBER_COMMANDS = (
    Command(
        name="list",
        summary="List the members of a group.",
        examples=(
            "chathooks members list team",
            "chathooks members list team --scope admin --scope moderator",
        ),
        path="/groups/{guid}/members",
        fields=(
            GUID,
            option(
                "--scope",
                "Only of this scope; may be repeated.",
                kind="many",
                choices=_SCOPES,
                query="scopes",
            ),
        ),
        view=MEMBERS,
        paging="pages",
        acts_for=True,
    ),
    Command(
        name="add",
        summary="Add users to a group; each has a result of its own.",
        examples=("chathooks members add team --participant bob --participant carol",),
        method="POST",
        path="/groups/{guid}/members",
        fields=(GUID, *_members()),
        batch=True,
        acts_for=True,
        change=True,
    ),
    Command(
        name="set-scope",
        summary="Change what a member may do.",
        examples=("chathooks members set-scope team bob moderator",),
        method="PUT",
        path="/groups/{guid}/members/{uid}",
        fields=(
            GUID,
            UID,
            argument("scope", "The new scope.", choices=_SCOPES, body=("scope",)),
        ),
        acts_for=True,
    ),
    Command(
        name="kick",
        summary="Take a member out of a group.",
        examples=(
            "chathooks members kick team bob",
            "chathooks members kick team bob --on-behalf-of alice",
        ),
        method="DELETE",
        path="/groups/{guid}/members/{uid}",
        fields=(GUID, UID),
        acts_for=True,
    ),
)

_CONTENT = (
    option(
        "--attachment",
        "URL of a file; may be repeated.",
        kind="many",
        body=("data.attachments",),
        read=attachments,
        metavar="URL",
    ),
    option(
        "--metadata",
        "Metadata as a JSON object.",
        body=("data.metadata",),
        read=whole_object,
        metavar="JSON",
    ),
    _TAGS,
)

MESSAGE_COMMANDS = (
    Command(
        name="send",
        summary="Send a message to a user or a group. It comes from the user of --on-behalf-of, else from the app.",
        examples=(
            'chathooks messages send --to bob --on-behalf-of alice "Hello Bob"',
            'chathooks messages send --to-group team "The build is green"',
            "chathooks messages send --to bob --type image --attachment https://example.com/cat.png",
            "chathooks messages send --to bob --type location --custom-data '{\"lat\": 48.1}'",
        ),
        method="POST",
        path="/messages",
        fields=(
            argument("text", "The text.", required=False, body=("data.text",)),
            option(
                "--to",
                "Uid of the user who gets it.",
                body=("receiver",),
                also={"receiverType": "user"},
                metavar="UID",
            ),
            option(
                "--to-group",
                "Guid of the group that gets it.",
                body=("receiver",),
                also={"receiverType": "group"},
                metavar="GUID",
            ),
            option(
                "--type",
                "text, image, file, audio or video; any name for custom data.",
                default="text",
                body=("type",),
                also={"category": "message"},
            ),
            option(
                "--custom-data",
                "Data of a custom message as a JSON object.",
                body=("data.customData",),
                also={"category": "custom"},
                read=whole_object,
                metavar="JSON",
            ),
            *_CONTENT,
            option("--muid", "Id that your program gives it.", body=("muid",)),
        ),
        acts_for=True,
        one_of=("to", "to_group"),
        view=MESSAGES,
    ),
    Command(
        name="list",
        summary="List the latest messages, oldest of them first.",
        examples=(
            "chathooks messages list",
            "chathooks messages list --group team --limit 20",
            "chathooks messages list --user alice --all --json",
        ),
        path="/messages",
        fields=(
            option(
                "--user",
                "Only those that this user sent or got.",
                list_path="/users/{}/messages",
                metavar="UID",
            ),
            option(
                "--group",
                "Only those of this group.",
                list_path="/groups/{}/messages",
                metavar="GUID",
            ),
            option(
                "--category",
                "Only of this category; may be repeated.",
                kind="many",
                query="categories",
            ),
            option("--type", "Only of this type; may be repeated.", kind="many", query="types"),
            option("--hide-deleted", "Without deleted ones.", kind="flag", query="hideDeleted"),
        ),
        view=MESSAGES,
        paging="messages",
        acts_for=True,
        at_most_one_of=("user", "group"),
    ),
    Command(
        name="get",
        summary="Show a message.",
        examples=("chathooks messages get 42",),
        path="/messages/{id}",
        fields=(MESSAGE_ID,),
        view=MESSAGES,
    ),
    Command(
        name="edit",
        summary="Change a message; what is not given stays.",
        examples=('chathooks messages edit 42 "Hello Bob!" --on-behalf-of alice',),
        method="PUT",
        path="/messages/{id}",
        fields=(
            MESSAGE_ID,
            argument("text", "The new text.", required=False, body=("data.text",)),
            *_CONTENT,
        ),
        acts_for=True,
        change=True,
        view=MESSAGES,
    ),
    Command(
        name="delete",
        summary="Delete a message; it stays in lists without its content.",
        examples=("chathooks messages delete 42", "chathooks messages delete 42 --permanent"),
        method="DELETE",
        path="/messages/{id}",
        fields=(
            MESSAGE_ID,
            option(
                "--permanent", "Leave nothing of it in lists.", kind="flag", body=("permanent",)
            ),
        ),
        acts_for=True,
        view=MESSAGES,
    ),
)

CHAT_GROUPS = (
    ("users", "Users of the app.", (*USER_COMMANDS, *USER_LIFE_COMMANDS)),
    ("groups", "Groups of the app.", GROUP_COMMANDS),
    ("members", "Members of a group.", (*MEMBER_COMMANDS, *BAN_COMMANDS)),
    ("messages", "Messages to users and groups.", (*MESSAGE_COMMANDS, *REACTION_COMMANDS)),
    ("threads", "Replies to a message, and who follows them.", THREAD_COMMANDS),
)
"""Name, summary and commands of each group."""
