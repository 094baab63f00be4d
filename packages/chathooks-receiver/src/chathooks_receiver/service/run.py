"""Run the service until it is told to stop: what `chathooks-receiver serve` calls.

SIGTERM and Ctrl-C stop it in order: no new connections, requests under way are answered (within five seconds), the sink is
flushed and closed.
"""

import gc
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from chathooks_receiver.service.app import Service, StartFailed
from chathooks_receiver.service.settings import Settings, load_settings

SHUTDOWN_S = 5
KEEP_ALIVE_S = 75
BACKLOG = 2048
COLLECT_AFTER_ALLOCATIONS = 20_000
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(path: Path) -> None:
    """Serve what the file `path` says. Returns after an orderly stop.

    Raises `SettingsError` for a file that cannot be used, `InvalidSecret`, and `StartFailed`.
    """
    serve_settings(load_settings(path))


def serve_settings(settings: Settings) -> None:
    """Serve `settings`; see `serve`."""
    configure_logging(settings.log.level)
    service = Service(settings)
    calm_collector()
    endpoint = settings.endpoint
    server = _Server(
        uvicorn.Config(
            service,
            host=endpoint.host,
            port=endpoint.port,
            ssl_certfile=endpoint.tls_cert_file,
            ssl_keyfile=endpoint.tls_key_file,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
    # uvicorn raises a signal that stopped it once more, for those who wait for it; here it has done its work.
    before = {number: signal.signal(number, _ignore) for number in STOP_SIGNALS}
    try:
        server.run()
    except SystemExit:
        # uvicorn ends the process itself where the port is taken or the lifespan fails.
        raise service.error or _port_taken(endpoint.host, endpoint.port) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not server.started:
        raise service.error or _port_taken(endpoint.host, endpoint.port)


def calm_collector() -> None:
    """Let the cycle collector look less often: requests leave no cycles, and what was loaded by now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_ALLOCATIONS, 20, 20)


def _ignore(number: int, frame: FrameType | None) -> None:
    """What is done on a signal that was obeyed already."""


def _port_taken(host: str, port: int) -> StartFailed:
    return StartFailed(f"The service cannot listen on {host} port {port}; see the line above.")


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # sockets pass through
        await super().startup(sockets=sockets)  # type: ignore[arg-type]  # likewise
        if self.started:
            for server in self.servers:
                for listening in server.sockets:
                    host, port = listening.getsockname()[:2]
                    structlog.get_logger("chathooks_receiver").info("serving", host=host, port=port)


def configure_logging(level: str) -> None:
    """One JSON object a line on standard error, for this package and the libraries below it."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
