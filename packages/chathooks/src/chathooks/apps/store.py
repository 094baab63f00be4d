"""What apps ask of a store."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from chathooks.apps.records import ApiKey, ApiKeyRecord, App, Scope
from chathooks.kernel.transactions import Notifying


class AppsTransaction(Notifying, Protocol):
    """The port of apps and keys; every lookup is by an index."""

    async def has_apps(self) -> bool: ...
    async def find_app(self, app_id: str) -> App | None:
        """The app with this id; a deleted one is not found."""

    async def app_id_taken(self, app_id: str) -> bool:
        """Whether an app has this id, one whose rows still go included."""

    async def list_apps(self, offset: int, limit: int) -> list[App]:
        """Apps that are not deleted, in the order they were made."""

    async def count_apps(self) -> int:
        """How many apps are not deleted."""

    async def find_api_key(self, digest: bytes) -> ApiKey | None: ...
    async def find_management_secret(self, key_digest: bytes) -> bytes | None:
        """SHA-256 of the secret that goes with a management key."""

    async def management_secrets(self) -> list[bytes]:
        """SHA-256 of the secrets of all management keys, which are few."""

    async def insert_app(self, app_id: str, name: str, region: str, now_s: int) -> App: ...
    async def insert_api_key(
        self, digest: bytes, app: int, masked: str, name: str, scope: Scope, now_s: int
    ) -> None: ...
    async def api_key_records(self, app: int) -> list[ApiKeyRecord]:
        """All keys of an app, oldest first; they are few."""

    async def api_key_record(self, app: int, digest: bytes) -> ApiKeyRecord | None: ...
    async def update_api_key(self, digest: bytes, name: str, scope: Scope) -> None: ...
    async def delete_api_key(self, digest: bytes) -> None: ...
    async def delete_api_keys(self, app: int) -> None:
        """Delete all keys of an app."""

    async def settings_of(self, app: int) -> dict[str, bool]:
        """The settings that were set, by name."""

    async def put_settings(self, app: int, values: Mapping[str, bool]) -> None: ...
    async def delete_settings(self, app: int, names: Iterable[str]) -> None: ...
    async def insert_management_key(
        self, key_digest: bytes, secret_digest: bytes, masked: str, now_s: int
    ) -> None: ...
