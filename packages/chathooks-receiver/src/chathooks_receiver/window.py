"""Which events were accepted lately, in memory."""

import hashlib
from collections import OrderedDict
from threading import Lock

SEEN_EVENTS_MAX = 10_000


class SeenWindow:
    """The keys of the last accepted events, at most `events_max` of them; safe to use from several threads."""

    def __init__(self, events_max: int = SEEN_EVENTS_MAX) -> None:
        """Start empty. `events_max` counts events; ValueError if it is below one."""
        if events_max < 1:
            raise ValueError("The window holds at least one event.")
        self._events_max = events_max
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: str) -> bool:
        """Whether `key` was added and is not yet forgotten."""
        return self.holds(_digest(key))

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._digests)

    def add(self, key: str) -> None:
        """Remember `key` as the newest; the oldest is forgotten when the window is full."""
        self.remember(_digest(key))

    def holds(self, digest: bytes) -> bool:
        """Whether the key with this SHA-256 was added and is not yet forgotten."""
        with self._lock:
            return digest in self._digests

    def remember(self, digest: bytes) -> None:
        """Remember the key with this SHA-256 as the newest; the oldest is forgotten when the window is full."""
        with self._lock:
            self._digests[digest] = None
            self._digests.move_to_end(digest)
            if len(self._digests) > self._events_max:
                self._digests.popitem(last=False)


def _digest(key: str) -> bytes:
    # Keys come from the sender and may be as long as a body; what is remembered must not grow with them.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
