"""`chathooks-receiver listen`: events of a server, forwarded to an endpoint on this machine."""

import asyncio
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.connecting import server_connection
from chathooks_receiver.cli.terminal import err, out, print_json_line, printable, remark
from chathooks_receiver.cli.times import parse_time
from chathooks_receiver.tools.connection import ANSWER_TIMEOUT_S
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.identity import identity
from chathooks_receiver.tools.pacing import run_until_stopped
from chathooks_receiver.tools.relay.feed import place_at, read_page
from chathooks_receiver.tools.relay.relay import Fate, Pace, Relay, Watch
from chathooks_receiver.tools.relay.spool import CURSOR, SERVER, Spool, Waiting
from chathooks_receiver.tools.rest import Rest
from chathooks_receiver.tools.sender import Result, Sender
from chathooks_receiver.tools.target import parse_target

APP_ID_DEFAULT = "demo"
STATE_DIR_DEFAULT = "~/.local/state/chathooks-receiver"
_COLOURS: dict[Fate, str] = {
    "forwarded": "green",
    "retrying": "yellow",
    "failed": "red",
    "waiting": "yellow",
}
Since: TypeAlias = int | None
"""Unix milliseconds; None for now."""


class Forwarded(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `--json` prints of each attempt."""

    event_id: str
    trigger: str
    attempt: int
    fate: Fate
    status: int | None
    failure: str | None
    duration_ms: float


def parse_since(text: str, now_s: float) -> Since:
    """`now`, `all`, or a time as `parse_time` takes it. Raises ToolFailed: ERR_SINCE."""
    if text == "now":
        return None
    return 0 if text == "all" else parse_time(text, now_s)


def _triggers(names: Sequence[str]) -> list[str]:
    found = [part.strip() for name in names for part in name.split(",") if part.strip()]
    unknown = [name for name in found if name not in TRIGGERS]
    if unknown:
        raise ToolFailed(
            "ERR_TRIGGER_NOT_FOUND",
            f"There is no trigger called {', '.join(map(repr, unknown))}.",
            advice="`chathooks-receiver trigger --list` shows the names.",
        )
    return found


def _folder(state_dir: Path | None, server: str, to: str, triggers: Sequence[str]) -> Path:
    """The folder of the relay with these ends: each pair of ends goes on where it stopped."""
    if state_dir is not None:
        return state_dir
    ends = "\n".join((server.rstrip("/"), to, *sorted(triggers)))
    mark = hashlib.sha256(ends.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) / "chathooks-receiver" if home else Path(STATE_DIR_DEFAULT).expanduser()
    return base / f"listen-{mark}"


def _told(event: Waiting, result: Result, fate: Fate) -> None:
    said = str(result.status) if result.status is not None else result.explanation
    clock = time.strftime("%H:%M:%S")
    out().print(
        f"{clock}  {printable(event.trigger):<34} [{_COLOURS[fate]}]{printable(said)}[/] "
        f"{result.duration_s * 1000:.0f} ms  {fate if fate != 'forwarded' else ''}"
    )


def _told_json(event: Waiting, result: Result, fate: Fate) -> None:
    print_json_line(
        Forwarded(
            event_id=event.event_id,
            trigger=event.trigger,
            attempt=event.attempts + 1,
            fate=fate,
            status=result.status,
            failure=result.failure,
            duration_ms=round(result.duration_s * 1000, 3),
        )
    )


def _server(error: ToolFailed | None) -> None:
    if error is None:
        remark("The server is back.")
    else:
        remark(f"{error.message} Waiting for it; Ctrl-C ends.")


def _begin(spool: Spool, rest: Rest, since: str | None) -> None:
    """Decide where to begin: where the relay stopped, or where `--since` says."""
    known = spool.read(SERVER)
    if known is not None and known != rest.server:
        raise ToolFailed(
            "ERR_RELAY_IN_USE",
            f"This folder belongs to a relay of {known}.",
            advice="Give another --state-dir for this server.",
        )
    if since is not None or spool.read(CURSOR) is None:
        with err().status("Reading the feed up to where to begin …"):
            place = place_at(rest, parse_since(since or "now", time.time()))
        spool.write(CURSOR, place)
    spool.write(SERVER, rest.server)


async def _forward(relay: Relay, sender: Sender, stop: asyncio.Event) -> None:
    try:
        await relay.run(stop)
    finally:
        await sender.close()


To = Annotated[
    str, typer.Option("--to", help="Endpoint to forward to.", rich_help_panel=o.ENDPOINT)
]
SinceText = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Where to begin: now, all, 10m, 2h, 3d, unix seconds or an ISO time. Where it stopped, if not given; at first now.",
    ),
]
Triggers = Annotated[
    list[str] | None,
    typer.Option(
        "--triggers",
        help="Only these, comma-separated; may be repeated.",
        autocompletion=o.names(TRIGGERS),
    ),
]
Poll = Annotated[
    float,
    typer.Option("--poll", help="Seconds between two looks at the server.", min=0.05, max=3_600),
]
Retries = Annotated[
    str,
    typer.Option(
        "--retries",
        help="Seconds before each further attempt of an event that was answered, but not with 2xx.",
    ),
]
Again = Annotated[
    bool, typer.Option("--again", help="First forward again what failed in earlier runs.")
]
AppIdOrServers = Annotated[
    str | None,
    typer.Option(
        "--app-id",
        help="`appId` of the bodies; that of --server-app-id, if not given.",
        rich_help_panel=o.ENDPOINT,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        help=f"Folder that keeps the place and the events; below {STATE_DIR_DEFAULT}, if not given.",
        metavar="DIR",
    ),
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print each attempt as a line of JSON.")]


def listen(
    to: To,
    server: o.Server = "http://127.0.0.1:8080",
    api_key: o.ApiKey = None,
    server_app_id: o.ServerAppId = None,
    since: SinceText = None,
    triggers: Triggers = None,
    username: o.Username = None,
    password: o.Password = None,
    secret: o.Secret = None,
    app_id: AppIdOrServers = None,
    webhook_id: o.WebhookId = "listen",
    ca_file: o.CaFile = None,
    timeout: o.Timeout = ANSWER_TIMEOUT_S,
    poll: Poll = 1.0,
    retries: Retries = "10,30",
    again: Again = False,
    state_dir: StateDir = None,
    as_json: JsonLines = False,
) -> None:
    """Forward the events of a server to an endpoint on this machine, as real deliveries: enveloped, signed, authorised.

    Nothing is lost while the laptop sleeps, the endpoint is down or the server is away: the relay keeps its place and what it
    has read on disk, and goes on where it stopped. Runs until Ctrl-C.

    Examples:

      chathooks-receiver listen --server http://127.0.0.1:8080 --to http://localhost:3000/hook
      chathooks-receiver listen --to http://localhost:3000/hook --since 2h --triggers message_sent,message_edited
      chathooks-receiver listen --to http://localhost:3000/hook --again
    """
    names = _triggers(triggers or [])
    target = parse_target(to, ca_file)
    pace = Pace(poll_s=poll, retries_s=_schedule(retries))
    if server is None:
        raise ToolFailed("ERR_URL", "No server is named.", advice="Give --server.")
    if since is not None:
        parse_since(since, time.time())
    rest = server_connection(server, api_key, server_app_id, ca_file)
    spool = Spool.open(_folder(state_dir, server, to, names))
    try:
        who = identity(
            username=username,
            password=password,
            secret=secret or spool.secret(),
            app_id=app_id or server_app_id or APP_ID_DEFAULT,
            webhook_id=webhook_id,
        )
        _begin(spool, rest, since)
        if again:
            remark(f"{spool.again()} events that failed are forwarded again.")
        if secret is None:
            remark(f"Requests are signed with {who.secret}")
        waiting, failed = spool.counts()
        remark(f"Forwarding to {to}; {waiting} waiting, {failed} failed so far. Ctrl-C ends.")
        watch = Watch(_told_json if as_json else _told, _server)
        sender = Sender(target, timeout_s=timeout)
        relay = Relay(
            spool, lambda after: read_page(rest, after, names), sender, who, watch, pace=pace
        )
        run_until_stopped(lambda stop: _forward(relay, sender, stop))
        waiting, failed = spool.counts()
        remark(f"Stopped; {waiting} waiting, {failed} failed. The same command goes on from here.")
    finally:
        spool.close()
        rest.close()


def _schedule(text: str) -> tuple[float, ...]:
    try:
        delays = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        delays = (-1.0,)
    if not all(0 <= delay <= 86_400 for delay in delays):
        raise ToolFailed(
            "ERR_RETRIES",
            f"{text[:40]!r} is no list of seconds.",
            advice="For example: --retries 10,30",
        )
    return delays
