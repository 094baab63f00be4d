"""Keep a table of users, groups and messages, and tell a CRM about each message that a customer sends.

The CRM is called with an idempotency key, since a call that failed half-way is made again.
"""

import os
from pathlib import Path
from typing import Any

import serving

from chathooks_events.envelope import ReceivedEvent
from chathooks_events.payloads import MessageSent
from chathooks_receiver.actions.http import HttpCall
from chathooks_receiver.actions.read_model import ReadModel
from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Context, RetryPolicy, Workflows
from chathooks_receiver.workflows.app import workflow_app


def build(
    folder: Path, crm: HttpCall, policy: RetryPolicy | None = None, **access: Any
) -> ReceiverApp:
    """The app; `crm` is the call that adds an activity to a contact."""
    model = ReadModel(folder / "chat.sqlite3")
    workflows = Workflows()
    workflows.on("*", name="read model")(model)

    @workflows.on("message_sent")
    async def tell_the_crm(event: ReceivedEvent, context: Context) -> None:
        assert isinstance(event.data, MessageSent)
        message = event.data.message
        activity = {
            "contact": message.sender,
            "kind": "chat message",
            "reference": message.id,
            "at": message.sent_at,
        }
        await crm.send(activity, idempotency_key=context.key)

    inbox = SqliteInbox(folder / "inbox.sqlite3")
    return workflow_app(workflows, inbox, contexts=[model], policy=policy, **access)


if __name__ == "__main__":
    token = os.environ["CRM_TOKEN"]
    call = HttpCall(os.environ["CRM_URL"], headers={"Authorization": f"Bearer {token}"})
    access = {"credentials": serving.credentials(), "secrets": serving.secrets()}
    serving.serve(build(Path(), call, **access))
