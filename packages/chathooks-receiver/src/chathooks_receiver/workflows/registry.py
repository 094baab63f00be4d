"""Which handler is for which trigger, and what a handler is given."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import ReceivedEvent
from chathooks_events.errors import UnknownTrigger
from chathooks_receiver.queue import TIMER_PREFIX, Job, Queue

EVERY_EVENT = "*"

Handler: TypeAlias = Callable[..., Awaitable[None] | None]
F = TypeVar("F", bound=Handler)


class GiveUp(Exception):
    """Raised by a handler: this event will never work, set it aside without further attempts."""


class Context:
    """What a handler knows besides the event, and the timers it may set.

    `attempt` counts from 1, `key` is the dedupe key of the event or the key of the timer, `received_at_s` when it arrived and
    `now_s` tells the time, both in unix seconds; `headers` are the sender's own.
    """

    def __init__(self, job: Job, queue: Queue, now_s: Callable[[], float]) -> None:
        """Made by the worker for each run."""
        self._queue = queue
        self.attempt = job.attempt
        self.key = job.key
        self.headers: Mapping[str, str] = job.headers
        self.received_at_s = job.received_at_ms / 1000
        self.now_s = now_s

    async def schedule(self, key: str, name: str, payload: object, *, delay_s: float) -> None:
        """Run the timer handler `name` with `payload` in `delay_s` seconds; a timer of the same key is replaced.

        It is in the queue's store before this returns, and survives restarts. `payload` is anything msgspec can
        write as JSON. Raises `QueueUnavailable`.
        """
        due_s = self.now_s() + delay_s
        await self._queue.schedule(key, name, msgspec.json.encode(payload), due_s)

    async def cancel(self, key: str) -> bool:
        """Take the timer `key` back; False if there is none, or it runs already. Raises `QueueUnavailable`."""
        return await self._queue.cancel(key)


class Workflows:
    """Handlers by trigger. A handler is called as `handler(event, context)`, a timer's as `handler(payload, context)`.

    Functions that are not async run in a thread.
    """

    def __init__(self) -> None:
        """Start without handlers."""
        self._handlers: dict[str, dict[str, Handler]] = {}

    def on(self, *triggers: str, name: str | None = None) -> Callable[[F], F]:
        """A decorator for a handler of `triggers`, of every event for `"*"`.

        `name` tells handlers apart across restarts; the function's own for None. Raises `UnknownTrigger`, and ValueError
        where a name stands twice or no trigger is given.
        """
        if not triggers:
            raise ValueError("Name at least one trigger, or * for every event.")
        for trigger in triggers:
            if trigger != EVERY_EVENT and trigger not in TRIGGERS:
                raise UnknownTrigger(f"There is no trigger called {trigger!r}.")

        def register(handler: F) -> F:
            for trigger in triggers:
                self._add(trigger, name or _name_of(handler), handler)
            return handler

        return register

    def timer(self, name: str) -> Callable[[F], F]:
        """A decorator for the handler of the timers called `name`. ValueError where there is one."""

        def register(handler: F) -> F:
            self._add(TIMER_PREFIX + name, name, handler)
            return handler

        return register

    def _add(self, kind: str, name: str, handler: Handler) -> None:
        known = self._handlers.setdefault(kind, {})
        if name in known:
            raise ValueError(f"There is a handler called {name!r} for {kind!r} already.")
        known[name] = handler

    def include(self, other: "Workflows") -> None:
        """Take over the handlers of `other`. ValueError where a name stands twice."""
        for kind, handlers in other._handlers.items():
            for name, handler in handlers.items():
                self._add(kind, name, handler)

    def handlers_of(self, kind: str) -> Mapping[str, Handler]:
        """The handlers of a trigger, or of `timer:<name>`, by name."""
        own = self._handlers.get(kind, {})
        if kind.startswith(TIMER_PREFIX):
            return own
        return {**self._handlers.get(EVERY_EVENT, {}), **own}


def _name_of(handler: Handler) -> str:
    name = getattr(handler, "__qualname__", "") or type(handler).__qualname__
    return name.rpartition("<locals>.")[2]


Argument: TypeAlias = ReceivedEvent | Any
