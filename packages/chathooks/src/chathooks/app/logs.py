"""Structured logs: JSON lines on stderr, coloured lines on a terminal. No secret and no message text is logged."""

import datetime
import logging
import sys
from typing import Any

import msgspec
import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SHOWN_LEVELS = {"exception": "error", "warn": "warning"}
"""Levels of structlog's methods that are not named for theirs."""
_OFFSET_CHARS = len("+00:00")


_encode = msgspec.json.Encoder(enc_hook=repr).encode


def json_line(logger: Any, method: str, event: structlog.types.EventDict) -> str:
    """One log line: the event's fields, `level`, `timestamp` (ISO 8601, UTC), and `exception` where there is one.

    One step instead of structlog's four: a line is made for every request.
    """
    event["level"] = _SHOWN_LEVELS.get(method, method)
    now = datetime.datetime.now(datetime.UTC)
    event["timestamp"] = now.isoformat(timespec="microseconds")[:-_OFFSET_CHARS] + "Z"
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _encode(event).decode()


def _naming(node: str) -> structlog.types.Processor:
    def name(
        _logger: Any, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event["node"] = node
        return event

    return name


def configure_logs(level: str, node: str | None = None) -> None:
    """Log to stderr.

    Args:
        level: debug, info, warning or error; what is less is left out.
        node: name of this process in a cluster, which every line then has.
    """
    terminal = sys.stderr.isatty()
    named = [] if node is None else [_naming(node)]
    for_people: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.ConsoleRenderer(),
    ]
    structlog.configure(
        processors=[*named, *(for_people if terminal else [json_line])],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), stream=sys.stderr)
