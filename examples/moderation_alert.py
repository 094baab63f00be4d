"""Tell moderators at once what the moderation engine blocked, or could not judge."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import serving

from chathooks_events.envelope import ReceivedEvent
from chathooks_receiver.actions.notify import Notifier
from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Context, Workflows
from chathooks_receiver.workflows.app import workflow_app

Send = Callable[[str, str], Awaitable[None]]


def build(folder: Path, send: Send, **access: Any) -> ReceiverApp:
    """The app; `send(title, text)` reaches the moderators."""
    workflows = Workflows()

    @workflows.on("moderation_engine_blocked")
    async def blocked(event: ReceivedEvent, context: Context) -> None:
        message = event.data.message  # type: ignore[union-attr]  # the trigger's payload has it
        rule = message.data.moderation.rule if message.data.moderation else None
        because = f" by the rule {rule.id}" if rule else ""
        text = (
            f"Message {message.id} of {message.sender} to {message.receiver} was blocked{because}."
        )
        await send("A message was blocked", text)

    @workflows.on("moderation_engine_failed")
    async def not_judged(event: ReceivedEvent, context: Context) -> None:
        data: Any = event.data
        reasons = ", ".join(failure.error_message for failure in data.failures)
        text = f"Message {data.resource.id} could not be judged and was {data.outcome}: {reasons}"
        await send("A message could not be judged", text)

    inbox = SqliteInbox(folder / "inbox.sqlite3")
    return workflow_app(workflows, inbox, **access)


if __name__ == "__main__":
    notifier = Notifier([os.environ["ALERT_URL"]])  # slack://…, twilio://…, mailto://…
    serving.serve(
        build(
            Path(),
            notifier.send,
            credentials=serving.credentials(),
            secrets=serving.secrets(),
        )
    )
