"""The measured server of the third figure, told what to do by lines on its standard input.

Side "post" is the whole server as `chathooks serve` puts it together, with two users to talk to each other and no
webhook. Side "trivial" is one Starlette route that reads a JSON body and answers a small JSON object, on the same
HTTP server.

    {"port": …}      once it listens
    begin            the window begins; answered with {}
    end              the window ends; answered with what was counted (`done` is the load's to know)
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load import API_KEY, PEOPLE
from benchmarks.side import Counted, Spec, Window
from chathooks.api.server import ApiServer, Listen
from chathooks.app.build import Runtime, build
from chathooks.app.settings import Settings
from chathooks.chat.requests import NewUser
from chathooks.chat.users import Users
from chathooks.kernel.ids import system_random
from chathooks.kernel.telemetry import REGISTRY

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


async def _people(runtime: Runtime) -> None:
    async with asyncio.timeout(10):
        users = Users(runtime.store, runtime.clock, system_random)
        for uid in PEOPLE:
            await users.create(1, NewUser(uid=uid, name=uid.capitalize()))


@asynccontextmanager
async def _whole_server(folder: Path) -> AsyncIterator[int]:
    runtime = await build(Settings(port=0, data_dir=folder, app_id="benchmark", api_key=API_KEY))
    try:
        await runtime.start()
        await _people(runtime)
        yield runtime.port
    finally:
        await runtime.stop()


def _sample(name: str) -> float:
    return REGISTRY.get_sample_value(f"chathooks_store_{name}") or 0.0


async def run(spec: Spec) -> Counted:
    """Serve until the window has ended."""
    serving = _trivial_server() if spec.side == "trivial" else _whole_server(Path(spec.folder))
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
    return msgspec.structs.replace(counted, notes=notes)
