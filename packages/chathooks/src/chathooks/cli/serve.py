"""`chathooks serve`: everything in one process, or a role of it in one of several."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.console import Console

from chathooks.app.cluster import node_name_of
from chathooks.app.logs import configure_logs
from chathooks.app.secrets import CREDENTIALS_FILE
from chathooks.app.settings import Settings, load_settings

if TYPE_CHECKING:
    from chathooks.app.runtime import Runtime

_Flag = Annotated[str | None, typer.Option()]


def _url(settings: Settings, port: int) -> str:
    scheme = "https" if settings.tls_cert_file else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{port}"


def greet(runtime: "Runtime") -> None:
    """Tell a person at a terminal where the server is; keys that this start made are shown there only."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    url = _url(runtime.settings, runtime.port)
    if runtime.settings.role == "delivery":
        console.print(f"Chathooks delivers; health and metrics at [bold]{url}[/bold]")
    else:
        console.print(f"Chathooks serves [bold]{url}[/bold]  (docs at {url}/docs, Ctrl-C stops)")
    made = runtime.credentials
    if made is None:
        return
    path = runtime.settings.data_dir / CREDENTIALS_FILE
    if not sys.stderr.isatty():
        console.print(f"The first app was made; its keys are in {path}.")
        return
    console.print(f"The first app was made. Its keys are in {path} and shown this once:")
    for name, value in (
        ("app id", made.app_id),
        ("api key", made.api_key),
        ("auth key", made.auth_key),
        ("management key", made.management_key),
        ("management secret", made.management_secret),
    ):
        console.print(f"  {name:<18} {value}", markup=False)


log = structlog.get_logger("server")


def _settle(runtime: "Runtime") -> None:
    """What a process does that is a server and nothing else, once it serves."""
    from chathooks.app.collector import tune_collector

    greet(runtime)
    tune_collector()


async def run(settings: Settings, started: Callable[["Runtime"], None] = greet) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: of the server.
        started: called once it serves.

    Raises:
        Exception: the delivery engine ended by a fault; the process ends, so that a new start recovers.
    """
    # Imported here, so that commands that call a server do not load one.
    from chathooks.app.build import build

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runtime = await build(settings)
    try:
        await runtime.start()
        started(runtime)
        stopped, failed = asyncio.create_task(stop.wait()), asyncio.create_task(runtime.failed())
        await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            log.critical("the delivery engine ended; so does the server")
            failed.result()
        failed.cancel()
    finally:
        await runtime.stop()


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[str | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the store and keys.")] = None,
    role: Annotated[
        str | None, typer.Option(help="all, api or delivery; other than all with NATS only.")
    ] = None,
    node_name: Annotated[
        str | None, typer.Option(help="Name of this process among those of a cluster.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    allow_target_networks: Annotated[
        str | None, typer.Option(help="Private networks that webhooks may reach.")
    ] = None,
    allow_http_targets: Annotated[
        str | None, typer.Option(help="true: webhooks may use http.")
    ] = None,
    target_ca_file: Annotated[
        str | None, typer.Option(help="Further CA certificates for endpoints.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; chathooks.toml here by default.")
    ] = None,
) -> None:
    """Start the server: REST API, outbox and delivery engine, on SQLite or on the PostgreSQL that
    CHATHOOKS_DATABASE_URL names.

    With CHATHOOKS_NATS_URL too, any number of processes on any machines share that database, each with the role that
    it is given.

    Every setting is also a CHATHOOKS_* variable and a line of chathooks.toml.

    Examples:

      chathooks serve

      chathooks serve --port 9000 --data-dir /var/lib/chathooks

      CHATHOOKS_ALLOW_HTTP_TARGETS=true chathooks serve --allow-target-networks 127.0.0.0/8

      CHATHOOKS_DATABASE_URL=postgresql://… CHATHOOKS_NATS_URL=nats://… chathooks serve --role delivery
    """
    flags = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "role": role,
        "node_name": node_name,
        "log_level": log_level,
        "allow_target_networks": allow_target_networks,
        "allow_http_targets": allow_http_targets,
        "target_ca_file": target_ca_file,
    }
    import uvloop

    settings = load_settings(flags, os.environ, config)
    configure_logs(settings.log_level, node=node_name_of(settings) if settings.in_cluster else None)
    uvloop.run(run(settings, _settle))
