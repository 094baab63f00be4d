"""Events kept in memory, for tests and measurements."""

from collections import deque

from chathooks_receiver.intake import Arrival


class MemorySink:
    """What it holds is lost with the process: for tests, not for production."""

    def __init__(self, events_max: int | None = None) -> None:
        """Keep at most the newest `events_max` events, or all for None."""
        self.arrivals: deque[Arrival] = deque(maxlen=events_max)
        self.count = 0

    async def open(self) -> None:
        """Nothing to do."""

    async def put(self, arrival: Arrival) -> bool:
        """Append."""
        self.count += 1
        self.arrivals.append(arrival)
        return True

    async def close(self) -> None:
        """Nothing to do."""
