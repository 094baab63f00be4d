"""What a command takes, as data: each argument and option with the place in the request that it fills."""

import inspect
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec
import typer

Values = Mapping[str, Any]
"""What was given on the command line, by the names of the fields."""

_enumeration: Any = StrEnum
"""Made from data, which type checkers do not follow."""

Kind = Literal["text", "whole", "flag", "switch", "many"]

_TYPES: Mapping[Kind, Any] = {
    "text": str | None,
    "whole": int | None,
    "flag": bool,
    "switch": bool | None,
    "many": list[str] | None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """An argument (without flags) or an option, and where its value goes."""

    name: str
    """Of the parameter; an argument shows it in upper case."""
    help: str
    flags: tuple[str, ...] = ()
    kind: Kind = "text"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    metavar: str | None = None
    envvar: str | None = None
    path: str = ""
    """Name of the path parameter that it fills."""
    query: str = ""
    body: tuple[str, ...] = ()
    """Dotted places in the body that get its value."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """Further places in the body and what they get when this is given; a field declared later wins."""
    list_path: str = ""
    """Path that is called instead, with `{}` for the value."""
    read: Callable[[Any], Any] | None = None
    panel: str | None = None

    def annotation(self) -> Any:
        """The type that Typer reads."""
        if not self.choices:
            return _TYPES[self.kind]
        # Typer takes no lists of literals, but lists of enumerations.
        one: Any = _enumeration("Choice", [(choice, choice) for choice in self.choices])
        return list[one] | None if self.kind == "many" else one | None

    def parameter(self) -> inspect.Parameter:
        """The parameter that Typer makes an argument or option of."""
        limits: dict[str, Any] = {"min": self.low, "max": self.high} if self.kind == "whole" else {}
        declared: Any
        if self.flags:
            declared = typer.Option(
                *self.flags,
                help=self.help,
                metavar=self.metavar,
                envvar=self.envvar,
                show_default=self.default is not None and self.kind != "flag",
                rich_help_panel=self.panel,
                **limits,
            )
        else:
            declared = typer.Argument(
                help=self.help, metavar=self.metavar or self.name.upper(), show_default=False
            )
        default = False if self.kind == "flag" else self.default
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if self.required else default,
            annotation=Annotated[self.annotation(), declared],
        )


def argument(name: str, help_: str, **where: Any) -> Field:
    """A required argument."""
    return Field(name=name, help=help_, **{"required": True, **where})


def option(flags: str, help_: str, **where: Any) -> Field:
    """An option; `flags` as in "--name" or "--retry/--no-retry"."""
    name = flags.split("/", maxsplit=1)[0].lstrip("-").replace("-", "_")
    # Typer hands parameters over by name, and some names are Python's own.
    name = name + "_" if name in ("from", "type") else name
    return Field(**{"name": name, "help": help_, "flags": (flags,), **where})


def whole_object(text: str) -> dict[str, Any]:
    """A JSON object. Raises typer.BadParameter."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise typer.BadParameter('A JSON object is expected, for example \'{"key": "value"}\'.')
    return value


def attachments(urls: Sequence[str]) -> list[dict[str, Any]]:
    """Files of a message by their URLs; name, extension and type are read off the URL."""
    found = []
    for url in urls:
        name = PurePosixPath(urlsplit(url).path).name
        entry = {
            "url": url,
            "name": name,
            "extension": PurePosixPath(name).suffix.lstrip("."),
            "mimeType": mimetypes.guess_type(name)[0] if name else None,
        }
        found.append({key: value for key, value in entry.items() if value})
    return found


@dataclass(slots=True)
class Request:
    """One call of the API, made from what was given."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    *above, last = place.split(".")
    for name in above:
        body = body.setdefault(name, {})
    body[last] = value


def fill(method: str, path: str, fields: Sequence[Field], values: Values) -> Request:
    """The request that fields and their values make. Raises typer.BadParameter, naming the option."""
    request = Request(method, path)
    for item in fields:
        value = values.get(item.name)
        if value is None or value == [] or (item.kind == "flag" and value is False):
            continue
        if item.read is not None:
            try:
                value = item.read(value)
            except typer.BadParameter as error:
                error.param_hint = "/".join(item.flags) or item.name.upper()
                raise
        if item.path:
            request.path = request.path.replace(f"{{{item.path}}}", _segment(item, value))
        if item.list_path:
            request.path = item.list_path.format(_segment(item, value))
        if item.query:
            request.query[item.query] = value
        for place, constant in item.also.items():
            _put(request.body, place, constant)
        for place in item.body:
            _put(request.body, place, value)
    return request


def _segment(item: Field, value: Any) -> str:
    text = str(value)
    if not text or text in (".", ".."):
        raise typer.BadParameter("It is empty.", param_hint=item.name.upper())
    return quote(text, safe="")
