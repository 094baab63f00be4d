"""Who is in the cluster, on PostgreSQL."""

from collections.abc import Sequence

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.delivery.membership import Roster, Seat, Share

_SQL = statements("membership.sql")
_SEATS = statements("tenure.sql")


class MembershipPart(TransactionPart):
    """See `chathooks.delivery.membership.MembershipTransaction`."""

    def _me(self) -> int:
        if self.seat is None:
            raise RuntimeError("this session has no seat")
        return self.seat

    async def beat(self) -> None:
        await self._run(_SQL["beat"], (self._me(),))

    async def roster(self) -> Roster:
        seats = await self._all(_SQL["seats"])
        shares = await self._all(_SQL["shares"])
        return Roster(
            0 if self.seat is None else self.seat,
            tuple(Seat(seat, name, bool(works), beat) for seat, name, works, beat in seats),
            tuple(Share(*row) for row in shares),
        )

    async def take_shares(self, shares: Sequence[int]) -> list[int]:
        found = await self._all(_SQL["take_shares"], (self._me(), sorted(shares)))
        return sorted(share for (share,) in found)

    async def give_shares(self, shares: Sequence[int]) -> None:
        await self._run(_SQL["give_shares"], (sorted(shares), self._me()))

    async def depose(self, seat: int) -> bool:
        if seat == self._me():
            raise RuntimeError("a seat cannot depose itself")
        row = await self._one(_SEATS["try_seat_now"], (seat,))
        if not row[0]:
            # Whoever deposes it at the same time holds the lock too, but not for long.
            await self._all(_SEATS["end_session"], (seat, 0))
            return False
        await self._run(_SEATS["free_shares"], (seat,))
        await self._run(_SEATS["drop_seat"], (seat,))
        return True

    async def database_now_ms(self) -> int:
        """The database's clock, unix ms."""
        return int((await self._one(_SQL["database_now"]))[0])
