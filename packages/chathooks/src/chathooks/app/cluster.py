"""A process among several that share a PostgreSQL store, with NATS to carry news between them."""

import os
import re
import socket

from chathooks.app.settings import NODE_NAME_CHARS_MAX, Settings

_UNFIT = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)


def node_name_of(settings: Settings) -> str:
    """The name of this process in seats, logs and doctor: the given one, else host name and process id."""
    if settings.node_name is not None:
        return settings.node_name
    process = f"-{os.getpid()}"
    host = _UNFIT.sub("-", socket.gethostname()) or "host"
    return host[: NODE_NAME_CHARS_MAX - len(process)] + process


def connections_needed(settings: Settings) -> int:
    """Connections to PostgreSQL that this process takes at most."""
    # One session writes commands; where a node delivers, another records that.
    writing = 2 if settings.in_cluster and settings.role != "api" else 1
    return settings.database_connections + writing
