"""A measured server, told what to do by lines on its standard input.

Side "post" is the whole server as `chathooks serve` puts it together, on the data directory `<folder>`; where the
spec names a CA file it may call endpoints on this machine. Side "trivial" is one Starlette route that reads a JSON body and answers a small JSON object, on the same
HTTP server.

    {"port": …}      once it listens
    begin            the window begins; answered with {}
    end              the window ends; answered with what was counted (`done` is the load's to know)
"""

import asyncio
import base64
import ipaddress
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.backlog import KEY
from benchmarks.calling import API_KEY
from benchmarks.side import Counted, Spec, Window
from chathooks.api.server import ApiServer, Listen
from chathooks.app.build import build
from chathooks.app.settings import Settings
from chathooks.kernel.telemetry import REGISTRY

WEBHOOKS_PER_APP = 1_000
SECRET_KEY = base64.b64encode(KEY).decode()

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


async def _trivial(request: Request) -> Response:
    body = _decode(await request.body())
    answer = _encode({"data": {"id": "1", "type": body["type"]}})
    return Response(answer, media_type="application/json")


@asynccontextmanager
async def _trivial_server() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/trivial", _trivial, methods=["POST"])])
    server = await ApiServer.start(app, Listen(port=0))
    try:
        yield server.port
    finally:
        await server.stop()


def settings_of(spec: Spec) -> Settings:
    """Settings of the whole server on the spec's folder, on a free port."""
    return Settings(
        port=0,
        data_dir=Path(spec.folder),
        app_id="benchmark",
        api_key=API_KEY,
        allow_target_networks=(ipaddress.ip_network("127.0.0.0/8"),) if spec.ca_file else (),
        target_ca_file=Path(spec.ca_file) if spec.ca_file else None,
        webhooks_per_app=WEBHOOKS_PER_APP,
        database_url=spec.database or None,
        secret_key=SECRET_KEY if spec.database else None,
    )


@asynccontextmanager
async def _whole_server(spec: Spec) -> AsyncIterator[int]:
    runtime = await build(settings_of(spec))
    try:
        await runtime.start()
        yield runtime.port
    finally:
        await runtime.stop()


def _sample(name: str) -> float:
    return REGISTRY.get_sample_value(f"chathooks_store_{name}") or 0.0


async def run(spec: Spec) -> Counted:
    """Serve until the window has ended."""
    serving = _trivial_server() if spec.side == "trivial" else _whole_server(spec)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    window = Window(spec, lambda: 0)
    async with serving as port:
        print(_encode({"port": port}).decode(), flush=True)
        await reader.readline()
        commits, commands = _sample("commit_seconds_count"), _sample("batch_commands_sum")
        window.begin()
        print("{}", flush=True)
        await reader.readline()
        counted = window.end()
        commits = _sample("commit_seconds_count") - commits
        commands = _sample("batch_commands_sum") - commands
    notes = {"commands_per_commit": round(commands / commits, 1)} if commits else {}
    return msgspec.structs.replace(counted, notes={**counted.notes, **notes})
