"""News: what a commit says of itself, told to whoever asked for it in this process, and to other processes.

Stores tell what their commits notified; a relay carries it to other nodes, whose hubs ring it there. News may be lost
on the way: whoever depends on them looks anew when everything is rung.
"""

from collections.abc import Callable

import structlog

from chathooks.kernel.transactions import Topic

EVERYTHING = -1
"""A key that stands for all keys of a topic: something may have been missed, look at all anew."""

Listener = Callable[[int], None]

log = structlog.get_logger("store")


class News:
    """Listeners by topic."""

    def __init__(self) -> None:
        self._listeners: dict[Topic, list[Listener]] = {}
        self.relay: Callable[[Topic, int], None] | None = None
        """Carries what was committed here to other nodes; does not block and does not raise."""

    def subscribe(self, topic: Topic, listener: Listener) -> Callable[[], None]:
        """Have `listener(key)` called for each news of a topic; answers what ends that."""
        listeners = self._listeners.setdefault(topic, [])
        listeners.append(listener)

        def unsubscribe() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return unsubscribe

    def committed(self, topic: Topic, key: int) -> None:
        """A commit of this process notified a topic."""
        self.ring(topic, key)
        if self.relay is not None:
            self.relay(topic, key)

    def ring(self, topic: Topic, key: int) -> None:
        """Tell the listeners of this process."""
        for listener in tuple(self._listeners.get(topic, ())):
            try:
                listener(key)
            except Exception as error:  # a fault of one listener must not end all writing
                log.error("a listener failed", topic=topic, exc_info=error)

    def ring_everything(self) -> None:
        """Tell all listeners to look at everything anew."""
        for topic in Topic:
            self.ring(topic, EVERYTHING)
