"""Options that several commands take, each declared once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.identity import Platform


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell offers when somebody has typed the beginning of one of these names."""
    kept = tuple(known)
    return lambda incomplete: [name for name in kept if name.startswith(incomplete)]


ENDPOINT = "Endpoint"
SERVER = "Server"

Url = Annotated[
    str | None,
    typer.Option("--url", help="Endpoint to send to.", rich_help_panel=ENDPOINT),
]
Username = Annotated[
    str | None,
    typer.Option(
        "--username", help="User name of the endpoint's Basic auth.", rich_help_panel=ENDPOINT
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        help="Password of the endpoint's Basic auth.",
        envvar="CHATHOOKS_ENDPOINT_PASSWORD",
        rich_help_panel=ENDPOINT,
    ),
]
Secret = Annotated[
    str | None,
    typer.Option(
        "--secret",
        help="Signing secret (whsec_…) that the endpoint verifies with.",
        envvar="CHATHOOKS_ENDPOINT_SECRET",
        rich_help_panel=ENDPOINT,
    ),
]
AppId = Annotated[
    str, typer.Option("--app-id", help="`appId` of the bodies.", rich_help_panel=ENDPOINT)
]
WebhookId = Annotated[
    str, typer.Option("--webhook-id", help="`webhook` of the bodies.", rich_help_panel=ENDPOINT)
]
As = Annotated[
    str,
    typer.Option(
        "--as", help="Whose requests to send: chathooks or cometchat (no event id, no signature)."
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        help="Further CA certificates (PEM) for https.",
        metavar="FILE",
        rich_help_panel=ENDPOINT,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        help="Seconds that an answer may take.",
        min=0.1,
        max=60.0,
        rich_help_panel=ENDPOINT,
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Chathooks server to go through.",
        envvar="CHATHOOKS_URL",
        show_envvar=True,
        rich_help_panel=SERVER,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="A fullAccess key of the server.",
        envvar="CHATHOOKS_API_KEY",
        rich_help_panel=SERVER,
    ),
]
ServerAppId = Annotated[
    str | None,
    typer.Option(
        "--server-app-id", help="App of the server that is meant.", rich_help_panel=SERVER
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

PLATFORMS: tuple[Platform, ...] = ("chathooks", "cometchat")


def platform(text: str) -> Platform:
    """The platform that `--as` names. Raises ToolFailed: ERR_PLATFORM."""
    for known in PLATFORMS:
        if text == known:
            return known
    raise ToolFailed(
        "ERR_PLATFORM",
        f"There is no platform called {text!r}.",
        advice="--as chathooks or cometchat",
    )
