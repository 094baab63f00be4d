"""Which events were accepted lately."""

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
        with self._lock:
            return _digest(key) in self._digests

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._digests)

    def add(self, key: str) -> None:
        """Remember `key` as the newest; the oldest is forgotten when the window is full."""
        digest = _digest(key)
        with self._lock:
            self._digests[digest] = None
            self._digests.move_to_end(digest)
            if len(self._digests) > self._events_max:
                self._digests.popitem(last=False)


def _digest(key: str) -> bytes:
    # Keys come from the sender and may be as long as a body; what is remembered must not grow with them.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
