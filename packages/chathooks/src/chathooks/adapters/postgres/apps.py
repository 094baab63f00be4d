"""The apps' port on PostgreSQL."""

from typing import Any, cast

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.apps.records import ApiKey, ApiKeyRecord, App, Scope

_SQL = statements("apps.sql")


def _record(row: tuple[Any, ...]) -> ApiKeyRecord:
    digest, masked, name, scope, created_at = row
    return ApiKeyRecord(digest, masked, name, Scope(scope), created_at)


class AppsPart(TransactionPart):
    """See `chathooks.apps.store.AppsTransaction`."""

    async def has_apps(self) -> bool:
        return await self._one(_SQL["has_apps"]) is not None

    async def find_app(self, app_id: str) -> App | None:
        row = await self._one(_SQL["find_app"], (app_id,))
        return None if row is None else App(*row)

    async def find_api_key(self, digest: bytes) -> ApiKey | None:
        row = await self._one(_SQL["find_api_key"], (digest,))
        return None if row is None else ApiKey(App(*row[:4]), Scope(row[4]), digest)

    async def find_management_secret(self, key_digest: bytes) -> bytes | None:
        row = await self._one(_SQL["find_management_secret"], (key_digest,))
        return None if row is None else cast(bytes, row[0])

    async def management_secrets(self) -> list[bytes]:
        return [row[0] for row in await self._all(_SQL["management_secrets"])]

    async def insert_app(self, app_id: str, name: str, region: str, now_s: int) -> App:
        (key,) = await self._one(_SQL["insert_app"], (app_id, name, region, now_s))
        return App(key, app_id, name, region)

    async def insert_api_key(
        self, digest: bytes, app: int, masked: str, name: str, scope: Scope, now_s: int
    ) -> None:
        await self._run(_SQL["insert_api_key"], (digest, app, masked, name, str(scope), now_s))

    async def api_key_records(self, app: int) -> list[ApiKeyRecord]:
        return [_record(row) for row in await self._all(_SQL["api_key_records"], (app,))]

    async def api_key_record(self, app: int, digest: bytes) -> ApiKeyRecord | None:
        row = await self._one(_SQL["api_key_record"], (digest, app))
        return None if row is None else _record(row)

    async def update_api_key(self, digest: bytes, name: str, scope: Scope) -> None:
        await self._run(_SQL["update_api_key"], (name, str(scope), digest))

    async def delete_api_key(self, digest: bytes) -> None:
        await self._run(_SQL["delete_api_key"], (digest,))

    async def insert_management_key(
        self, key_digest: bytes, secret_digest: bytes, masked: str, now_s: int
    ) -> None:
        await self._run(_SQL["insert_management_key"], (key_digest, secret_digest, masked, now_s))
