"""What the parts of a PostgreSQL transaction share."""

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar, cast

from psycopg import AsyncConnection, AsyncRawCursor

from chathooks.kernel.transactions import Topic

T = TypeVar("T")


class Allotments:
    """Numbers given without gaps: taken from memory, written down with the commit, taken back with an undone command.

    Only one session allots at a time: the holder of the lease, whose memory is the truth between two commits, or
    whoever has the baton.
    """

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values
        self._saved = dict(values)

    def next(self, name: str) -> int:
        """The next number of a counter."""
        if name not in self.values:
            raise RuntimeError("this session may not allot numbers")
        number = self.values[name] = self.values[name] + 1
        return number

    def restart(self, values: dict[str, int]) -> None:
        """Go on from what is stored."""
        self.values, self._saved = values, dict(values)

    def changed(self) -> dict[str, int]:
        """Counters that moved since the last `settle`."""
        return {name: value for name, value in self.values.items() if value != self._saved[name]}

    def mark(self) -> dict[str, int]:
        """What `restore` goes back to."""
        return dict(self.values)

    def restore(self, marked: dict[str, int]) -> None:
        """Take back what was given since a mark."""
        self.values = dict(marked)

    def settle(self) -> None:
        """The commit was made."""
        self._saved = dict(self.values)

    def undo(self) -> None:
        """The transaction was undone."""
        self.values = dict(self._saved)


class TransactionPart:
    """Runs statements on the transaction's connection and keeps the notes for after the commit."""

    def __init__(
        self, connection: AsyncConnection[Any], allotments: Allotments | None = None
    ) -> None:
        # Binary results: numbers and bytes need no parsing.
        self._cursor = AsyncRawCursor(connection)
        self._cursor.format = 1  # type: ignore[assignment]  # pq.Format.BINARY, an IntEnum
        self._allotments = allotments
        self.notified: dict[tuple[Topic, int], None] = {}
        self.seat: int | None = None
        """The session's seat in a cluster."""
        self.waits = False
        """Whether the command is waiting for the database, the only thing that it may wait for."""

    def notify(self, topic: Topic, key: int = 0) -> None:
        """See `chathooks.kernel.transactions.Notifying`."""
        self.notified[(topic, key)] = None

    def _allot(self, name: str) -> int:
        """The next number of a counter; in a transaction that writes."""
        if self._allotments is None:
            raise RuntimeError("a query may not change anything")
        return self._allotments.next(name)

    async def _run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; answers how many rows it touched."""
        self.waits = True
        try:
            await self._cursor.execute(cast("Any", sql), parameters)
            return self._cursor.rowcount
        finally:
            self.waits = False

    async def _one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        self.waits = True
        try:
            await self._cursor.execute(cast("Any", sql), parameters)
            return await self._cursor.fetchone()
        finally:
            self.waits = False

    async def _all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        self.waits = True
        try:
            await self._cursor.execute(cast("Any", sql), parameters)
            return await self._cursor.fetchall()
        finally:
            self.waits = False


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows turned by a quarter: what `unnest` takes. There must be one."""
    return [list(column) for column in zip(*rows, strict=True)]


class Driven:
    """Awaits a command that may wait for nothing but its transaction.

    What a command waits for is what a batch waits for: one that slept, or asked another server, would hold up
    every caller.
    """

    def __init__(self, tx: TransactionPart, command: Callable[[Any], Any]) -> None:
        self._tx = tx
        self._command = command

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = cast("Coroutine[Any, Any, Any]", self._command(self._tx))
        resume: Callable[[Any], Any] = steps.send
        argument: Any = None
        try:
            while True:
                try:
                    waits_for = resume(argument)
                except StopIteration as stop:
                    return stop.value
                if not self._tx.waits:
                    raise RuntimeError("a command may await nothing but its transaction")
                try:
                    argument, resume = (yield waits_for), steps.send
                except BaseException as error:
                    argument, resume = error, steps.throw
        finally:
            steps.close()
