"""How often callers with and without a known key make the store look."""

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.apps import access as access_module
from chathooks.apps.access import Access
from chathooks.apps.bootstrap import Given, bootstrap
from chathooks.apps.records import ApiKey, Scope
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import system_random
from chathooks.kernel.transactions import Topic

pytestmark = pytest.mark.anyio

KEY = b"0123456789abcdef0123456789abcdef01234567"


class _Looks:
    """Counts what the store is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys = 0
        find = SqliteTransaction.find_api_key

        async def counted(tx: SqliteTransaction, digest: bytes) -> ApiKey | None:
            self.keys += 1
            return await find(tx, digest)

        monkeypatch.setattr(SqliteTransaction, "find_api_key", counted)


async def _access(store: SqliteStore) -> Access:
    given = Given(app_id="shop", api_key=KEY.decode())
    await bootstrap(store, random=system_random, now_ms=0, given=given)
    return Access(store)


async def _refused(access: Access, key: bytes) -> str:
    with pytest.raises(ChathooksError) as raised:
        await access.api_key(key, None, None, Scope.FULL_ACCESS)
    return raised.value.code


async def test_an_unknown_key_is_looked_up_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, looks = await _access(store), _Looks(monkeypatch)
    for _ in range(3):
        assert await _refused(access, b"unknown") == "AUTH_ERR_APIKEY_NOT_FOUND"
    assert looks.keys == 1


async def test_an_unknown_key_is_looked_up_again_once_keys_change(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, looks = await _access(store), _Looks(monkeypatch)
    await _refused(access, b"unknown")

    async def change(tx: SqliteTransaction) -> None:
        tx.notify(Topic.KEYS, 1)

    await store.write(change)
    await _refused(access, b"unknown")
    assert looks.keys == 2


async def test_made_up_keys_push_no_key_out_that_exists(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "CACHED_MAX", 8)
    access, looks = await _access(store), _Looks(monkeypatch)
    await access.api_key(KEY, None, None, Scope.FULL_ACCESS)
    for number in range(20):
        await _refused(access, b"unknown-%d" % number)
    before = looks.keys
    found = await access.api_key(KEY, None, None, Scope.FULL_ACCESS)
    assert (found.app.id, looks.keys) == ("shop", before)
