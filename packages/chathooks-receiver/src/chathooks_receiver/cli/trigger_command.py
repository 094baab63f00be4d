"""`chathooks-receiver trigger`: one delivery, straight at an endpoint or through a server."""

import asyncio
import random
import secrets
import time
from typing import Annotated, Any

import msgspec
import typer

from chathooks_events.catalog import TRIGGERS
from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.connecting import server_connection
from chathooks_receiver.cli.terminal import out, print_json, printable
from chathooks_receiver.testing import SignedRequest, event_id_at
from chathooks_receiver.tools.changes import changed_data
from chathooks_receiver.tools.connection import ANSWER_TIMEOUT_S
from chathooks_receiver.tools.failures import (
    EXIT_FAILED,
    EXIT_UNREACHABLE,
    ToolFailed,
)
from chathooks_receiver.tools.identity import Identity, identity
from chathooks_receiver.tools.rest import Rest, segment
from chathooks_receiver.tools.sender import Result, Sender
from chathooks_receiver.tools.target import parse_target


class Fired(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What `--json` prints of a delivery that went straight to an endpoint."""

    trigger: str
    event_id: str | None = None
    status: int | None
    failure: str | None = None
    duration_ms: float
    answer: str
    request: str | None = None


def _list_triggers(as_json: bool) -> None:
    if as_json:
        print_json(
            [{"name": item.name, "description": item.description} for item in TRIGGERS.values()]
        )
        return
    console = out()
    for item in TRIGGERS.values():
        console.print(f"{item.name:<36} {item.description}", markup=False)


async def _deliver(sender: Sender, request: SignedRequest) -> Result:
    try:
        return await sender.deliver(request)
    finally:
        await sender.close()


def _show(fired: Fired, result: Result, url: str, verbose: SignedRequest | None) -> None:
    console = out()
    if verbose is not None:
        for name, value in verbose.headers.items():
            shown = "(hidden)" if name == "Authorization" else value
            console.print(f"> {name}: {printable(shown)}", markup=False)
        console.print(f"> {printable(verbose.body.decode())}", markup=False)
    colour = "green" if result.acknowledged else "red"
    said = str(result.status) if result.status is not None else result.explanation
    console.print(
        f"{fired.trigger} → {printable(url)}: [{colour}]{printable(said)}[/{colour}] "
        f"in {fired.duration_ms:.0f} ms"
    )
    if result.body:
        console.print(f"  {printable(result.excerpt)}", markup=False)


def _straight(
    sender: Sender, who: Identity, trigger: str, data: bytes, *, verbose: bool, as_json: bool
) -> Result:
    now_s = time.time()
    event_id = event_id_at(now_s, random.Random(secrets.randbits(64)))  # noqa: S311 - seeded by the system
    request = who.request(trigger, data, event_id=event_id, now_s=now_s, number=1)
    result = asyncio.run(_deliver(sender, request))
    fired = Fired(
        trigger=trigger,
        event_id=request.event_id,
        status=result.status,
        failure=result.failure,
        duration_ms=round(result.duration_s * 1000, 3),
        answer=result.excerpt,
        request=request.body.decode() if verbose else None,
    )
    if as_json:
        print_json(fired)
    else:
        _show(fired, result, sender.target.url, request if verbose else None)
    return result


def _through(rest: Rest, webhook: str, trigger: str, as_json: bool) -> None:
    try:
        answer = rest.call("POST", f"/webhooks/{segment(webhook)}/test", body={"trigger": trigger})
    finally:
        rest.close()
    delivery: dict[str, Any] = answer.read(dict[str, Any])
    if as_json:
        print_json(delivery)
    else:
        attempt = delivery["attempts"][0]
        colour = "green" if delivery["state"] == "delivered" else "red"
        console = out()
        console.print(
            f"{trigger} → webhook {printable(webhook)}: "
            f"[{colour}]{delivery['state']}[/{colour}] in {attempt['durationMs']:.0f} ms"
        )
        console.print(f"  {printable(str(attempt['explanation']))}", markup=False)
    if delivery["state"] != "delivered":
        raise typer.Exit(EXIT_FAILED)


Name = Annotated[
    str | None,
    typer.Argument(
        help="Name of the trigger, as `--list` shows it.", autocompletion=o.names(TRIGGERS)
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change a field of the sample: a dotted path below `data` and a value (JSON, else text). May be repeated.",
        metavar="PATH=VALUE",
    ),
]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Send changes that the catalog does not allow, too.")
]
List = Annotated[bool, typer.Option("--list", help="List the triggers.")]
Webhook = Annotated[
    str | None,
    typer.Option("--webhook", help="Id of the webhook at the server.", rich_help_panel=o.SERVER),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the request, too.")]


def trigger(
    name: Name = None,
    changes: Changes = None,
    unchecked: Unchecked = False,
    list_: List = False,
    url: o.Url = None,
    username: o.Username = None,
    password: o.Password = None,
    secret: o.Secret = None,
    as_: o.As = "chathooks",
    app_id: o.AppId = "demo",
    webhook_id: o.WebhookId = "tools",
    ca_file: o.CaFile = None,
    timeout: o.Timeout = ANSWER_TIMEOUT_S,
    server: o.Server = None,
    api_key: o.ApiKey = None,
    server_app_id: o.ServerAppId = None,
    webhook: Webhook = None,
    verbose: Verbose = False,
    as_json: o.Json = False,
) -> None:
    """Send one delivery of a trigger: the catalog's sample, signed and with Basic auth.

    Straight at any endpoint with --url, or through a server with --server and --webhook. Ends with 0 only if the
    endpoint acknowledged it.

    Examples:

      chathooks-receiver trigger message_sent --url http://localhost:3000/hook
      chathooks-receiver trigger message_sent --set data.message.data.text=Hello --url http://localhost:3000/hook
      chathooks-receiver trigger call_started --url https://shop.example/webhook --username shop --secret whsec_…
      chathooks-receiver trigger user_blocked --server http://127.0.0.1:8080 --webhook orders
    """
    if list_:
        _list_triggers(as_json)
        return
    if name is None or name not in TRIGGERS:
        raise ToolFailed(
            "ERR_TRIGGER_NOT_FOUND",
            "No trigger is named." if name is None else f"There is no trigger called {name!r}.",
            advice="`chathooks-receiver trigger --list` shows the names.",
        )
    if url is None:
        if webhook is None or server is None:
            raise ToolFailed(
                "ERR_NO_ENDPOINT",
                "Nothing says where to send to.",
                advice="Give --url, or --server and --webhook.",
            )
        if changes:
            raise ToolFailed(
                "ERR_SET",
                "A server sends its own sample; it cannot be changed.",
                advice="Use --set with --url.",
            )
        _through(server_connection(server, api_key, server_app_id, ca_file), webhook, name, as_json)
        return
    sender = Sender(parse_target(url, ca_file), timeout_s=timeout)
    who = identity(
        username=username,
        password=password,
        secret=secret,
        platform=o.platform(as_),
        app_id=app_id,
        webhook_id=webhook_id,
    )
    data = changed_data(name, changes or [], checked=not unchecked)
    result = _straight(sender, who, name, data, verbose=verbose, as_json=as_json)
    if not result.acknowledged:
        raise typer.Exit(EXIT_FAILED if result.status is not None else EXIT_UNREACHABLE)
