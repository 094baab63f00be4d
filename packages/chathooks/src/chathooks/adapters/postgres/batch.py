"""One batch: commands that share a transaction and its commit, and what each caller is to be told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chathooks.adapters.postgres.transaction import PostgresTransaction
from chathooks.kernel.transactions import Topic

Command = Callable[[PostgresTransaction], Awaitable[Any]]

RUNS_MAX = 4
"""How often a command is run at most: a batch that the database wants again, or whose connection was lost."""


@dataclass(slots=True, eq=False)
class Job:
    """A command that waits for its answer."""

    command: Command
    answer: asyncio.Future[Any]
    asked_at_s: float
    """Reading of the loop's clock."""
    patient: bool = False
    """Whether it waits for the outcome of a commit however long that takes."""
    runs: int = 0
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        """Answer the caller, unless it has gone."""
        if self.answer.done():
            return
        if self.error is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.error)

    def refuse(self, error: BaseException) -> None:
        """Tell the caller that nothing was done."""
        self.error = error
        self.tell()


@dataclass(slots=True)
class Batch:
    """Commands of one transaction."""

    jobs: list[Job] = field(default_factory=list)
    notified: dict[tuple[Topic, int], None] = field(default_factory=dict)
    number: int = 0
    """Of its commit; 0 until that is under way."""
