"""A log of who did what: one JSON line an event, small and without the text of messages."""

import asyncio
import os
from pathlib import Path
from threading import Lock

import msgspec

from chathooks_events.envelope import ReceivedEvent
from chathooks_receiver.ordering import stream_of
from chathooks_receiver.workflows.registry import Context


class ActivityLog:
    """Appends to `path`; as a handler: `workflows.on("*", name="activity")(ActivityLog(path))`."""

    def __init__(self, path: Path | str) -> None:
        """Name the file."""
        self._path = Path(path)
        self._lock = Lock()

    async def __call__(self, event: ReceivedEvent, context: Context) -> None:
        """Write one line; returns when it is on disk. Raises OSError."""
        line = {
            "at": context.received_at_s,
            "trigger": event.trigger,
            "stream": stream_of(event),
            "actor": actor_of(event),
            "key": context.key,
            "attempt": context.attempt,
        }
        await asyncio.to_thread(self._append, msgspec.json.encode(line) + b"\n")

    def _append(self, line: bytes) -> None:
        with self._lock, self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def actor_of(event: ReceivedEvent) -> str | None:
    """The uid of who caused the event, where the payload tells."""
    data = event.data
    if isinstance(data, dict):
        return None
    for holder in ("by", "user"):
        uid = getattr(getattr(data, holder, None), "uid", None)
        if isinstance(uid, str):
            return uid
    for holder in ("message", "call", "reaction"):
        part = getattr(data, holder, None)
        for name in ("deleted_by", "edited_by", "sender", "uid"):
            uid = getattr(part, name, None)
            if isinstance(uid, str):
                return uid
    sender = getattr(data, "sender", None)
    return sender if isinstance(sender, str) else None
