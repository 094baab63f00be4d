"""The first start of an empty store (delivery contract §6, rest-api.md A3)."""

import re

import pytest

from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.adapters.sqlite.transaction import SqliteTransaction
from chathooks.apps.access import Access
from chathooks.apps.bootstrap import RESERVED_APP_IDS, Given, bootstrap
from chathooks.apps.records import Credentials, Scope
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import system_random

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000


async def first_start(store: SqliteStore, given: Given) -> Credentials | None:
    return await bootstrap(store, random=system_random, now_ms=NOW_MS, given=given)


async def test_what_is_not_given_is_made(store: SqliteStore) -> None:
    made = await first_start(store, Given())
    assert made is not None
    keys = [made.api_key, made.auth_key, made.management_key, made.management_secret]
    assert all(re.fullmatch(r"[0-9a-f]{40}", key) for key in keys)
    assert len(set(keys)) == 4
    assert made.region == "us"
    access = Access(store)
    for key, scope in ((made.api_key, Scope.FULL_ACCESS), (made.auth_key, Scope.AUTH_ONLY)):
        found = await access.api_key(key.encode(), None, None, Scope.AUTH_ONLY)
        assert (found.scope, found.app.id) == (scope, made.app_id)
    management = (made.management_key.encode(), made.management_secret.encode())
    assert (await access.management(*management, made.app_id)).id == made.app_id


async def test_what_is_given_is_used(store: SqliteStore) -> None:
    made = await first_start(
        store, Given(app_id="shop", region="eu", api_key="my-api-key", management_secret="m" * 20)
    )
    assert made is not None
    assert (made.app_id, made.region, made.api_key) == ("shop", "eu", "my-api-key")
    assert made.management_secret == "m" * 20
    found = await Access(store).api_key(b"my-api-key", b"shop", None, Scope.FULL_ACCESS)
    assert found.app.region == "eu"


async def test_a_second_start_makes_nothing(store: SqliteStore) -> None:
    await first_start(store, Given(app_id="shop"))
    assert await first_start(store, Given(app_id="other")) is None
    assert await Access(store).app("other") is None


async def test_no_credential_shows_in_a_representation(store: SqliteStore) -> None:
    made = await first_start(store, Given())
    assert made is not None
    shown = repr(made) + repr(Given(api_key="a" * 40))
    for key in (made.api_key, made.auth_key, made.management_key, made.management_secret, "a" * 40):
        assert key not in shown


@pytest.mark.parametrize(
    "given",
    [
        *(Given(app_id=reserved) for reserved in sorted(RESERVED_APP_IDS)),
        Given(app_id="-a"),
        Given(app_id="a/b"),
        Given(app_id="a" * 101),
        Given(api_key="short"),
        Given(api_key="with a space"),
        Given(auth_key="ü" * 20),
        Given(management_secret="a" * 256),
        Given(api_key="k" * 40, auth_key="k" * 40),
    ],
)
async def test_a_value_that_cannot_be_used_refuses_the_start(
    store: SqliteStore, given: Given
) -> None:
    with pytest.raises(StartRefused):
        await first_start(store, given)

    async def empty(tx: SqliteTransaction) -> bool:
        return not await tx.has_apps()

    assert await store.read(empty)
