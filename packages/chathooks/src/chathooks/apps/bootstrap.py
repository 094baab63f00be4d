"""The first start of an empty store: one app, its two API keys, the management credentials.

Source: delivery contract §6 (settings, reserved app ids), rest-api.md A3 (an app begins with one key of each scope).
"""

import re
from dataclasses import dataclass, field

from chathooks.apps.records import Credentials, Scope
from chathooks.apps.store import AppsTransaction
from chathooks.kernel.crypto import digest, mask
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import RandomBytes, api_key
from chathooks.kernel.transactions import Store, Topic

RESERVED_APP_IDS = frozenset(
    {"v3", "v3.0", "apps", "console", "docs", "metrics", "healthz", "readyz"}
)
"""Parts of the server's own paths (delivery contract §6)."""
APP_ID_CHARS_MAX = 100
APP_ID_BYTES = 8
"""Random bytes of a generated app id."""
KEY_CHARS_MIN = 8
KEY_CHARS_MAX = 255
APP_NAME = "Chathooks"
API_KEY_NAME = "REST API Key"
AUTH_KEY_NAME = "Auth Key"

_MS_PER_S = 1000
_APP_ID = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_KEY = re.compile(rf"[!-~]{{{KEY_CHARS_MIN},{KEY_CHARS_MAX}}}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the settings say of the first app; None is made."""

    app_id: str | None = None
    region: str = "us"
    api_key: str | None = field(default=None, repr=False)
    auth_key: str | None = field(default=None, repr=False)
    management_key: str | None = field(default=None, repr=False)
    management_secret: str | None = field(default=None, repr=False)


def check_app_id(app_id: str) -> None:
    """Raises StartRefused where `app_id` cannot be an app's."""
    if app_id.lower() in RESERVED_APP_IDS:
        raise StartRefused(
            "ERR_SETTINGS",
            f"{app_id!r} is the name of a part of the server; choose another CHATHOOKS_APP_ID.",
            {"CHATHOOKS_APP_ID": "is reserved"},
        )
    if len(app_id) > APP_ID_CHARS_MAX or not _APP_ID.fullmatch(app_id):
        raise StartRefused(
            "ERR_SETTINGS",
            f"CHATHOOKS_APP_ID takes 1 to {APP_ID_CHARS_MAX} lower-case letters, digits, dots, dashes "
            "and underscores.",
            {"CHATHOOKS_APP_ID": "is not an app id"},
        )


def _complete(given: Given, random: RandomBytes) -> Credentials:
    credentials = Credentials(
        app_id=given.app_id or random(APP_ID_BYTES).hex(),
        region=given.region,
        api_key=given.api_key or api_key(random),
        auth_key=given.auth_key or api_key(random),
        management_key=given.management_key or api_key(random),
        management_secret=given.management_secret or api_key(random),
    )
    check_app_id(credentials.app_id)
    keys = {
        "CHATHOOKS_API_KEY": credentials.api_key,
        "CHATHOOKS_AUTH_KEY": credentials.auth_key,
        "CHATHOOKS_MANAGEMENT_KEY": credentials.management_key,
        "CHATHOOKS_MANAGEMENT_SECRET": credentials.management_secret,
    }
    wrong = {name: "is not such a key" for name, key in keys.items() if not _KEY.fullmatch(key)}
    if wrong:
        raise StartRefused(
            "ERR_SETTINGS",
            f"A key has {KEY_CHARS_MIN} to {KEY_CHARS_MAX} printable ASCII characters without spaces; "
            f"change {', '.join(wrong)} or leave it unset to have one made.",
            wrong,
        )
    if credentials.api_key == credentials.auth_key:
        raise StartRefused(
            "ERR_SETTINGS",
            "CHATHOOKS_API_KEY and CHATHOOKS_AUTH_KEY are the same; they have different scopes.",
            {"CHATHOOKS_AUTH_KEY": "is the API key"},
        )
    return credentials


async def bootstrap(
    store: Store[AppsTransaction], *, random: RandomBytes, now_ms: int, given: Given
) -> Credentials | None:
    """Make the first app of an empty store; None where the store has one.

    Args:
        store: where the app is kept.
        random: source of what is generated.
        now_ms: unix ms.
        given: what the settings say.

    Raises:
        StartRefused: a given value cannot be used; nothing was made.
    """
    credentials = _complete(given, random)
    now_s = now_ms // _MS_PER_S

    async def command(tx: AppsTransaction) -> bool:
        if await tx.has_apps():
            return False
        app = await tx.insert_app(credentials.app_id, APP_NAME, credentials.region, now_s)
        for key, name, scope in (
            (credentials.api_key, API_KEY_NAME, Scope.FULL_ACCESS),
            (credentials.auth_key, AUTH_KEY_NAME, Scope.AUTH_ONLY),
        ):
            await tx.insert_api_key(digest(key), app.key, mask(key), name, scope, now_s)
        await tx.insert_management_key(
            digest(credentials.management_key),
            digest(credentials.management_secret),
            mask(credentials.management_key),
            now_s,
        )
        tx.notify(Topic.KEYS, app.key)
        return True

    return credentials if await store.write(command) else None
