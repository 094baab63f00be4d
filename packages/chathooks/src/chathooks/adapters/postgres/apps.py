"""The apps' port on PostgreSQL."""

from collections.abc import Iterable, Mapping
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

    async def app_id_taken(self, app_id: str) -> bool:
        return await self._one(_SQL["app_id_taken"], (app_id,)) is not None

    async def list_apps(self, offset: int, limit: int) -> list[App]:
        return [App(*row) for row in await self._all(_SQL["list_apps"], (limit, offset))]

    async def count_apps(self) -> int:
        return int((await self._one(_SQL["count_apps"]))[0])

    async def find_api_key(self, digest: bytes) -> ApiKey | None:
        row = await self._one(_SQL["find_api_key"], (digest,))
        return None if row is None else ApiKey(App(*row[:5]), Scope(row[5]), digest)

    async def find_management_secret(self, key_digest: bytes) -> bytes | None:
        row = await self._one(_SQL["find_management_secret"], (key_digest,))
        return None if row is None else cast(bytes, row[0])

    async def management_secrets(self) -> list[bytes]:
        return [row[0] for row in await self._all(_SQL["management_secrets"])]

    async def insert_app(self, app_id: str, name: str, region: str, now_s: int) -> App:
        (key,) = await self._one(_SQL["insert_app"], (app_id, name, region, now_s))
        return App(key, app_id, name, region, now_s)

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

    async def delete_api_keys(self, app: int) -> None:
        await self._run(_SQL["delete_api_keys"], (app,))

    async def settings_of(self, app: int) -> dict[str, bool]:
        return {name: bool(value) for name, value in await self._all(_SQL["settings_of"], (app,))}

    async def put_settings(self, app: int, values: Mapping[str, bool]) -> None:
        numbers = [int(value) for value in values.values()]
        await self._run(_SQL["put_setting"], (app, list(values), numbers))

    async def delete_settings(self, app: int, names: Iterable[str]) -> None:
        await self._run(_SQL["delete_setting"], (app, list(names)))

    async def insert_management_key(
        self, key_digest: bytes, secret_digest: bytes, masked: str, now_s: int
    ) -> None:
        await self._run(_SQL["insert_management_key"], (key_digest, secret_digest, masked, now_s))
