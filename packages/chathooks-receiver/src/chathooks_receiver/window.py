"""Which events were accepted lately."""

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
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: str) -> bool:
        """Whether `key` was added and is not yet forgotten."""
        with self._lock:
            return key in self._keys

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._keys)

    def add(self, key: str) -> None:
        """Remember `key` as the newest; the oldest is forgotten when the window is full."""
        with self._lock:
            self._keys[key] = None
            self._keys.move_to_end(key)
            if len(self._keys) > self._events_max:
                self._keys.popitem(last=False)
