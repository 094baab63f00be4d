"""The delivery log's port on PostgreSQL."""

from collections.abc import Set

from chathooks.adapters.postgres.connection import TransactionPart
from chathooks.adapters.postgres.statements import statements
from chathooks.delivery.log import AttemptRow, DeliveryRow, EventRow
from chathooks.delivery.records import State

_SQL = statements("log.sql")


class LogPart(TransactionPart):
    """See `chathooks.delivery.log.LogTransaction`."""

    async def lane_owner(self, lane: int) -> tuple[int, str] | None:
        row = await self._one(_SQL["lane_owner"], (lane,))
        return None if row is None else (row[0], row[1])

    async def deliveries_below(self, lane: int, below: int, limit: int) -> list[DeliveryRow]:
        return list(
            map(DeliveryRow._make, await self._all(_SQL["deliveries_below"], (lane, below, limit)))
        )

    async def deliveries_in_states_below(
        self, lane: int, states: Set[State], below: int, limit: int
    ) -> list[DeliveryRow]:
        found: list[DeliveryRow] = []
        for state in states - {State.IN_FLIGHT}:
            rows = await self._all(_SQL["troubled_below"], (lane, state, below, limit))
            found += map(DeliveryRow._make, rows)
        if State.IN_FLIGHT in states:
            for name in ("first_in_flight_below", "due_in_flight_below"):
                found += map(DeliveryRow._make, await self._all(_SQL[name], (lane, below, limit)))
        found.sort(reverse=True)
        return found[:limit]

    async def delivery_from(self, lane: int, number: int) -> DeliveryRow | None:
        row = await self._one(_SQL["delivery_from"], (lane, number))
        return None if row is None else DeliveryRow._make(row)

    async def event_of(self, lane: int, number: int) -> EventRow | None:
        row = await self._one(_SQL["event_of"], (lane, number))
        return None if row is None else EventRow._make(row)

    async def attempts_of(self, lane: int, number: int, limit: int) -> list[AttemptRow]:
        rows = await self._all(_SQL["attempts_of"], (lane, number, limit))
        return list(map(AttemptRow._make, reversed(rows)))
