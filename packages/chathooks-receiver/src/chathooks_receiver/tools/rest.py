"""Calls of a Chathooks server's REST API: one answer or one plain failure, no redirect, no second try."""

import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from urllib3.util import Timeout

from chathooks_receiver.tools.failures import EXIT_FAILED, EXIT_UNREACHABLE, ToolFailed
from chathooks_receiver.tools.target import client_context, parse_target

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
"""Between two pieces of an answer."""
ANSWER_TIMEOUT_S = 30.0
"""From the call to the end of its answer."""
CHUNK_BYTES = 64 * 1024
CONNECTIONS_MAX = 32
ANSWER_BYTES_MAX = 64 * 1024 * 1024

_ADVICE: Mapping[str, str] = {
    "AUTH_ERR_APIKEY_NOT_FOUND": "Check --api-key or CHATHOOKS_API_KEY, and that --server is the server of this key.",
    "AUTH_ERR_NO_ACCESS": "Use a fullAccess key.",
    "ERR_WEBHOOK_NOT_FOUND": "Check --webhook: the id that the webhook was created with.",
    "ERR_TRIGGER_NOT_FOUND": "`chathooks-receiver trigger --list` shows the names.",
    "ERR_CURSOR_EXPIRED": "Events were pruned before they were read. Begin anew with --since.",
    "ERR_API_NOT_FOUND": "The server does not know this call; is --server right?",
}


class _Error(msgspec.Struct):
    code: str
    message: str = ""


class _Envelope(msgspec.Struct):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    meta: dict[str, Any] | None = None
    error: _Error | None = None


class Answer(msgspec.Struct, frozen=True):
    """`data` of an answer, byte for byte, and its `meta`."""

    data: bytes
    meta: Mapping[str, Any]

    def read(self, type_: Any) -> Any:
        """`data` as values of a type. Raises ToolFailed."""
        try:
            return msgspec.json.decode(self.data, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _not_ours() from None

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None on the last one."""
        following = self.meta.get("next")
        found = following.get("cursor") if isinstance(following, dict) else None
        return found if isinstance(found, str) else None


class Rest:
    """A server and the key to it; may be used by several threads."""

    def __init__(
        self, server: str, api_key: str, app_id: str | None = None, ca_file: Path | None = None
    ) -> None:
        """Nothing is sent yet. Raises ToolFailed: ERR_URL, ERR_CA_FILE or ERR_HEADER."""
        target = parse_target(server, ca_file)
        self.server = server.rstrip("/")
        self._headers = {"Accept": "application/json", "apikey": _printable("API key", api_key)}
        if app_id is not None:
            self._headers["appId"] = _printable("app id", app_id)
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=CONNECTIONS_MAX,
            retries=False,
            timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            ssl_context=client_context(ca_file) if target.secure else None,
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | Sequence[str]] | None = None,
        body: object = None,
        on_behalf_of: str | None = None,
    ) -> Answer:
        """Make a call below `/v3`; `path` is percent-encoded.

        Raises:
            ToolFailed: the API's code where it refused (exit code 1), ERR_ANSWER where what came is not Chathooks' (1),
                ERR_UNREACHABLE where nothing whole came (3).
        """
        url = f"{self.server}/v3{path}"
        if query:
            pairs = {
                name: value if isinstance(value, str | int) else ",".join(value)
                for name, value in query.items()
            }
            url += "?" + urlencode(pairs)
        headers = dict(self._headers)
        if on_behalf_of is not None:
            headers["onBehalfOf"] = on_behalf_of
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            status, data = self._exchange(method, url, content, headers)
        except (urllib3.exceptions.HTTPError, OSError, ssl.SSLError) as error:
            raise ToolFailed(
                "ERR_UNREACHABLE",
                f"The server at {self.server} cannot be reached: {_cause(error)}.",
                advice="Start it with `chathooks serve`, or check --server (and --ca-file for its certificate).",
                exit_code=EXIT_UNREACHABLE,
            ) from None
        return _read(status, data)

    def _exchange(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        response = self._pool.request(
            method, url, body=content, headers=headers, redirect=False, preload_content=False
        )
        data = bytearray()
        try:
            while chunk := response.read1(CHUNK_BYTES, decode_content=False):
                data += chunk
                if len(data) > ANSWER_BYTES_MAX:
                    raise _not_ours()
                if time.monotonic() > until_s:
                    raise TimeoutError
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return response.status, bytes(data)


def segment(text: str) -> str:
    """A value as one segment of a path."""
    return quote(text, safe="")


def _printable(what: str, value: str) -> str:
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise ToolFailed("ERR_HEADER", f"The {what} must be printable ASCII without spaces around.")
    return value


def _cause(error: BaseException) -> str:
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


def _not_ours() -> ToolFailed:
    return ToolFailed(
        "ERR_ANSWER",
        "The answer is not one of a Chathooks server.",
        advice="Check --server, and what stands between here and it.",
        exit_code=EXIT_FAILED,
    )


def _read(status: int, data: bytes) -> Answer:
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _not_ours() from None
    if envelope.error is not None:
        raise ToolFailed(
            envelope.error.code,
            envelope.error.message,
            advice=_ADVICE.get(envelope.error.code, ""),
            exit_code=EXIT_FAILED,
        )
    if status != 200 or isinstance(envelope.data, msgspec.UnsetType):
        raise _not_ours()
    return Answer(bytes(envelope.data), envelope.meta or {})
