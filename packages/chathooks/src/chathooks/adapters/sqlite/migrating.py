"""What `chathooks migrate` does to a SQLite store."""

import sqlite3
from pathlib import Path

from chathooks.adapters.sqlite.statements import migrations
from chathooks.adapters.sqlite.store import SqliteStore
from chathooks.kernel.errors import StartRefused

BUSY_WAIT_S = 2.0


class SqliteSchema:
    """The schema of a store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def where(self) -> str:
        """The store in words."""
        return str(self._path)

    async def status(self) -> tuple[int, list[tuple[int, str]]]:
        """(version, migrations that are missing as (number, name)). Raises StartRefused."""
        version = 0
        if self._path.exists():
            try:
                address = f"{self._path.absolute().as_uri()}?mode=ro"
                connection = sqlite3.connect(address, uri=True, timeout=BUSY_WAIT_S)
                try:
                    (version,) = connection.execute("PRAGMA user_version").fetchone()
                finally:
                    connection.close()
            except sqlite3.Error as error:
                raise StartRefused(
                    "ERR_DATA_DIR", f"{self._path} cannot be read: {error}."
                ) from None
        return version, [(step.number, step.name) for step in migrations() if step.number > version]

    async def apply(self) -> list[tuple[int, str]]:
        """Apply what is missing, as every start does; answers what was applied. Raises StartRefused."""
        _, missing = await self.status()
        store = await SqliteStore.open(self._path)
        await store.close()
        return missing
