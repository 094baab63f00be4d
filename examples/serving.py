"""What the example apps share: credentials from the environment, and a server."""

import os
from typing import Any

import uvicorn

PORT = 9000


def credentials() -> list[tuple[str, str]]:
    """The Basic credentials to accept; none if they are not set."""
    password = os.environ.get("WEBHOOK_PASSWORD")
    return [(os.environ.get("WEBHOOK_USERNAME", "chathooks"), password)] if password else []


def secrets() -> list[str]:
    """The signing secrets to accept; none if there is none."""
    return os.environ.get("WEBHOOK_SECRET", "").split()


def serve(app: Any) -> None:
    """Serve until Ctrl-C."""
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="info")
