"""An endpoint and its workflows in one ASGI application: events go into an inbox, a worker takes them out."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.receiver import AsyncReceiver
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows.registry import Workflows
from chathooks_receiver.workflows.worker import RetryPolicy, Worker


def workflow_app(
    workflows: Workflows,
    inbox: SqliteInbox,
    *,
    credentials: Sequence[tuple[str, str]] = (),
    secrets: Sequence[str] = (),
    contexts: Sequence[AbstractAsyncContextManager[object]] = (),
    policy: RetryPolicy | None = None,
    now_s: Callable[[], float] = time.time,
) -> ReceiverApp:
    """The application. The inbox itself knows what it has, so duplicates are found across restarts too.

    `contexts` are what handlers need open; they are entered before the worker starts. Raises `InvalidSecret`.
    """
    receiver = AsyncReceiver(
        sink=inbox,
        dedupe=MemoryDedupe(),
        credentials=credentials,
        secrets=secrets,
        now_s=now_s,
    )
    worker = Worker(inbox, workflows, policy=policy, now_s=now_s)
    inbox.on_work = worker.wake
    return ReceiverApp(receiver, [*contexts, worker])
