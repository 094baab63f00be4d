"""Who calls, and for which app: API keys and management credentials.

Keys are looked up by their SHA-256 (delivery contract §4) and what was found, or that nothing was, is kept in
memory until the keys of any app change. The app is named by the `appId` header, else by a host of the form `{appId}.anything`, else
by the API key (delivery contract §6); where two of them name different apps, the call is refused.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from chathooks.apps.records import NO_APP, ApiKey, App, Scope
from chathooks.apps.store import AppsTransaction
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.transactions import Store, Topic

CACHED_MAX = 10_000
"""Entries kept per cache; a cache that is full starts anew."""
APP_ID_CHARS_MAX = 100

_NO_DIGEST = bytes(32)

K = TypeVar("K")
V = TypeVar("V")


def _unknown_key() -> ChathooksError:
    return ChathooksError(
        "AUTH_ERR_APIKEY_NOT_FOUND",
        "This API key does not exist in the app; check the apikey header and the app you call.",
        {"apikey": "is unknown"},
    )


def unknown_app(name: str = "appId") -> ChathooksError:
    """AUTH_ERR_INVALID_APPID, naming where the id came from."""
    return ChathooksError(
        "AUTH_ERR_INVALID_APPID",
        "There is no app with this id; check the appId of your call.",
        {name: "is unknown"},
    )


class _Cache(Generic[K, V]):
    """What the store has under some names, and which names it has nothing under.

    The two are bounded apart, so that made-up names push nothing out that exists.
    """

    def __init__(self, store: Store[AppsTransaction]) -> None:
        self._store = store
        self._known: dict[K, V] = {}
        self._unknown: dict[K, None] = {}
        self._generation = 0

    def forget(self) -> None:
        """Something has changed; a lookup that is under way is not kept."""
        self._generation += 1
        self._known.clear()
        self._unknown.clear()

    async def find(
        self, name: K, query: Callable[[AppsTransaction, K], Awaitable[V | None]]
    ) -> V | None:
        """What is under `name`; `query` reads it."""
        found = self._known.get(name)
        if found is not None or name in self._unknown:
            return found
        generation = self._generation
        found = await self._store.read(lambda tx: query(tx, name))
        if generation == self._generation:
            if found is None:
                _keep(self._unknown, name, None)
            else:
                _keep(self._known, name, found)
        return found


class Access:
    """Authenticates calls."""

    def __init__(self, store: Store[AppsTransaction]) -> None:
        self._store = store
        self._keys: _Cache[bytes, ApiKey] = _Cache(store)
        self._apps: _Cache[str, App] = _Cache(store)
        self._secrets: _Cache[bytes, bytes] = _Cache(store)
        store.subscribe(Topic.KEYS, self._forget)

    def _forget(self, _app: int) -> None:
        for cache in (self._keys, self._apps, self._secrets):
            cache.forget()

    async def api_key(
        self, key: bytes | None, app_id: bytes | None, host: bytes | None, needed: Scope
    ) -> ApiKey:
        """The API key of a call.

        Args:
            key: value of the `apikey` header.
            app_id: value of the `appId` header, None where it is absent.
            host: value of the `Host` header.
            needed: the least scope that may make the call.

        Raises:
            ChathooksError: AUTH_ERR_EMPTY_APIKEY, AUTH_ERR_APIKEY_NOT_FOUND, AUTH_ERR_EMPTY_APPID,
                AUTH_ERR_INVALID_APPID; AUTH_ERR_NO_ACCESS where the key's scope is too small.
        """
        if not key:
            raise ChathooksError(
                "AUTH_ERR_EMPTY_APIKEY",
                "Send an API key of the app in the apikey header.",
                {"apikey": "is required"},
            )
        found = await self._find_key(key)
        if app_id is not None:
            await self._check_header(app_id, found)
        elif host is not None and b"." in host:
            await self._check_host(host, found)
        if found is None:
            raise _unknown_key()
        if not found.scope.covers(needed):
            raise ChathooksError(
                "AUTH_ERR_NO_ACCESS",
                "This API key may not make this call; use a fullAccess key.",
                {"apikey": f"has the scope {found.scope}, {needed} is needed"},
            )
        return found

    async def management(self, key: bytes | None, secret: bytes | None, app_id: str | None) -> App:
        """The app of a management call; NO_APP where it concerns no app in particular.

        Args:
            key: value of the `key` header.
            secret: value of the `secret` header.
            app_id: the app that the path names; None where it names none.

        Raises:
            ChathooksError: AUTH_ERR_EMPTY_AUTH_HEADER, AUTH_ERR_APIKEY_NOT_FOUND, AUTH_ERR_INVALID_APPID.
        """
        if not key or not secret:
            raise ChathooksError(
                "AUTH_ERR_EMPTY_AUTH_HEADER",
                "Send the management key and secret in the key and secret headers.",
                {
                    name: "is required"
                    for name, value in (("key", key), ("secret", secret))
                    if not value
                },
            )
        if not await self.is_management(key, secret):
            raise ChathooksError(
                "AUTH_ERR_APIKEY_NOT_FOUND",
                "These management credentials are not valid; check the key and secret headers.",
                {"key": "does not go with this secret"},
            )
        if app_id is None:
            return NO_APP
        app = await self._find_app(app_id)
        if app is None:
            raise unknown_app()
        return app

    async def is_management(self, key: bytes, secret: bytes) -> bool:
        """Whether the secret is the one of the management key; takes the same time for every wrong one."""
        expected = await self._management_secret(hashlib.sha256(key).digest())
        given = hashlib.sha256(secret).digest()
        return hmac.compare_digest(given, expected or _NO_DIGEST) and expected is not None

    async def is_management_secret(self, secret: bytes) -> bool:
        """Whether this is the secret of any management key."""
        given = hashlib.sha256(secret).digest()

        async def query(tx: AppsTransaction) -> list[bytes]:
            return await tx.management_secrets()

        known = await self._store.read(query)
        matches = [hmac.compare_digest(given, one) for one in known]  # all, for constant time
        return any(matches)

    async def app(self, app_id: str) -> App | None:
        """The app with this id, None where there is none."""
        return await self._find_app(app_id)

    async def _check_header(self, app_id: bytes, key: ApiKey | None) -> None:
        if not app_id:
            raise ChathooksError(
                "AUTH_ERR_EMPTY_APPID",
                "The appId header is empty; name the app or leave the header out.",
                {"appId": "is empty"},
            )
        name = app_id.decode("latin-1").lower()
        if key is not None and key.app.id == name:
            return
        if await self._find_app(name) is None:
            raise unknown_app()
        raise _unknown_key()

    async def _check_host(self, host: bytes, key: ApiKey | None) -> None:
        # A host is of the form {appId}.anything only where its first label is an app: an own domain is not.
        label = host.split(b".", 1)[0].decode("latin-1").lower()
        if key is not None and key.app.id == label:
            return
        if await self._find_app(label) is not None:
            raise _unknown_key()

    async def _find_key(self, key: bytes) -> ApiKey | None:
        return await self._keys.find(hashlib.sha256(key).digest(), _api_key)

    async def _find_app(self, app_id: str) -> App | None:
        app_id = app_id.lower()
        if len(app_id) > APP_ID_CHARS_MAX or "\0" in app_id:
            return None
        return await self._apps.find(app_id, _app)

    async def _management_secret(self, key_digest: bytes) -> bytes | None:
        return await self._secrets.find(key_digest, _secret)


async def _api_key(tx: AppsTransaction, digest: bytes) -> ApiKey | None:
    return await tx.find_api_key(digest)


async def _app(tx: AppsTransaction, app_id: str) -> App | None:
    return await tx.find_app(app_id)


async def _secret(tx: AppsTransaction, key_digest: bytes) -> bytes | None:
    return await tx.find_management_secret(key_digest)


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= CACHED_MAX:
        cache.clear()
    cache[key] = value
