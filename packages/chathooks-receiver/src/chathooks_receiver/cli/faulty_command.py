"""`chathooks-receiver faulty`: an endpoint that fails in any named way."""

import asyncio
import datetime
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.terminal import out, print_json, print_json_line, printable, remark
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.faults.certificates import server_context
from chathooks_receiver.tools.faults.endpoint import Arrived, FaultyEndpoint
from chathooks_receiver.tools.faults.modes import MODES, Certificate, Mode, parse_modes
from chathooks_receiver.tools.pacing import run_until_stopped


def _list_modes(as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"name": mode.name, "description": mode.description, "failure": mode.failure}
                for mode in MODES.values()
            ]
        )
        return
    console = out()
    for mode in MODES.values():
        console.print(f"{mode.name:<24} {mode.description}", markup=False)
    console.print(f"{'status-NNN':<24} answers NNN, from 200 to 599", markup=False)


def _line(arrived: Arrived) -> None:
    out().print(
        f"#{arrived.connection} {printable(arrived.method)} {printable(arrived.path)} "
        f"{printable(arrived.trigger or 'no event')} attempt {printable(arrived.attempt or '-')} → {arrived.mode}",
        markup=False,
    )


def _context(
    modes: list[Mode], *, tls: bool, host: str, folder: Path, ca_out: Path | None
) -> ssl.SSLContext | None:
    kind: Certificate | None = next((m.certificate for m in modes if m.certificate), None)
    if kind is None and not tls:
        return None
    now = datetime.datetime.now(datetime.UTC)
    context = server_context(kind or "good", folder, host=host, now=now)
    if ca_out is not None:
        try:
            shutil.copyfile(folder / "ca.pem", ca_out)
        except OSError as error:
            raise ToolFailed(
                "ERR_CA_FILE",
                f"{ca_out} cannot be written: {error.strerror or error}.",
                advice="--ca-out takes a path in a folder that exists.",
            ) from None
    return context


async def _serve(
    endpoint: FaultyEndpoint,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    stop: asyncio.Event,
) -> None:
    await endpoint.start(host, port, tls)
    shown = f"[{host}]" if ":" in host else host
    remark(f"Listening on {'https' if tls else 'http'}://{shown}:{endpoint.port}; Ctrl-C ends.")
    try:
        await stop.wait()
    finally:
        await endpoint.stop()


def faulty(
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            help="Ways to fail, comma-separated, taken in turn; `NAME*COUNT` repeats one.",
            metavar="MODE[,MODE]",
        ),
    ] = "status-500",
    at_random: Annotated[
        bool, typer.Option("--random", help="Take the modes at random instead of in turn.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of --random.", min=0)] = 0,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", help="Port to listen on; 0 takes a free one.", min=0, max=65_535),
    ] = 9000,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve https with a certificate made on the fly.")
    ] = False,
    ca_out: Annotated[
        Path | None,
        typer.Option(
            "--ca-out", help="Write the authority of that certificate here (PEM).", metavar="FILE"
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the modes.")] = False,
    as_json: o.Json = False,
) -> None:
    """Be an endpoint that fails, to try a sender: statuses, silence, resets, drips, wrong lengths, bad certificates.

    Prints each request that arrives and what was done with it, until Ctrl-C.

    Examples:

      chathooks-receiver faulty --port 9000 --mode status-500
      chathooks-receiver faulty --mode status-503,hang,ok
      chathooks-receiver faulty --mode "ok*8,hang,reset" --random --seed 7
      chathooks-receiver faulty --mode expired-certificate --ca-out ca.pem
    """
    if list_:
        _list_modes(as_json)
        return
    modes = parse_modes(mode)
    endpoint = FaultyEndpoint(
        modes, at_random=at_random, seed=seed, tell=print_json_line if as_json else _line
    )
    with tempfile.TemporaryDirectory(prefix="chathooks-faulty-") as folder:
        context = _context(modes, tls=tls, host=host, folder=Path(folder), ca_out=ca_out)
        run_until_stopped(lambda stop: _serve(endpoint, host, port, context, stop))
