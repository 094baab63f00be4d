"""The apps of a server: made, listed, read (rest-api.md B3, delivery contract §6).

Everything else that is stored belongs to one app, and no call for one app reads or changes another's. Deleting an
app is in `chathooks.delivery.app_deletion`, as its webhooks have to stop first.
"""

import re
from dataclasses import dataclass, field

from chathooks.apps.bootstrap import API_KEY_NAME, APP_ID_BYTES, AUTH_KEY_NAME, RESERVED_APP_IDS
from chathooks.apps.records import App, Scope
from chathooks.apps.store import AppsTransaction
from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import RandomBytes, api_key
from chathooks.kernel.transactions import Store, Topic

APPS_MAX = 1000
"""Apps of one server."""
NEW_APP_ID_CHARS_MAX = 63
"""What a label of a host name holds, as a host may name the app."""
APP_NAME_CHARS_MAX = 100
REGIONS = ("us", "eu", "in")
"""What CometChat documents; here a region is a word in the bodies of deliveries and nothing else."""

_NEW_APP_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app that was made, and its two keys, which are shown this once."""

    app: App
    api_key: str = field(repr=False)
    auth_key: str = field(repr=False)


def check_new_app_id(app_id: str) -> None:
    """Raises ERR_BAD_REQUEST where a new app cannot have this id."""
    if app_id in RESERVED_APP_IDS:
        raise ChathooksError(
            "ERR_BAD_REQUEST",
            f"{app_id!r} is the name of a part of the server; choose another id.",
            {"id": "is reserved"},
        )
    if len(app_id) > NEW_APP_ID_CHARS_MAX or not _NEW_APP_ID.fullmatch(app_id):
        raise ChathooksError(
            "ERR_BAD_REQUEST",
            f"An app id has 1 to {NEW_APP_ID_CHARS_MAX} lower-case letters, digits, dashes and underscores, "
            "and begins and ends with a letter or digit.",
            {"id": "is not an app id"},
        )


class Apps:
    """All apps of the server."""

    def __init__(self, store: Store[AppsTransaction], clock: Clock, random: RandomBytes) -> None:
        self._store = store
        self._clock = clock
        self._random = random

    async def create(self, name: str, region: str, app_id: str | None = None) -> NewApp:
        """Make an app with one key of each scope (rest-api.md A3).

        Args:
            name: what people call it.
            region: one of REGIONS.
            app_id: its id; one is made where None.

        Raises:
            ChathooksError: ERR_BAD_REQUEST, ERR_APP_ALREADY_EXISTS, ERR_PLAN_QUOTA_RESTRICTION; nothing was made.
        """
        if app_id is not None:
            check_new_app_id(app_id)
        wanted = app_id or self._random(APP_ID_BYTES).hex()
        keys = {Scope.FULL_ACCESS: api_key(self._random), Scope.AUTH_ONLY: api_key(self._random)}
        now_s = self._clock.wall_ms() // MS_PER_S

        async def create(tx: AppsTransaction) -> App:
            if await tx.app_id_taken(wanted):
                raise ChathooksError(
                    "ERR_APP_ALREADY_EXISTS",
                    f"There is an app {wanted!r} already, or its data is still being removed; "
                    "choose another id.",
                    {"id": "is taken"},
                )
            if await tx.count_apps() >= APPS_MAX:
                raise ChathooksError(
                    "ERR_PLAN_QUOTA_RESTRICTION",
                    f"The server has {APPS_MAX} apps, which is the limit; delete one that is not used.",
                )
            app = await tx.insert_app(wanted, name, region, now_s)
            names = {Scope.FULL_ACCESS: API_KEY_NAME, Scope.AUTH_ONLY: AUTH_KEY_NAME}
            for scope, key in keys.items():
                await tx.insert_api_key(digest(key), app.key, mask(key), names[scope], scope, now_s)
            tx.notify(Topic.KEYS, app.key)
            return app

        app = await self._store.write(create)
        return NewApp(app, keys[Scope.FULL_ACCESS], keys[Scope.AUTH_ONLY])

    async def page(self, offset: int, limit: int) -> tuple[list[App], int]:
        """Apps in the order they were made, and how many there are."""

        async def query(tx: AppsTransaction) -> tuple[list[App], int]:
            return await tx.list_apps(offset, limit), await tx.count_apps()

        return await self._store.read(query)
