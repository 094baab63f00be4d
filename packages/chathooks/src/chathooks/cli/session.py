"""What a command works with: the server it calls and the two streams it writes to.

The server and its key come from options, else `CHATHOOKS_*` variables, else `credentials.toml` of the data
directory, which the server's first start wrote.
"""

import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from chathooks.app.secrets import CREDENTIALS_FILE
from chathooks.app.settings import SETTINGS
from chathooks.cli.failures import EXIT_REFUSED, CommandFailed
from chathooks.cli.fields import Field, Request, Values, option
from chathooks.cli.rest import Answer, Connection, Rest, decode, sends_in_clear
from chathooks.cli.tables import View, show_list, show_one

URL_DEFAULT = "http://127.0.0.1:8080"
DATA_DIR_DEFAULT = str(next(item.default for item in SETTINGS if item.name == "data_dir"))
PANEL = "Server"

_SERVER_FIELDS: tuple[Field, ...] = (
    option("--json", "Print the API's data as JSON.", kind="flag", panel=PANEL),
    option(
        "--url", "Where the server is.", default=URL_DEFAULT, envvar="CHATHOOKS_URL", panel=PANEL
    ),
)
_PLACE_FIELDS: tuple[Field, ...] = (
    option(
        "--data-dir",
        f"Folder with {CREDENTIALS_FILE}.",
        default=DATA_DIR_DEFAULT,
        envvar="CHATHOOKS_DATA_DIR",
        panel=PANEL,
    ),
    option("--ca-file", "Further CA certificates (PEM) for https.", metavar="FILE", panel=PANEL),
)
CONNECTION_FIELDS: tuple[Field, ...] = (
    *_SERVER_FIELDS,
    option(
        "--api-key",
        "A fullAccess key; read from the data directory where not given.",
        envvar="CHATHOOKS_API_KEY",
        panel=PANEL,
    ),
    option("--app-id", "App that is meant.", envvar="CHATHOOKS_APP_ID", panel=PANEL),
    *_PLACE_FIELDS,
)
"""Options of every command that calls the API."""
MANAGEMENT_FIELDS: tuple[Field, ...] = (
    *_SERVER_FIELDS,
    option(
        "--management-key",
        "Read from the data directory where not given.",
        envvar="CHATHOOKS_MANAGEMENT_KEY",
        panel=PANEL,
    ),
    option(
        "--management-secret",
        "Likewise; better given in the environment.",
        envvar="CHATHOOKS_MANAGEMENT_SECRET",
        panel=PANEL,
    ),
    *_PLACE_FIELDS,
)
"""Options of every command that manages apps."""

ACTING = option("--on-behalf-of", "Act as this user instead of as the app.", metavar="UID")
"""Option of the commands whose call the API can make for a user."""


def _kept(data_dir: Path, *names: str) -> list[str | None]:
    """Values of the credentials file by their names, None where it has none."""
    path = data_dir / CREDENTIALS_FILE
    try:
        kept = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return [None] * len(names)
    except (OSError, ValueError):
        raise CommandFailed(
            "ERR_CREDENTIALS",
            f"{path} cannot be read.",
            advice="Give the key with CHATHOOKS_API_KEY, or read it as the user that runs the server.",
            exit_code=EXIT_REFUSED,
        ) from None
    values = [kept.get(name) for name in names]
    return [value if isinstance(value, str) else None for value in values]


def _management(values: Values) -> Connection:
    data_dir = Path(values["data_dir"])
    key, secret = values["management_key"], values["management_secret"]
    if not (key and secret):
        kept_key, kept_secret = _kept(data_dir, "management_key", "management_secret")
        key, secret = key or kept_key, secret or kept_secret
    if not (key and secret):
        raise CommandFailed(
            "ERR_NO_MANAGEMENT_KEY",
            f"No management key and secret are given and {data_dir / CREDENTIALS_FILE} has none.",
            advice="Give --data-dir of the server, or CHATHOOKS_MANAGEMENT_KEY and CHATHOOKS_MANAGEMENT_SECRET.",
            exit_code=EXIT_REFUSED,
        )
    ca_file = values["ca_file"]
    return Connection(
        url=values["url"],
        management=(key, secret),
        ca_file=None if ca_file is None else Path(ca_file),
    )


def connection(values: Values) -> Connection:
    """Where to call and with what.

    Raises:
        CommandFailed: ERR_NO_API_KEY, ERR_NO_MANAGEMENT_KEY or ERR_CREDENTIALS, with exit code 2.
    """
    if "management_key" in values:
        return _management(values)
    key, app_id = values["api_key"], values["app_id"]
    data_dir = Path(values["data_dir"])
    if not key:
        key, kept_app = _kept(data_dir, "api_key", "app_id")
        app_id = app_id or kept_app
    if not key:
        raise CommandFailed(
            "ERR_NO_API_KEY",
            f"No API key is given and {data_dir / CREDENTIALS_FILE} has none.",
            advice="Give --data-dir of the server, or CHATHOOKS_API_KEY, or --api-key.",
            exit_code=EXIT_REFUSED,
        )
    ca_file = values["ca_file"]
    return Connection(
        url=values["url"],
        api_key=key,
        app_id=app_id or None,
        ca_file=None if ca_file is None else Path(ca_file),
    )


@dataclass(slots=True)
class Session:
    """A server to call, and where answers and remarks are printed."""

    rest: Rest
    json: bool
    on_behalf_of: str | None
    console: Console
    remarks: Console

    @classmethod
    def open(cls, values: Values) -> "Session":
        """A session for what was given. Raises CommandFailed with exit code 2."""
        session = cls(
            Rest(connection(values)),
            values["json"],
            values.get("on_behalf_of"),
            Console(highlight=False),
            Console(stderr=True, highlight=False, soft_wrap=True),
        )
        if sends_in_clear(session.rest.url):
            session.remark(
                f"Warning: {session.rest.url} is plain http to another machine, so the key can be read on "
                "the way. Use https, or a tunnel to the server's own address."
            )
        return session

    def send(self, request: Request) -> Answer:
        """Make a call. Raises CommandFailed."""
        return self.rest.call(
            request.method,
            request.path,
            query=request.query,
            body=request.body or None,
            on_behalf_of=self.on_behalf_of,
        )

    def remark(self, text: str) -> None:
        """Say something to the person, on stderr."""
        self.remarks.print(text, markup=False)

    def print_json(self, data: bytes) -> None:
        """Print one JSON document, its values as they came."""
        sys.stdout.write(msgspec.json.format(data, indent=2).decode() + "\n")

    def print_line(self, data: bytes) -> None:
        """Print one JSON document on one line, at once."""
        sys.stdout.write(msgspec.json.format(data, indent=-1).decode() + "\n")
        sys.stdout.flush()

    def show(self, answer: Answer, view: View | None = None) -> None:
        """Print the object of an answer."""
        if self.json:
            self.print_json(answer.data)
        else:
            show_one(self.console, answer.value(), view)

    def show_items(self, items: Sequence[msgspec.Raw], view: View) -> None:
        """Print entries of a list."""
        if self.json:
            self.print_json(b"[" + b",".join(bytes(item) for item in items) + b"]")
        else:
            show_list(self.console, decoded(items), view)


def decoded(items: Iterable[msgspec.Raw]) -> list[Any]:
    """Entries as Python values. Raises CommandFailed."""
    return [decode(item, Any) for item in items]
