"""Events kept in memory, for tests and measurements."""

from chathooks_receiver.intake import Arrival


class MemorySink:
    """A list. What it holds is lost with the process: for tests, not for production."""

    def __init__(self, events_max: int | None = None) -> None:
        """Keep at most the newest `events_max` events, or all for None."""
        self._events_max = events_max
        self.arrivals: list[Arrival] = []
        self.count = 0

    async def open(self) -> None:
        """Nothing to do."""

    async def put(self, arrival: Arrival) -> bool:
        """Append."""
        self.count += 1
        self.arrivals.append(arrival)
        if self._events_max is not None and len(self.arrivals) > self._events_max:
            del self.arrivals[: len(self.arrivals) - self._events_max]
        return True

    async def close(self) -> None:
        """Nothing to do."""
