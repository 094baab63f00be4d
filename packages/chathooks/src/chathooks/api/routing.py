"""Routes as data: what a handler is given, what it answers, and how a call is described.

The edge (`chathooks.api.edge`) reads requests by these declarations and the OpenAPI document is made from the
same ones, so that the two cannot tell different stories.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from chathooks.apps.records import App
from chathooks.kernel.errors import ChathooksError

API_MOUNT = "/v3"
MANAGEMENT_MOUNT = "/apps/{appId}"


class Call(msgspec.Struct, frozen=True):
    """A request that was authenticated, decoded and found valid."""

    app: App
    """NO_APP where the call concerns no app in particular."""
    path: Mapping[str, str]
    """Path parameters, percent-decoded once."""
    query: Any
    """The decoded `Route.query`, or None where the route has none."""
    body: Any
    """The decoded `Route.body`; None where the route has none or an optional one was not sent."""
    on_behalf_of: str | None
    """Lower-cased uid of the `onBehalfOf` header; None where it is absent or the route does not use it."""
    api_key_digest: bytes | None
    """SHA-256 of the API key; None for calls with management credentials."""

    def require_on_behalf_of(self) -> str:
        """The uid to act as. Raises ERR_BAD_REQUEST where the header is missing."""
        if self.on_behalf_of is None:
            raise ChathooksError(
                "ERR_BAD_REQUEST",
                "This call acts for a user: name them in the onBehalfOf header.",
                {"onBehalfOf": "is required"},
            )
        return self.on_behalf_of


class Answer(msgspec.Struct, frozen=True):
    """`{"data": data, "meta"?: meta}` with status 200 (rest-api.md A4)."""

    data: Any
    meta: Any = None


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call of the API."""

    method: str
    path: str
    """Path below the mount, e.g. `/users/{uid}`; a parameter is a whole segment."""
    handler: Handler
    summary: str
    tag: str
    answer: Any
    """Type of `data`, for the OpenAPI document."""
    meta: Any = None
    """Type of `meta`, for the OpenAPI document."""
    body: type[msgspec.Struct] | None = None
    body_required: bool = True
    query: type[msgspec.Struct] | None = None
    scope: str = "fullAccess"
    """The least key scope that may make the call: `fullAccess` or `authOnly`."""
    acts_for: Literal["none", "optional", "required"] = "none"
    """Whether the call reads the `onBehalfOf` header."""
    errors: tuple[str, ...] = ()
    """Codes that the call may answer with besides the general ones."""
    core: bool = False
    """Whether it counts among the core operations of the rate limits (rest-api.md A7)."""
    management: bool = False
    """Served below `/apps/{appId}` for management credentials too (rest-api.md B1)."""
    managed_only: bool = False
    """Served for management credentials alone, at `path` as it stands, e.g. `/apps` (rest-api.md B3)."""

    def patterns(self) -> tuple[tuple[str, bool], ...]:
        """The whole paths that it is served at, and whether each asks for management credentials."""
        if self.managed_only:
            return ((self.path, True),)
        api = (API_MOUNT + self.path, False)
        return (api, (MANAGEMENT_MOUNT + self.path, True)) if self.management else (api,)
