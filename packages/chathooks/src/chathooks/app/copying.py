"""Moves a store into another database, table by table, and proves that it arrived.

Both sides are read in the order of the keys. A batch of rows and the note how far the copy came are one
transaction, so a copy that was cut short goes on where it stopped. At the end every table is read once more on both
sides, and counts and SHA-256 checksums of all rows are compared before the copy counts as finished.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from chathooks.kernel.errors import StartRefused

ROWS_PER_BATCH = 500
KEY_DIGITS = 19
"""Of the largest key, 2**63 - 1."""

_encoder = msgspec.msgpack.Encoder()


class Source(Protocol):
    """A store that is read."""

    def tables(self) -> list[str]: ...
    def columns(self, table: str) -> tuple[list[str], list[str]]: ...
    def rows(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        after: Sequence[Any],
        limit: int,
    ) -> list[tuple[Any, ...]]: ...
    def count(self, table: str) -> int: ...
    def numbers_given(self) -> dict[str, int]: ...


class Target(Protocol):
    """A store that is written."""

    async def progress(self) -> dict[str, tuple[str, int, bool]]: ...
    async def kinds(self, table: str) -> dict[str, str]: ...
    async def begin_table(self, table: str) -> None: ...
    async def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        last_key: str,
        copied: int,
        finished: bool,
    ) -> None: ...
    async def rows(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        after: Sequence[Any],
        limit: int,
    ) -> list[tuple[Any, ...]]: ...
    async def finish(
        self, tables: Sequence[tuple[str, Sequence[str]]], given: dict[str, int]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """How far the copy is."""

    table: str
    copied: int
    rows: int
    verified: bool = False


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: list[str]
    key: list[str]
    kinds: dict[str, str]

    def normal(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The row as the target keeps it: SQLite lets bytes stand in a column of texts, and texts in one of bytes."""
        return tuple(
            _normal(value, self.kinds[column])
            for value, column in zip(row, self.columns, strict=True)
        )

    def key_of(self, row: Sequence[Any]) -> list[Any]:
        return [row[self.columns.index(name)] for name in self.key]


def _normal(value: Any, kind: str) -> Any:
    if kind == "bytea" and isinstance(value, str):
        return value.encode()
    if kind == "text" and isinstance(value, bytes):
        return value.decode()
    if kind == "text" and isinstance(value, int):
        return (
            f"{value:0{KEY_DIGITS}}"  # a key among texts: as many digits as sort it like a number
        )
    return value


def _written(key: Sequence[Any]) -> str:
    return _encoder.encode(list(key)).hex()


def _read(text: str) -> list[Any]:
    return list(msgspec.msgpack.decode(bytes.fromhex(text))) if text else []


async def _tables(source: Source, target: Target) -> list[_Table]:
    found = []
    for name in source.tables():
        columns, key = source.columns(name)
        kinds = await target.kinds(name)
        if set(columns) != set(kinds):
            raise StartRefused(
                "ERR_COPY_FAILED",
                f"The table {name} is not the same on both sides; nothing was copied.",
            )
        found.append(_Table(name, columns, key, kinds))
    return found


async def copy_store(
    source: Source, target: Target, tell: Callable[[Step], None] = lambda _step: None
) -> int:
    """Copy everything, verify it, let servers start; answers how many rows there are.

    Args:
        source: where from.
        target: where to, empty or with the beginning of this very copy.
        tell: is told how far it is, after each batch.

    Raises:
        StartRefused: ERR_COPY_FAILED where the two sides differ at the end; the target stays closed to servers.
    """
    tables = await _tables(source, target)
    for table in tables:
        async for step in _copy_table(source, target, table):
            tell(step)
    total = 0
    for table in tables:
        there, here = await _digest_target(target, table), _digest_source(source, table)
        if there != here:
            raise StartRefused(
                "ERR_COPY_FAILED",
                f"The table {table.name} is not the same on both sides: {here[0]} rows were to be copied, {there[0]} "
                "are there. Copy into a new database.",
            )
        tell(Step(table.name, here[0], here[0], verified=True))
        total += here[0]
    await target.finish([(table.name, table.key) for table in tables], source.numbers_given())
    return total


async def _copy_table(source: Source, target: Target, table: _Table) -> AsyncIterator[Step]:
    count = source.count(table.name)
    last_key, copied, finished = (await target.progress()).get(table.name, (None, 0, False))
    if last_key is None:
        await target.begin_table(table.name)
    after = _read(last_key or "")
    while not finished:
        rows = source.rows(table.name, table.columns, table.key, after, ROWS_PER_BATCH)
        finished = len(rows) < ROWS_PER_BATCH
        copied += len(rows)
        after = table.key_of(rows[-1]) if rows else after
        await target.insert(
            table.name,
            table.columns,
            [table.normal(row) for row in rows],
            last_key=_written(after),
            copied=copied,
            finished=finished,
        )
        yield Step(table.name, copied, count)


def _digest_source(source: Source, table: _Table) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    after: list[Any] = []
    while rows := source.rows(table.name, table.columns, table.key, after, ROWS_PER_BATCH):
        for row in rows:
            digest.update(_encoder.encode(table.normal(row)))
        count, after = count + len(rows), table.key_of(rows[-1])
    return count, digest.hexdigest()


async def _digest_target(target: Target, table: _Table) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    after: list[Any] = []
    while rows := await target.rows(table.name, table.columns, table.key, after, ROWS_PER_BATCH):
        for row in rows:
            digest.update(_encoder.encode(tuple(row)))
        count, after = count + len(rows), table.key_of(rows[-1])
    return count, digest.hexdigest()
