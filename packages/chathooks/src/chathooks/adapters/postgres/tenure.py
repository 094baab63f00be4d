"""By what right a session writes, and how it knows what became of a commit whose connection was lost.

- `SoleTenure`: one process has the whole store, by the store's lock (`lease`).
- `SeatTenure`: one of several sessions, in any number of processes. Each has a seat: a row, and a lock of its own that
  lives in the session; all share the store's lock, so a process that wants the store for itself is kept out.
  A session of commands takes the baton for each batch: it locks the counters before anything else, and so learns the
  latest numbers given; batches of all processes follow one another. A session of lanes needs no baton, since it
  touches only what belongs to the shares of its seat (docs/adr/0008).

In both, the lock lives in the very session that writes. While that lives, nobody takes what its holder has; once it
has ended, every transaction of it is decided, and the number of its latest commit can be read.
"""

from typing import Any, Protocol, cast

import psycopg
import structlog
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor

from chathooks.adapters.postgres.connecting import LOCK_TIMEOUT_S
from chathooks.adapters.postgres.connection import Allotments
from chathooks.adapters.postgres.lease import (
    LOCK_CLASS,
    Lease,
    begin_epoch,
    load_counters,
    share_store,
    sign_batch,
    take_back,
    take_lock,
)
from chathooks.adapters.postgres.statements import statements

BATON_WAIT_S = 10.0
"""How long a batch waits for those of other nodes. A node that stands still with the baton is deposed sooner."""

_SESSION = statements("session.sql")
_LEASE = statements("lease.sql")
_SQL = statements("tenure.sql")
_MS_PER_S = 1000

log = structlog.get_logger("store")


class Tenure(Protocol):
    """A right to write."""

    batch: int
    """Number of the latest commit."""
    session: int
    """Process number of the session at the server."""

    @property
    def seat(self) -> int | None:
        """Its seat in a cluster; None where it has the store for itself."""

    async def take(self, connection: AsyncConnection[Any], where: str) -> None:
        """Keep others from the store, as far as they would be in the way. Raises StartRefused."""

    async def enter(self, connection: AsyncConnection[Any]) -> None:
        """Be a holder of the right from now on; the schema is known to be the one of this program."""

    async def take_back(self, connection: AsyncConnection[Any]) -> bool:
        """Hold it on a new session, `batch` read anew; False: it was taken away. Raises psycopg.Error: not now."""

    async def counters(self, connection: AsyncConnection[Any]) -> dict[str, int]:
        """The latest numbers given, as far as they may be relied on between batches."""

    async def begin(self, control: AsyncCursor[Any], allotments: Allotments) -> None:
        """Begin a batch. Raises psycopg.Error."""

    async def sign(self, cursor: AsyncRawCursor[Any], batch: int, moved: dict[str, int]) -> bool:
        """Write the commit's number and the counters into the transaction; False where the right is gone."""

    async def leave(self, connection: AsyncConnection[Any]) -> None:
        """Give it up in order."""


class SoleTenure:
    """The whole store."""

    def __init__(self) -> None:
        self._lease: Lease
        self.batch = 0
        self.session = 0

    seat: int | None = None

    def _holds(self, lease: Lease) -> None:
        self._lease = lease
        self.batch, self.session = lease.batch, lease.session

    async def take(self, connection: AsyncConnection[Any], where: str) -> None:
        """See `Tenure`."""
        await take_lock(connection, where)

    async def enter(self, connection: AsyncConnection[Any]) -> None:
        """See `Tenure`: another holder is another epoch."""
        self._holds(await begin_epoch(connection))

    async def take_back(self, connection: AsyncConnection[Any]) -> bool:
        """See `Tenure`."""
        lease = await take_back(connection, self._lease)
        if lease is not None:
            self._holds(lease)
        return lease is not None

    async def counters(self, connection: AsyncConnection[Any]) -> dict[str, int]:
        """See `Tenure`."""
        return await load_counters(connection)

    async def begin(self, control: AsyncCursor[Any], allotments: Allotments) -> None:
        """See `Tenure`."""
        del allotments  # its own, from memory
        await control.execute(_SESSION["begin"], prepare=False)

    async def sign(self, cursor: AsyncRawCursor[Any], batch: int, moved: dict[str, int]) -> bool:
        """See `Tenure`."""
        return await sign_batch(cursor, self._lease.epoch, batch, moved)

    async def leave(self, connection: AsyncConnection[Any]) -> None:
        """See `Tenure`: the lock ends with the session."""


class SeatTenure:
    """A seat among others."""

    def __init__(self, name: str, *, works: bool) -> None:
        """
        Args:
            name: of the node, for people.
            works: whether the seat may have shares: a session of lanes. Else one of commands.
        """
        self._name = name
        self.works = works
        self.seat: int | None = None
        self.batch = 0
        self.session = 0

    async def take(self, connection: AsyncConnection[Any], where: str) -> None:
        """See `Tenure`."""
        await share_store(connection, where)

    async def enter(self, connection: AsyncConnection[Any]) -> None:
        """See `Tenure`: take a new seat."""
        # In one transaction: nobody sees a seat that is not locked yet, and takes it for a dead one's.
        async with connection.transaction(), AsyncRawCursor(connection) as cursor:
            await cursor.execute(_SQL["new_seat"], (self._name, int(self.works)))
            row = await cursor.fetchone()
            assert row is not None  # noqa: S101 -- the statement has one row
            seat, session = row
            await cursor.execute(_SQL["lock_seat"], (seat,))
        self.seat, self.session, self.batch = seat, session, 0

    async def take_back(self, connection: AsyncConnection[Any]) -> bool:
        """See `Tenure`."""
        async with AsyncRawCursor(connection) as cursor:
            await cursor.execute(_LEASE["share_store"], (LOCK_CLASS,))
            await cursor.execute(_SQL["try_seat"], (self.seat,))
            row = await cursor.fetchone()
            if row is None or not row[0]:
                # The old session may linger, if the network was cut: the server has not noticed.
                await cursor.execute(_SQL["end_session"], (self.seat, self.session))
                await cursor.execute(_SQL["lock_seat"], (self.seat,))
            await cursor.execute(_SQL["look_at_seat"], (self.seat,))
            row = await cursor.fetchone()
        if row is None:
            return False
        self.batch, self.session = row
        return True

    async def counters(self, connection: AsyncConnection[Any]) -> dict[str, int]:
        """See `Tenure`: none, others count too."""
        del connection
        return {}

    async def begin(self, control: AsyncCursor[Any], allotments: Allotments) -> None:
        """See `Tenure`. The baton is taken before the first savepoint: one undone would let go of it."""
        if self.works:
            await control.execute(_SESSION["begin"], prepare=False)
            return
        await control.execute(_BEGIN_WITH_BATON, prepare=False)
        while control.description is None and control.nextset():
            pass
        allotments.restart({str(name): int(value) for name, value in await control.fetchall()})

    async def sign(self, cursor: AsyncRawCursor[Any], batch: int, moved: dict[str, int]) -> bool:
        """See `Tenure`."""
        await cursor.execute(
            _SQL["sign_batch"], (self.seat, batch, list(moved), list(moved.values()))
        )
        row = await cursor.fetchone()
        return bool(row is not None and row[0])

    async def leave(self, connection: AsyncConnection[Any]) -> None:
        """See `Tenure`: others find the shares free."""
        if connection.closed or self.seat is None:
            return
        try:
            async with connection.transaction(), AsyncRawCursor(connection) as cursor:
                await cursor.execute(_SQL["free_shares"], (self.seat,))
                await cursor.execute(_SQL["drop_seat"], (self.seat,))
        except psycopg.Error as error:
            # Then the others notice that it does not beat.
            log.warning("the seat could not be given back", error=type(error).__name__)


def _ms(seconds: float) -> str:
    return str(int(seconds * _MS_PER_S))


_BEGIN_WITH_BATON = cast("Any", _SQL["begin_with_baton"]).format(
    baton_ms=_ms(BATON_WAIT_S), lock_ms=_ms(LOCK_TIMEOUT_S)
)
