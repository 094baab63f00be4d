"""Calls of the public REST API for commands: one answer or one clear failure, whatever the other side sends.

Nothing is tried twice and no redirect is followed, so a key goes to the named server only and a change is sent
once. Times and sizes are bounded.
"""

import ipaddress
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.util import Timeout, parse_url

from chathooks import __version__
from chathooks.cli.failures import EXIT_REFUSED, EXIT_UNREACHABLE, CommandFailed

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
"""Between two pieces of an answer."""
ANSWER_TIMEOUT_S = 60.0
"""From the call to the end of its answer."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

T = TypeVar("T")

_SUCCESS_FROM, _SUCCESS_BELOW = 200, 300
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READING = frozenset({"GET", "HEAD"})

_ADVICE_BY_CODE: Mapping[str, str] = {
    "AUTH_ERR_EMPTY_APIKEY": "Give the key with --api-key or CHATHOOKS_API_KEY.",
    "AUTH_ERR_APIKEY_NOT_FOUND": "Check --api-key or CHATHOOKS_API_KEY, and that --url is the server of this key.",
    "AUTH_ERR_INVALID_APPID": "`chathooks apps list` shows the apps; check --app-id or CHATHOOKS_APP_ID.",
    "AUTH_ERR_NO_ACCESS": "Use a fullAccess key: `api_key` of credentials.toml.",
    "ERR_API_NOT_FOUND": "The server does not know this call: is --url right, and is the server as new as this command?",
    "ERR_BAD_REQUEST": "The command's --help lists what it takes.",
    "ERR_UID_NOT_FOUND": "`chathooks users list` shows the users; `chathooks users create` makes one.",
    "ERR_GUID_NOT_FOUND": "`chathooks groups list` shows the groups; `chathooks groups create` makes one.",
    "ERR_NOT_A_MEMBER": "`chathooks members list` shows who is in a group; `chathooks members add` adds users.",
    "ERR_GROUP_NOT_JOINED": "`chathooks members add` takes the user into the group.",
    "ERR_MESSAGE_ID_NOT_FOUND": "`chathooks messages list` shows the ids.",
    "ERR_WEBHOOK_NOT_FOUND": "`chathooks webhooks list` shows the ids.",
    "ERR_TRIGGER_NOT_FOUND": "`chathooks triggers list` shows the names.",
    "ERR_DELIVERY_NOT_FOUND": "`chathooks deliveries list` shows the ids.",
    "ERR_REPLAY_NOT_FOUND": "`chathooks deliveries replays` shows the ids.",
    "ERR_APIKEY_NOT_FOUND": "`chathooks keys list` shows the keys, masked.",
    "ERR_CURSOR_EXPIRED": "Leave --after out to begin with the oldest event that is kept.",
    "ERR_TOO_MANY_REQUESTS": "Wait a little, then try again.",
    "ERR_STORE_UNAVAILABLE": "Try again in a moment; `chathooks doctor` on the server looks for the cause.",
    "ERR_EXCEPTION": "The server's log says why.",
}


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    details: dict[str, Any] = {}


class _Envelope(msgspec.Struct):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    meta: dict[str, Any] | None = None
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where calls go and with what."""

    url: str
    api_key: str = field(default="", repr=False)
    app_id: str | None = None
    ca_file: Path | None = None
    management: tuple[str, str] | None = field(default=None, repr=False)
    """Management key and secret: then calls go to the management API and not below `/v3`."""


def decode(data: bytes | msgspec.Raw, type_: type[T] | Any) -> T:
    """A part of an answer. Raises CommandFailed where it is not of the type."""
    try:
        return cast("T", msgspec.json.decode(data, type=type_))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _not_ours("a part of it is not of the documented shape") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` of an answer, byte for byte, and its `meta`."""

    data: bytes
    meta: Mapping[str, Any]

    def value(self) -> Any:
        """`data` as Python values. Raises CommandFailed where it is no JSON."""
        return decode(self.data, Any)

    def items(self) -> list[msgspec.Raw]:
        """The entries of a list, byte for byte. Raises CommandFailed where it is none."""
        return decode(self.data, list[msgspec.Raw])


def _not_ours(why: str, outcome: str = "") -> CommandFailed:
    return CommandFailed(
        "ERR_ANSWER",
        f"The answer is not one of a Chathooks server: {why}.{outcome}",
        advice="Check --url or CHATHOOKS_URL, and what stands between here and the server.",
    )


def _unknown_outcome(method: str) -> str:
    return "" if method in _READING else " Whether the call was carried out is not known."


def _cause(error: BaseException) -> str:
    """The innermost reason of an error that wraps others, without addresses of objects."""
    innermost = error
    while (below := innermost.__cause__ or innermost.__context__) is not None:
        innermost = below
    if isinstance(innermost, ssl.SSLError):
        return str(getattr(innermost, "verify_message", "") or innermost.reason or "TLS failed")
    if isinstance(innermost, TimeoutError):
        return "it took too long"
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror[0].lower() + innermost.strerror[1:]
    return "the connection was closed without an answer"


def check_url(text: str) -> str:
    """The URL without its last slash. Raises CommandFailed where it cannot be a server's."""
    try:
        parts = parse_url(text)
    except urllib3.exceptions.LocationParseError:
        parts = None
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.host
        or parts.auth is not None
        or parts.query is not None
        or parts.fragment is not None
    ):
        raise CommandFailed(
            "ERR_URL",
            "The URL of the server must be http:// or https:// with a host, and no user, query or fragment.",
            advice="For example: --url http://127.0.0.1:8080",
            exit_code=EXIT_REFUSED,
        )
    return text.rstrip("/")


def sends_in_clear(url: str) -> bool:
    """Whether what is sent to a URL, keys included, can be read on the way: plain http to another machine."""
    parts = parse_url(url)
    if parts.scheme != "http" or parts.host is None:
        return False
    host = parts.host.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise CommandFailed(
                "ERR_CA_FILE",
                f"{ca_file} cannot be read as certificates.",
                advice="--ca-file takes a file of certificates in PEM.",
                exit_code=EXIT_REFUSED,
            ) from None
    return context


def _header(name: str, value: str) -> str:
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise CommandFailed(
            "ERR_HEADER",
            f"{name} must be printable ASCII characters without spaces around them.",
            exit_code=EXIT_REFUSED,
        )
    return value


class Rest:
    """Calls one server. Not for several threads."""

    def __init__(self, connection: Connection, *, answer_bytes_max: int = ANSWER_BYTES_MAX) -> None:
        """Nothing is sent yet.

        Raises:
            CommandFailed: ERR_URL, ERR_CA_FILE or ERR_HEADER, with exit code 2.
        """
        self.url = check_url(connection.url)
        self._answer_bytes_max = answer_bytes_max
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"chathooks/{__version__}",
        }
        if connection.management is None:
            self._mount = "/v3"
            self._headers["apikey"] = _header("The API key", connection.api_key)
            if connection.app_id is not None:
                self._headers["appId"] = _header("The app id", connection.app_id)
        else:
            self._mount = ""
            key, secret = connection.management
            self._headers["key"] = _header("The management key", key)
            self._headers["secret"] = _header("The management secret", secret)
        context = _tls(connection.ca_file) if self.url.startswith("https:") else None
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            ssl_context=context,
        )

    def close(self) -> None:
        """Close the kept connection."""
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        on_behalf_of: str | None = None,
    ) -> Answer:
        """Make a call and read its answer to the end.

        Args:
            method: HTTP method.
            path: percent-encoded path below `/v3`, or of the management API.
            query: values by name; lists become one comma-separated value.
            body: sent as JSON; None sends none.
            on_behalf_of: uid for the `onBehalfOf` header.

        Raises:
            CommandFailed: the API's code where it refused (exit code 1); ERR_ANSWER where what came is not
                Chathooks' (1); ERR_UNREACHABLE where nothing whole came (3).
        """
        url = f"{self.url}{self._mount}{path}"
        if query:
            url += "?" + urlencode({name: _query_value(value) for name, value in query.items()})
        headers = dict(self._headers)
        if on_behalf_of is not None:
            headers["onBehalfOf"] = _header("--on-behalf-of", on_behalf_of)
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            status, kind, data = self._exchange(method, url, content, headers)
        except (urllib3.exceptions.HTTPError, OSError, ssl.SSLError) as error:
            raise self._unreachable(method, error) from None
        return _read(method, status, kind, data)

    def _exchange(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        until = time.monotonic() + ANSWER_TIMEOUT_S
        response = self._pool.request(
            method, url, body=content, headers=headers, redirect=False, preload_content=False
        )
        data = bytearray()
        try:
            while chunk := response.read1(CHUNK_BYTES, decode_content=False):
                data += chunk
                if len(data) > self._answer_bytes_max:
                    raise _not_ours(f"it is larger than {self._answer_bytes_max} bytes")
                if time.monotonic() > until:
                    raise TimeoutError
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, response.headers.get("Content-Type", ""), bytes(data)

    def _unreachable(self, method: str, error: Exception) -> CommandFailed:
        cause = _cause(error)
        sent = not isinstance(
            error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
        )
        trusted = (
            "Start it with `chathooks serve`, or name another one with --url or CHATHOOKS_URL."
        )
        if isinstance(error, urllib3.exceptions.SSLError):
            sent = False
            trusted = "Give the server's own certificate authority with --ca-file; check --url."
        return CommandFailed(
            "ERR_UNREACHABLE",
            f"The server at {self.url} cannot be reached: {cause}."
            + (_unknown_outcome(method) if sent else ""),
            advice=trusted,
            exit_code=EXIT_UNREACHABLE,
        )


def _query_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _read(method: str, status: int, kind: str, data: bytes) -> Answer:
    try:
        data.decode("utf-8")  # which is not checked within raw parts
        envelope = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    if envelope.error is not None:
        error = envelope.error
        details = {name: str(value) for name, value in error.details.items()}
        advice = _ADVICE_BY_CODE.get(error.code, "")
        raise CommandFailed(error.code, error.message, details, advice=advice)
    if status in _REDIRECTS:
        raise _not_ours(f"HTTP {status} leads elsewhere, and a key is not sent on")
    if not _SUCCESS_FROM <= status < _SUCCESS_BELOW or isinstance(envelope.data, msgspec.UnsetType):
        what = kind.split(";", maxsplit=1)[0].strip() or "no content type"
        raise _not_ours(f"HTTP {status} with {what}", _unknown_outcome(method))
    return Answer(bytes(envelope.data), envelope.meta or {})
