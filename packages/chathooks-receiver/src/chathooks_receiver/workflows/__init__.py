"""Handlers of events that run from a queue, not in the request.

    workflows = Workflows()

    @workflows.on("message_sent")
    async def remind(event: ReceivedEvent, context: Context) -> None:
        await context.schedule(f"unread/{event.data.message.id}", "remind", {...}, delay_s=600)

    @workflows.timer("remind")
    def send_reminder(payload: Any, context: Context) -> None: ...

A handler that raises is tried again with back-off, and after the last attempt its job is set aside with the error. Handlers
of one event count separately: one that is through is not run again because another one failed. Events of one stream
(a conversation, a group, a session) are handled strictly in order; different streams side by side. Every handler may run
twice for the same event, after a crash for example: make it idempotent, with `context.key`.
"""

from chathooks_receiver.workflows.registry import Context, GiveUp, Workflows
from chathooks_receiver.workflows.worker import RetryPolicy, Worker

__all__ = ["Context", "GiveUp", "RetryPolicy", "Worker", "Workflows"]
