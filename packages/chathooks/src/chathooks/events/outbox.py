"""The outbox: an event is appended in the transaction that changes the state it tells of.

`append` takes the transaction, so an event cannot be written outside one: either both the change and its
event are durable, or neither is (delivery contract §3.1). The event's `data` is serialised here, once; these
bytes are what every webhook and every attempt sends (§1).
"""

from typing import Any, Protocol

import msgspec

from chathooks.events.streams import Stream
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import ChathooksError
from chathooks.kernel.ids import EventIds
from chathooks.kernel.transactions import Topic
from chathooks_events.catalog import TRIGGERS

EVENT_DATA_BYTES_MAX = 512 * 1024
"""Far above what the API's own limits allow; a wall against a mistake in a payload."""

WEBHOOK_CHANGE = 0
"""Stands in the feed where an event has its trigger number."""

_encoder = msgspec.json.Encoder()


class OutboxTransaction(Protocol):
    """What the outbox needs of a transaction."""

    def notify(self, topic: Topic, key: int = 0) -> None: ...

    async def next_sequence(self, app: int, stream: str) -> tuple[int, int]:
        """Allot the stream's next number: (stream key, sequence), gap-free from 1."""

    async def append_to_feed(
        self,
        app: int,
        trigger_number: int,
        event_id: str | None,
        stream: int | None,
        sequence: int | None,
        created_at_ms: int,
        data: bytes,
    ) -> int:
        """Append one entry; answers its position."""


class Outbox:
    """Appends events to the feed."""

    def __init__(self, clock: Clock, ids: EventIds) -> None:
        self._clock = clock
        self._ids = ids

    async def append(
        self,
        tx: OutboxTransaction,
        *,
        app: int,
        trigger: str,
        data: Any,
        stream: Stream | None,
    ) -> str:
        """Append one event to the feed; answers its event id.

        Args:
            tx: the transaction that changes the state the event tells of.
            app: key of the app.
            trigger: a name of the catalog.
            data: the trigger's payload struct, or its JSON as bytes.
            stream: what `chathooks-sequence` counts in; None for user events (delivery contract §1).
        """
        encoded = data if isinstance(data, bytes) else _encoder.encode(data)
        if len(encoded) > EVENT_DATA_BYTES_MAX:
            raise ChathooksError(
                "ERR_BAD_REQUEST",
                "The event of this change would be too large to deliver; send less data.",
            )
        stream_key: int | None = None
        sequence: int | None = None
        if stream is not None:
            stream_key, sequence = await tx.next_sequence(app, stream.name)
        event_id = self._ids.next()
        await tx.append_to_feed(
            app,
            TRIGGERS[trigger].number,
            event_id,
            stream_key,
            sequence,
            self._clock.wall_ms(),
            encoded,
        )
        tx.notify(Topic.FEED)
        return event_id

    async def append_webhook_change(
        self, tx: OutboxTransaction, *, app: int, change: "msgspec.Struct"
    ) -> None:
        """Append a webhook's new state, so that fan-out applies it in feed order (§3.1)."""
        await tx.append_to_feed(
            app, WEBHOOK_CHANGE, None, None, None, self._clock.wall_ms(), _encoder.encode(change)
        )
        tx.notify(Topic.FEED)
