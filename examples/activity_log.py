"""Keep one JSON line per event: who did what, when, where; without the text of messages."""

from pathlib import Path
from typing import Any

import serving

from chathooks_receiver.actions.activity import ActivityLog
from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Workflows
from chathooks_receiver.workflows.app import workflow_app


def build(folder: Path, **access: Any) -> ReceiverApp:
    """The app; the log is `activity.jsonl` in `folder`."""
    workflows = Workflows()
    workflows.on("*", name="activity")(ActivityLog(folder / "activity.jsonl"))
    return workflow_app(workflows, SqliteInbox(folder / "inbox.sqlite3"), **access)


if __name__ == "__main__":
    access = {"credentials": serving.credentials(), "secrets": serving.secrets()}
    serving.serve(build(Path(), **access))
