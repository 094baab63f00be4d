"""Seen events in the memory of one process: gone with it, so a restart may hand an event over again."""

from chathooks_receiver.dedupe import Claim
from chathooks_receiver.window import SEEN_EVENTS_MAX, SeenWindow


class MemoryDedupe:
    """The last `events_max` accepted events."""

    def __init__(self, events_max: int = SEEN_EVENTS_MAX) -> None:
        """Start empty. ValueError if `events_max` is below one."""
        self._window = SeenWindow(events_max)

    async def open(self) -> None:
        """Nothing to do."""

    def look(self, digest: bytes) -> Claim | None:
        """FRESH or SEEN; never BUSY."""
        return Claim.SEEN if self._window.holds(digest) else Claim.FRESH

    async def claim(self, digest: bytes) -> Claim:
        """What `look` says."""
        return self.look(digest) or Claim.FRESH

    async def confirm(self, digest: bytes) -> None:
        """Remember it."""
        self._window.remember(digest)

    def release(self, digest: bytes) -> None:
        """Nothing to do: a claim leaves no trace here."""

    async def close(self) -> None:
        """Nothing to do."""
