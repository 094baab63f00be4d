"""Who is in the cluster: seats, and who has which share. The port to the store's tables of them.

A seat is a writing session with a lock of its own: while the session lives, nobody takes what its seat has, and when it
ends so does whatever it had not committed (docs/adr/0008).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chathooks.kernel.transactions import Notifying


@dataclass(frozen=True, slots=True)
class Seat:
    """A writing session of some node."""

    seat: int
    name: str
    """The node's, for people."""
    works: bool
    """Whether it can have shares."""
    beat: int
    """Grows while its node is well."""


@dataclass(frozen=True, slots=True)
class Share:
    """Who has a share; `seat` None: nobody."""

    share: int
    seat: int | None
    epoch: int
    """Grows whenever the share changes hands."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody, at one look."""

    me: int
    seats: tuple[Seat, ...]
    shares: tuple[Share, ...]


class MembershipTransaction(Notifying, Protocol):
    """What a node asks of a transaction on its own seat."""

    async def beat(self) -> None:
        """Show that this node is well."""

    async def roster(self) -> Roster: ...
    async def take_shares(self, shares: Sequence[int]) -> list[int]:
        """Take those that are free; answers which became one's own."""

    async def give_shares(self, shares: Sequence[int]) -> None:
        """Give back what one has."""

    async def depose(self, seat: int) -> bool:
        """Take everything from a dead seat. False while its session still lives: it is ended, so ask again."""
