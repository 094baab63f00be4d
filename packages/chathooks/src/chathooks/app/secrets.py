"""What the first start makes and every start needs: the secret key and the credentials file.

Order at a first start: the key file, then `credentials.toml`, then the store's first app. A crash between any two
leaves files that the next start takes up again, so no key is ever in the store without being in the file.
"""

import asyncio
import fcntl
import json
import os
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from chathooks.app.settings import Settings
from chathooks.apps.bootstrap import Given
from chathooks.kernel.crypto import SecretBox, new_secret_key, parse_secret_key
from chathooks.kernel.errors import StartRefused
from chathooks.kernel.ids import RandomBytes, api_key
from chathooks.kernel.transactions import Store

SECRET_KEY_FILE = "secret.key"  # noqa: S105 -- a file's name
CREDENTIALS_FILE = "credentials.toml"
FIRST_START_LOCK_FILE = "first-start.lock"
OWNER_ONLY = 0o600
_KEY_PROOF = "secret_key_proof"
_APP_ID_BYTES = 8
_KEYS = ("api_key", "auth_key", "management_key", "management_secret")


class MetaTransaction(Protocol):
    """What a start asks of a transaction."""

    async def get_meta(self, name: str) -> str | None: ...
    async def set_meta(self, name: str, value: str) -> None: ...
    async def ping(self) -> None: ...


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)  # what a start cut short left, or somebody put there
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(draft, flags, OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def secret_box(settings: Settings, random: RandomBytes) -> SecretBox:
    """The box that seals secrets at rest, with the given key or the one kept in the data directory."""
    text = settings.secret_key
    if text is None and settings.database_url is not None:
        # Machines that share a store share its key: one that made a key of its own would lock the others out.
        raise StartRefused(
            "ERR_SECRET_KEY",
            "With CHATHOOKS_DATABASE_URL a CHATHOOKS_SECRET_KEY must be given, the same on every machine. Make one: "
            'python3 -c "import secrets,base64; '
            'print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"',
        )
    if text is None:
        path = settings.data_dir / SECRET_KEY_FILE
        if not path.exists():
            write_private(path, new_secret_key(random) + "\n")
        try:
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError):
            raise StartRefused("ERR_SECRET_KEY", f"{path} cannot be read.") from None
    return SecretBox(parse_secret_key(text), random)


async def prove_key(store: Store[MetaTransaction], box: SecretBox) -> None:
    """Refuse a start with another key than the store's (delivery contract §7). Raises StartRefused."""

    async def command(tx: MetaTransaction) -> str | None:
        kept = await tx.get_meta(_KEY_PROOF)
        if kept is None:
            await tx.set_meta(_KEY_PROOF, box.seal(_KEY_PROOF, _KEY_PROOF).hex())
        return kept

    kept = await store.write(command)
    if kept is None:
        return
    try:
        box.open(bytes.fromhex(kept), _KEY_PROOF)
    except StartRefused:
        raise StartRefused(
            "ERR_SECRET_KEY",
            "This CHATHOOKS_SECRET_KEY is not the one that the store was made with, so its secrets would not open; "
            "start with the key of the store. All processes that share a store have the same one: copy "
            f"CHATHOOKS_SECRET_KEY from the settings of one that serves it, or the text of {SECRET_KEY_FILE} from "
            "the data directory where the store was made.",
            {"CHATHOOKS_SECRET_KEY": "is not the store's"},
        ) from None


@asynccontextmanager
async def alone_in(folder: Path) -> AsyncIterator[None]:
    """Keep other processes with the same data directory waiting: one of them makes the first app, and its file."""
    with (folder / FIRST_START_LOCK_FILE).open("a") as lock:
        # Waiting blocks; the lock ends with its holder.
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def _kept_credentials(path: Path) -> dict[str, str]:
    """What a start that was cut short wrote down. Raises StartRefused where the file cannot be read."""
    if not path.exists():
        return {}
    try:
        kept = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartRefused(
            "ERR_SETTINGS", f"{path} cannot be read ({error}); mend it or move it away."
        ) from None
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def given_credentials(settings: Settings, random: RandomBytes) -> Given:
    """What the first app is made with: settings, else the credentials file, else new keys kept there.

    For a store without an app only: the keys of one that has an app are in the store, as digests.
    """
    path = settings.data_dir / CREDENTIALS_FILE
    kept = _kept_credentials(path)
    given = Given(
        app_id=settings.app_id or kept.get("app_id") or random(_APP_ID_BYTES).hex(),
        region=settings.region,
        **{name: getattr(settings, name) or kept.get(name) or api_key(random) for name in _KEYS},
    )
    if any(getattr(settings, name) is None for name in _KEYS) or settings.app_id is None:
        written = ["app_id", "region", *(n for n in _KEYS if getattr(settings, n) is None)]
        lines = [
            "# Made by the first start of this store. Keep it to yourself.",
            # A JSON string of such a value is a TOML string too.
            *(f"{name} = {json.dumps(getattr(given, name))}" for name in written),
        ]
        write_private(path, "\n".join(lines) + "\n")
    return given
