"""Structured logs: JSON lines on stderr, coloured lines on a terminal. No secret and no message text is logged."""

import logging
import sys
from typing import Any

import msgspec
import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _json_line(event: dict[str, Any], **_: object) -> str:
    # The standard library's encoder takes several times as long, once for every request.
    return msgspec.json.encode(event, enc_hook=repr).decode()


def configure_logs(level: str) -> None:
    """Log to stderr from `level` (debug, info, warning or error) on."""
    terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer()
        if terminal
        else structlog.processors.JSONRenderer(serializer=_json_line)
    )
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not terminal:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), stream=sys.stderr)
