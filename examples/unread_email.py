"""Write an e-mail when a message was not read for ten minutes.

A message sets a timer in the inbox; a read receipt records how far its reader has come. When the timer fires and the reader is
not that far, an e-mail goes out. Timers are on disk: a restart in between delays nothing and forgets nothing.
"""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import serving

from chathooks_events.envelope import ReceivedEvent
from chathooks_events.payloads import MessageReadReceipt, MessageSent
from chathooks_receiver.actions.notify import Notifier
from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.database import Database, named_statements
from chathooks_receiver.ordering import stream_of
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Context, Workflows
from chathooks_receiver.workflows.app import workflow_app

UNREAD_S = 600.0
"""Ten minutes."""

Send = Callable[[str, str], Awaitable[None]]

_SQL = named_statements(Path(__file__).with_suffix(".sql"))


class Reads:
    """How far each reader has read each conversation."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SQL["schema"])

    async def __aenter__(self) -> "Reads":
        await self._database.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._database.close()

    async def record(self, reader: str, conversation: str, message_id: int) -> None:
        await self._database.write(_SQL["read"], (reader, conversation, message_id))

    def covers(self, reader: str, conversation: str, message_id: int) -> bool:
        rows = self._database.read(_SQL["up_to"], (reader, conversation))
        return bool(rows) and rows[0][0] >= message_id


def build(
    folder: Path, send: Send, now_s: Callable[[], float] = time.time, **access: Any
) -> tuple[ReceiverApp, SqliteInbox, Workflows]:
    """The app; `send(title, text)` writes the e-mail, `now_s` tells the unix time in seconds."""
    reads = Reads(folder / "reads.sqlite3")
    workflows = Workflows()

    @workflows.on("message_sent")
    async def wait_for_the_reader(event: ReceivedEvent, context: Context) -> None:
        assert isinstance(event.data, MessageSent)
        message = event.data.message
        if message.receiver_type != "user":
            return
        payload = {
            "id": int(message.id),
            "conversation": stream_of(event),
            "reader": message.receiver,
            "sender": message.sender,
        }
        await context.schedule(f"unread/{message.id}", "remind", payload, delay_s=UNREAD_S)

    @workflows.on("message_read_receipt")
    async def note_how_far(event: ReceivedEvent, context: Context) -> None:
        assert isinstance(event.data, MessageReadReceipt)
        receipt = event.data
        await reads.record(receipt.sender, stream_of(event), int(receipt.body.message_id))
        await context.cancel(f"unread/{receipt.body.message_id}")

    @workflows.timer("remind")
    async def remind(payload: dict[str, Any], context: Context) -> None:
        if reads.covers(payload["reader"], payload["conversation"], payload["id"]):
            return
        text = f"{payload['reader']}, there is an unread message from {payload['sender']} for you."
        await send("You have an unread message", text)

    inbox = SqliteInbox(folder / "inbox.sqlite3", now_s=now_s)
    app = workflow_app(workflows, inbox, contexts=[reads], now_s=now_s, **access)
    return app, inbox, workflows


if __name__ == "__main__":
    notifier = Notifier([os.environ["MAIL_URL"]])  # mailto://user:password@smtp.example.com
    made, _, _ = build(
        Path(),
        notifier.send,
        credentials=serving.credentials(),
        secrets=serving.secrets(),
    )
    serving.serve(made)
