"""What `chathooks migrate` does to a PostgreSQL store."""

from chathooks.adapters.postgres.connecting import Database
from chathooks.adapters.postgres.lease import share_store, take_lock, take_migration_lock
from chathooks.adapters.postgres.schema import apply, pending, refuse_newer, schema_version


class PostgresSchema:
    """The schema of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def where(self) -> str:
        """The store in words; no password."""
        return self._database.describe()

    async def status(self) -> tuple[int, list[tuple[int, str]]]:
        """(version, migrations that are missing as (number, name)). Raises StartRefused."""
        connection = await self._database.connect_or_refuse()
        try:
            version, compatible = await schema_version(connection)
        finally:
            await connection.close()
        refuse_newer(version, compatible)
        return version, [(step.number, step.name) for step in pending(version)]

    async def apply(self) -> list[tuple[int, str]]:
        """Apply what is missing; answers what was applied.

        Where all that is missing is additive, nodes of a cluster may serve the store meanwhile.

        Raises:
            StartRefused: the database cannot be used, a process serves the store, or it is newer than this program.
        """
        connection = await self._database.connect_or_refuse()
        try:
            version, _ = await schema_version(connection)
            if version and all(step.is_additive for step in pending(version)):
                # Nodes of an older program may go on serving: nothing that they know changes.
                await share_store(connection, self.where())
                await take_migration_lock(connection)
            else:
                await take_lock(connection, self.where())
            return [(step.number, step.name) for step in await apply(connection)]
        finally:
            await connection.close()
