"""Commands for apps, their settings and their API keys, as data; those that show keys once have functions."""

import msgspec

from chathooks.cli.commands import Command, show_batch
from chathooks.cli.fields import Values, argument, fill, option
from chathooks.cli.session import Session
from chathooks.cli.tables import API_KEYS, APPS, NEW_KEYS, show_list, show_one

APP = argument("app", "Id of the app.", path="appId")
KEY = argument("key", "The API key, in full.", path="apiKey")
_SCOPES = ("fullAccess", "authOnly")
_YES, _NO = ("true", "on", "1"), ("false", "off", "0")


def create_app(session: Session, values: Values) -> None:
    """Make an app and show its keys, this once. Raises CommandFailed."""
    answer = session.send(fill("POST", "/apps", CREATE_FIELDS, values))
    if session.json:
        session.print_json(answer.data)
    else:
        app = answer.value()
        keys = list(app.pop("apiKeys", {}).values())
        show_one(session.console, app)
        session.console.print()
        show_list(session.console, keys, NEW_KEYS)
    session.remark("The keys are shown this once: keep them.")


def set_settings(session: Session, values: Values) -> None:
    """Set settings of an app, each with a result of its own. Raises CommandFailed, typer.Exit."""
    wanted: dict[str, object] = {}
    for item in values["setting"]:
        name, _, value = item.partition("=")
        wanted[name] = True if value in _YES else False if value in _NO else value
    request = fill("POST", "/apps/{appId}/settings", (APP,), values)
    request.body["settings"] = wanted
    show_batch(session, session.send(request))


def show_settings(session: Session, values: Values) -> None:
    """Show the settings of an app, one on a line. Raises CommandFailed."""
    answer = session.send(fill("GET", "/apps/{appId}/settings", (APP,), values))
    if session.json:
        session.print_json(answer.data)
        return
    for name, value in sorted(answer.value().items()):
        session.console.print(f"{name}={msgspec.json.encode(value).decode()}", markup=False)


CREATE_FIELDS = (
    argument("app", "Id: lower-case letters, digits, - and _.", body=("id", "name")),
    option("--name", "Name; the id where not given.", body=("name",)),
    option(
        "--region",
        "Region that deliveries name.",
        choices=("us", "eu", "in"),
        default="us",
        body=("region",),
    ),
)

APP_COMMANDS = (
    Command(
        name="list",
        summary="List the apps of the server.",
        examples=("chathooks apps list",),
        path="/apps",
        view=APPS,
        paging="pages",
        managed=True,
    ),
    Command(
        name="get",
        summary="Show an app.",
        examples=("chathooks apps get shop",),
        path="/apps/{appId}",
        fields=(APP,),
        managed=True,
    ),
    Command(
        name="create",
        summary="Create an app; its two API keys are shown this once.",
        examples=("chathooks apps create shop --name Shop --region eu",),
        fields=CREATE_FIELDS,
        run=create_app,
        managed=True,
    ),
    Command(
        name="delete",
        summary="Delete an app with all that belongs to it; its keys are refused at once. There is no way back.",
        examples=("chathooks apps delete shop",),
        method="DELETE",
        path="/apps/{appId}",
        fields=(APP,),
        managed=True,
    ),
    Command(
        name="settings",
        summary="Show the settings of an app, those by default too.",
        examples=("chathooks apps settings shop",),
        fields=(APP,),
        run=show_settings,
        managed=True,
    ),
    Command(
        name="set",
        summary="Set settings of an app.",
        examples=("chathooks apps set shop core.conversations.updateOnReplies=false",),
        fields=(APP, argument("setting", "NAME=true or NAME=false.", kind="many")),
        run=set_settings,
        managed=True,
    ),
    Command(
        name="unset",
        summary="Take settings of an app back to their defaults; all where none is named.",
        examples=("chathooks apps unset shop core.conversations.updateOnReplies",),
        method="DELETE",
        path="/apps/{appId}/settings",
        fields=(
            APP,
            argument(
                "setting",
                "Names of settings.",
                kind="many",
                required=False,
                body=("settings",),
            ),
        ),
        batch=True,
        managed=True,
    ),
)

KEY_COMMANDS = (
    Command(
        name="list",
        summary="List the API keys of the app, masked.",
        examples=("chathooks keys list", "chathooks keys list --scope fullAccess"),
        path="/apikeys",
        fields=(
            option("--scope", "Only of this scope.", choices=_SCOPES, query="scope"),
            option("--search", "Beginning of the name.", query="searchKey"),
        ),
        view=API_KEYS,
        paging="pages",
    ),
    Command(
        name="create",
        summary="Create an API key; it is shown this once.",
        examples=("chathooks keys create CI --scope fullAccess",),
        method="POST",
        path="/apikeys",
        fields=(
            argument("name", "What it is for.", body=("name",)),
            option(
                "--scope", "What it may do.", choices=_SCOPES, default="authOnly", body=("scope",)
            ),
        ),
        remark="The key is shown this once: keep it.",
    ),
    Command(
        name="update",
        summary="Change an API key.",
        examples=("chathooks keys update KEY --scope authOnly",),
        method="PUT",
        path="/apikeys/{apiKey}",
        fields=(
            KEY,
            option("--name", "What it is for.", body=("name",)),
            option("--scope", "What it may do.", choices=_SCOPES, body=("scope",)),
        ),
        change=True,
    ),
    Command(
        name="delete",
        summary="Delete an API key; calls with it are refused at once.",
        examples=("chathooks keys delete KEY",),
        method="DELETE",
        path="/apikeys/{apiKey}",
        fields=(KEY,),
    ),
)

APP_GROUPS = (
    ("apps", "Apps of the server, with the management key.", APP_COMMANDS),
    ("keys", "API keys of the app.", KEY_COMMANDS),
)
"""Name, summary and commands of each group."""
