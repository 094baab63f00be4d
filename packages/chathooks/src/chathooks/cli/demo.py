"""`chathooks demo`: see it work, with nothing set up before."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
import uvloop
from rich.console import Console

from chathooks.app.logs import configure_logs
from chathooks.cli.failures import EXIT_FAILED

if TYPE_CHECKING:
    from chathooks.demo.run import Demo
    from chathooks.demo.stage import DemoOptions


def _writable(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.open("ab").close()
        except OSError as error:
            raise typer.BadParameter(f"{path} cannot be written: {error.strerror}.") from None
    return path


async def run(demo: "Demo") -> None:
    """Perform until the end, SIGINT, SIGTERM or SIGHUP; the first signal starts the cleaning up, further ones change nothing."""
    loop = asyncio.get_running_loop()
    performance = asyncio.create_task(demo.perform())
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            performance.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        await performance
    except asyncio.CancelledError:
        if not stopping:
            raise


def _perform(options: "DemoOptions", *, json: bool) -> bool:
    """Show the demo; answers whether all is in order, which an interrupted `--once` is not."""
    from chathooks.demo.run import Demo
    from chathooks.demo.screen import LiveScreen, PlainScreen

    configure_logs("error")
    console = Console(stderr=json)
    plain = PlainScreen(console)
    performed = Demo(options, LiveScreen(console) if console.is_terminal else plain, plain)
    uvloop.run(run(performed))
    summary = performed.summary
    kept = options.data_dir
    left = "everything was cleaned up" if kept is None else f"the store is kept in {kept}"
    if summary is None:
        plain.say(f"\nStopped before every delivery had ended; {left}.")
    elif kept is not None or not options.once:
        plain.say(f"\nStopped; {left}.")
    if json and summary is not None:
        sys.stdout.write(
            msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n"
        )
    return not options.once or (summary is not None and summary.ok)


def demo(
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the server; 8080, or a free one where that is taken.",
            min=0,
            max=65_535,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="New folder to keep the store in; a temporary one is removed."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit code 0 only if every event arrived.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON summary on stdout, the rest on stderr.")
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Play without pauses.")] = False,
    retry_schedule: Annotated[
        str, typer.Option(help="Seconds before the second and the third attempt.")
    ] = "10,30",
    picture: Annotated[
        Path | None,
        typer.Option(help="Write the last table to this file as SVG.", callback=_writable),
    ] = None,
) -> None:
    """Start a server and an HTTPS endpoint, play a conversation, and watch its events being delivered.

    Nothing has to be set up: certificates, keys and the store are made for this run and removed at the end.
    One endpoint fails twice on purpose, so that the retries after 10 and 30 seconds are seen.

    Examples:

      chathooks demo

      chathooks demo --once --json

      chathooks demo --port 9000 --data-dir ./demo-data
    """
    # Imported here, so that `chathooks serve` does not carry it.
    from chathooks.demo.stage import DemoOptions

    options = DemoOptions(
        port=port,
        data_dir=data_dir,
        once=once,
        fast=fast,
        retry_schedule=retry_schedule,
        picture=picture,
    )
    if not _perform(options, json=json):
        raise typer.Exit(EXIT_FAILED)
