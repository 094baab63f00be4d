"""What the demo plays on: a server on an empty store, an endpoint, users and webhooks."""

import contextlib
import datetime
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from chathooks.app.build import build
from chathooks.app.settings import Settings, load_settings
from chathooks.demo.certificates import make_certificates
from chathooks.demo.client import Api
from chathooks.demo.endpoint import HOST, DemoEndpoint, Inbox
from chathooks.demo.plan import WEBHOOKS
from chathooks.demo.story import CAST
from chathooks.kernel.clock import Clock
from chathooks.kernel.errors import StartRefused

PORT_DEFAULT = 8080
PASSWORD_BYTES = 18
TRIGGERS_PER_PAGE = 1000
USERNAME = "chathooks"

_MS_PER_S = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line asks for."""

    port: int | None = None
    """None: 8080, or a free one where that is taken; 0: a free one."""
    data_dir: Path | None = None
    """None: a temporary folder."""
    once: bool = False
    fast: bool = False
    """Play without pauses."""
    retry_schedule: str = "10,30"
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server and endpoint, with users and webhooks."""

    url: str
    api_key: str
    api: Api
    endpoint: DemoEndpoint
    clock: Clock
    retry_schedule_s: tuple[float, ...]


def _free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _new_data_dir(data_dir: Path) -> Path:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(data_dir.iterdir())
    except OSError as error:
        raise StartRefused(
            "ERR_DEMO_DATA_DIR", f"{data_dir} cannot be used: {error.strerror}."
        ) from None
    if taken:
        raise StartRefused(
            "ERR_DEMO_DATA_DIR",
            f"{data_dir} is not empty, and the demo starts from nothing. Name a new folder, or look at what is in "
            f"this one with: chathooks serve --data-dir {data_dir}",
        )
    return data_dir


def _settings(
    options: DemoOptions, folder: Path, ca_file: Path, say: Callable[[str], None]
) -> Settings:
    port = options.port
    if port is None:
        port = PORT_DEFAULT if _free(PORT_DEFAULT) else 0
        if not port:
            say(f"Port {PORT_DEFAULT} is taken, so the demo takes a free one.")
    data_dir = folder / "data" if options.data_dir is None else _new_data_dir(options.data_dir)
    flags = {
        "host": HOST,
        "port": str(port),
        "data_dir": str(data_dir),
        "allow_target_networks": "127.0.0.0/8",
        "target_ca_file": str(ca_file),
        "retry_schedule": options.retry_schedule,
        "log_level": "error",
    }
    # The demo is the same everywhere: no variable and no settings file has a part in it.
    return load_settings(flags, {}, Path(os.devnull))


async def set_stage(
    stack: AsyncExitStack, options: DemoOptions, say: Callable[[str], None]
) -> Stage:
    """Start everything; `stack` stops it and removes what is temporary. `say` tells the viewer where it runs.

    Raises:
        StartRefused: the server or the endpoint cannot start as asked.
        ChathooksError: a call to the server was refused or not answered.
    """
    temporary = tempfile.TemporaryDirectory(prefix="chathooks-demo-", ignore_cleanup_errors=True)
    folder = Path(stack.enter_context(temporary))
    certificates = make_certificates(folder, datetime.datetime.now(datetime.UTC))
    settings = _settings(options, folder, certificates.ca_file, say)
    endpoint = await DemoEndpoint.start(certificates)
    stack.push_async_callback(endpoint.stop)
    runtime = await build(settings)
    stack.push_async_callback(runtime.stop)
    await runtime.start()
    if runtime.credentials is None:
        raise StartRefused("ERR_DEMO_DATA_DIR", "The data directory holds an app already.")
    url = f"http://{HOST}:{runtime.port}"
    api = Api(url, runtime.credentials.api_key)
    stack.callback(api.close)
    say(f"Server {url}, endpoint {endpoint.url('')}")
    stage = Stage(
        url, runtime.credentials.api_key, api, endpoint, runtime.clock, settings.retry_schedule
    )
    await _register(stage)
    return stage


async def _register(stage: Stage) -> None:
    api, endpoint = stage.api, stage.endpoint
    for uid, name in CAST.items():
        await api.call("POST", "/users", {"uid": uid, "name": name})
    known = await api.call("GET", f"/triggers?perPage={TRIGGERS_PER_PAGE}")
    every = [trigger["name"] for trigger in known]
    for webhook in WEBHOOKS:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        made = await api.call(
            "POST",
            "/webhooks",
            {
                "id": webhook.id,
                "name": webhook.name,
                "webhookURL": endpoint.url(webhook.id),
                "useBasicAuth": True,
                "username": USERNAME,
                "password": password,
                "retryOnFailure": True,
                "ordered": webhook.ordered,
                "triggers": every if webhook.triggers is None else webhook.triggers,
            },
        )
        inbox = Inbox(
            webhook.id,
            credentials=(USERNAME, password),
            secret=made["secret"],
            now_s=lambda: stage.clock.wall_ms() / _MS_PER_S,
            stumble=webhook.stumble,
        )
        endpoint.open(webhook.id, inbox)
