"""API keys of an app: create, list, read, change, delete (rest-api.md A3, C1, delivery contract §4, §7).

Only the SHA-256 of a key is kept, and its last four characters to tell it by; the key is shown once. Every
change is told to `chathooks.apps.access`, which forgets what it knew.
"""

from chathooks.apps.records import ApiKeyRecord, Scope
from chathooks.apps.store import AppsTransaction
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes, api_key
from chathooks.kernel.transactions import Store, Topic

API_KEYS_PER_APP_MAX = 25
KEY_NAME_CHARS_MAX = 100


async def _find(tx: AppsTransaction, app: int, key: str) -> ApiKeyRecord:
    found = await tx.api_key_record(app, digest(key))
    if found is None:
        raise ChathooksError(
            "ERR_APIKEY_NOT_FOUND", "There is no such API key.", {"apiKey": "is unknown"}
        )
    return found


def _require_other(key: str, caller: bytes | None) -> None:
    if digest(key) == caller:
        raise ChathooksError(
            "ERR_APIKEY_NO_SELF_ACTION",
            "An API key cannot change or delete itself; call with another one.",
            {"apiKey": "is the key of this call"},
        )


class ApiKeys:
    """The API keys of all apps."""

    def __init__(self, store: Store[AppsTransaction], clock: Clock, random: RandomBytes) -> None:
        self._store = store
        self._clock = clock
        self._random = random

    async def create(self, app: int, name: str, scope: Scope) -> tuple[str, ApiKeyRecord]:
        """A new key, in full this once, and what is kept of it.

        Raises ERR_PLAN_QUOTA_RESTRICTION where the app has 25.
        """
        key = api_key(self._random)
        now_s = self._clock.wall_ms() // MS_PER_S
        record = ApiKeyRecord(digest(key), mask(key), name, scope, now_s)

        async def create(tx: AppsTransaction) -> None:
            if len(await tx.api_key_records(app)) >= API_KEYS_PER_APP_MAX:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"An app may have {API_KEYS_PER_APP_MAX} API keys; delete one that is not used.",
                )
            await tx.insert_api_key(record.digest, app, record.masked, name, scope, now_s)
            tx.notify(Topic.KEYS, app)

        await self._store.write(create)
        return key, record

    async def all(self, app: int) -> list[ApiKeyRecord]:
        """All keys of the app, oldest first; at most 25, and those it began with."""

        async def query(tx: AppsTransaction) -> list[ApiKeyRecord]:
            return await tx.api_key_records(app)

        return await self._store.read(query)

    async def get(self, app: int, key: str) -> ApiKeyRecord:
        """One key. Raises ERR_APIKEY_NOT_FOUND."""

        async def query(tx: AppsTransaction) -> ApiKeyRecord:
            return await _find(tx, app, key)

        return await self._store.read(query)

    async def update(
        self, app: int, key: str, *, name: str | None, scope: Scope | None, caller: bytes | None
    ) -> ApiKeyRecord:
        """Change name or scope.

        Args:
            app: key of the app.
            key: the API key that is changed.
            name: None leaves it.
            scope: None leaves it.
            caller: digest of the API key of the call.

        Raises ERR_APIKEY_NOT_FOUND, ERR_APIKEY_NO_SELF_ACTION.
        """
        _require_other(key, caller)

        async def update(tx: AppsTransaction) -> ApiKeyRecord:
            found = await _find(tx, app, key)
            changed = ApiKeyRecord(
                found.digest,
                found.masked,
                found.name if name is None else name,
                found.scope if scope is None else scope,
                found.created_at,
            )
            await tx.update_api_key(changed.digest, changed.name, changed.scope)
            tx.notify(Topic.KEYS, app)
            return changed

        return await self._store.write(update)

    async def delete(self, app: int, key: str, *, caller: bytes | None) -> None:
        """Delete a key. `caller` is the digest of the API key of the call.

        Raises ERR_APIKEY_NOT_FOUND, ERR_APIKEY_NO_SELF_ACTION.
        """
        _require_other(key, caller)

        async def delete(tx: AppsTransaction) -> None:
            await tx.delete_api_key((await _find(tx, app, key)).digest)
            tx.notify(Topic.KEYS, app)

        await self._store.write(delete)
