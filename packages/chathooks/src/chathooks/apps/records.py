"""The words of an app: the app itself, its API keys, and the credentials of a new store."""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do. Source: delivery contract §7 "Key scopes", rest-api.md A3."""

    FULL_ACCESS = "fullAccess"
    """Everything."""
    AUTH_ONLY = "authOnly"
    """Create and update users and create auth tokens, nothing else."""

    def covers(self, needed: "Scope") -> bool:
        """Whether a key of this scope may make a call that asks for `needed`."""
        return self is Scope.FULL_ACCESS or needed is Scope.AUTH_ONLY


@dataclass(frozen=True, slots=True)
class App:
    """An app: everything that is stored belongs to one."""

    key: int
    """Number of the app in the store; never shown."""
    id: str
    name: str
    region: str
    created_at: int = 0
    """Unix seconds."""


NO_APP = App(0, "", "", "")
"""The app of calls that concern no app in particular, such as the list of all."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is found by its digest; the key itself is not kept (delivery contract §4)."""

    app: App
    scope: Scope
    digest: bytes
    """SHA-256 of the key."""


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """What is kept of an API key. `created_at` is in unix seconds."""

    digest: bytes
    masked: str
    name: str
    scope: Scope
    created_at: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a new store was made with; the only place where these keys appear in full."""

    app_id: str
    region: str
    api_key: str = field(repr=False)
    auth_key: str = field(repr=False)
    management_key: str = field(repr=False)
    management_secret: str = field(repr=False)
