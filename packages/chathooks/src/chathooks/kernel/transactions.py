"""What the server asks of a store: transactions that are answered once they are durable.

A command is an async function that is given a transaction and may await nothing but it. It may be run more
than once (a database may ask for a retry), so it changes nothing outside the transaction; what must follow a
commit is said with `notify`, which reaches the store's subscribers after the commit and never otherwise.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol, TypeVar

T = TypeVar("T")


class Topic(StrEnum):
    """What a commit may be followed by."""

    FEED = "feed"
    """Entries were appended to the feed."""
    WEBHOOK = "webhook"
    """A webhook was made, changed or deleted; the key is its lane."""
    REPLAY = "replay"
    """Deliveries of a lane were made due again; the key is the lane."""
    KEYS = "keys"
    """API keys of an app changed; the key is the app."""
    LANES = "lanes"
    """Fan-out moved lanes."""


class Notifying(Protocol):
    """The part of every transaction that speaks after the commit."""

    def notify(self, topic: Topic, key: int = 0) -> None:
        """Tell subscribers of `topic` after the commit; once per topic and key and commit."""


TxT_co = TypeVar("TxT_co", covariant=True)


class Store(Protocol[TxT_co]):
    """A store whose transactions are of type `TxT_co`."""

    async def write(self, command: Callable[[TxT_co], Awaitable[T]], *, patient: bool = False) -> T:
        """Run `command` in a transaction and answer once its changes are durable.

        Args:
            command: what is run, more than once where the database asks for it.
            patient: where a commit's outcome is not known, since the connection was lost, wait until it is, however
                long; others are told after a bounded wait that it is not known.

        Raises:
            ChathooksError: what the command raised; its changes are undone.
            StoreUnavailable: the store could not run or keep it; nothing was changed.
        """

    async def read(self, query: Callable[[TxT_co], Awaitable[T]]) -> T:
        """Run `query` on a consistent view of what is committed. Raises as `write` does."""

    def subscribe(self, topic: Topic, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(key)` on the event loop after each commit that notified `topic`."""
