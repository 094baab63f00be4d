"""`chathooks-receiver simulate`: a made-up chat, straight at an endpoint or through a server."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.table import Table

from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.connecting import server_connection
from chathooks_receiver.cli.terminal import err, out, print_json, progress_bar
from chathooks_receiver.tools.connection import ANSWER_TIMEOUT_S
from chathooks_receiver.tools.failures import EXIT_FAILED, EXIT_INTERRUPTED, ToolFailed
from chathooks_receiver.tools.figures import Latency
from chathooks_receiver.tools.identity import Identity, identity
from chathooks_receiver.tools.pacing import run_until_stopped
from chathooks_receiver.tools.rest import Rest
from chathooks_receiver.tools.sender import Sender
from chathooks_receiver.tools.simulation.direct import Load, Played, play
from chathooks_receiver.tools.simulation.scenarios import SCENARIOS
from chathooks_receiver.tools.simulation.through import PlayedThrough, play_through
from chathooks_receiver.tools.simulation.world import STARTS_AT_S
from chathooks_receiver.tools.target import parse_target

EVENTS_MAX = 10_000_000
SEEDS_BELOW = 1_000_000


def _check(load: Load) -> None:
    if load.scenario not in SCENARIOS:
        raise ToolFailed(
            "ERR_SCENARIO",
            f"There is no scenario called {load.scenario!r}.",
            advice=f"There are {', '.join(SCENARIOS)}.",
        )
    if load.events_total > EVENTS_MAX:
        raise ToolFailed(
            "ERR_LOAD",
            f"These are more than {EVENTS_MAX} events.",
            advice="Lower --rate or --duration.",
        )


def _direct(load: Load, sender: Sender, who: Identity) -> Played:
    with progress_bar(load.scenario, load.events_total) as bar:

        async def work(stop: asyncio.Event) -> Played:
            try:
                return await play(
                    load, sender, who, told=lambda _event, _result: bar.step(), stop=stop
                )
            finally:
                await sender.close()

        return run_until_stopped(work)


def _through(load: Load, rest: Rest) -> PlayedThrough:
    with progress_bar(load.scenario, load.events_total) as bar:

        async def work(stop: asyncio.Event) -> PlayedThrough:
            return await play_through(load, rest, told=lambda _outcome: bar.step(), stop=stop)

        try:
            return run_until_stopped(work)
        finally:
            rest.close()


def _rows(result: Played | PlayedThrough) -> Mapping[str, object]:
    if isinstance(result, Played):
        return {
            "events": result.events,
            "sent": f"{result.sent} ({result.sent_twice} of them a second time)",
            "acknowledged": result.acknowledged,
            "answered as duplicate": result.answered_as_duplicate,
            "sent late": result.late,
            "rate": f"{result.rate:g} events/s over {result.seconds:g} s",
        }
    return {
        "calls": result.calls,
        "moments that no call causes": result.passed_over,
        "not possible any more": result.not_possible,
        "seconds": f"{result.seconds:g}",
    }


def _show(result: Played | PlayedThrough) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("scenario", f"{result.scenario}, --seed {result.seed}")
    for name, value in _rows(result).items():
        table.add_row(name, str(value))
    table.add_row(
        "answers", ", ".join(f"{count} × {what}" for what, count in result.answers.items())
    )
    latency: Latency | None = result.latency_ms
    if latency is not None:
        table.add_row(
            "latency",
            f"p50 {latency.p50:g} ms, p90 {latency.p90:g} ms, p99 {latency.p99:g} ms, max {latency.max:g} ms",
        )
    out().print(table)
    if result.interrupted:
        err().print("Interrupted before the end.")


Scenario = Annotated[
    str,
    typer.Argument(
        help=f"What to play: {', '.join(SCENARIOS)}.",
        show_default=False,
        autocompletion=o.names(SCENARIOS),
    ),
]
Rate = Annotated[
    float,
    typer.Option("--rate", help="Events (calls, with --server) a second.", min=0.01, max=20_000),
]
Duration = Annotated[
    float, typer.Option("--duration", help="How long, in seconds.", min=0.01, max=86_400)
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        help="The same seed makes the same bodies, byte for byte; a new one each time where not given.",
        min=0,
    ),
]
StartsAt = Annotated[
    int, typer.Option("--starts-at", help="Unix time of the first event, in seconds.", min=0)
]
Duplicates = Annotated[
    float,
    typer.Option("--duplicates", help="Share of events that are sent twice, 0 to 1.", min=0, max=1),
]


def simulate(
    scenario: Scenario,
    rate: Rate = 10.0,
    duration: Duration = 10.0,
    seed: Seed = None,
    starts_at: StartsAt = STARTS_AT_S,
    duplicates: Duplicates = 0.0,
    as_: o.As = "chathooks",
    url: o.Url = None,
    username: o.Username = None,
    password: o.Password = None,
    secret: o.Secret = None,
    app_id: o.AppId = "demo",
    webhook_id: o.WebhookId = "tools",
    ca_file: o.CaFile = None,
    timeout: o.Timeout = ANSWER_TIMEOUT_S,
    server: o.Server = None,
    api_key: o.ApiKey = None,
    server_app_id: o.ServerAppId = None,
    as_json: o.Json = False,
) -> None:
    """Play a made-up chat that holds together: an edit follows its message, a read receipt its delivery.

    With --url each event goes straight to an endpoint, at the rate whatever the answers. With --server the calls that cause
    the events go to a server's REST API, one after the other. Ends with 0 only if all was acknowledged.

    Examples:

      chathooks-receiver simulate chat --url http://localhost:3000/hook
      chathooks-receiver simulate everything --rate 100 --duration 60 --seed 7 --url https://shop.example/webhook
      chathooks-receiver simulate storm --rate 500 --duplicates 0.05 --as cometchat --url http://localhost:3000/hook
      chathooks-receiver simulate group --server http://127.0.0.1:8080 --rate 20
    """
    load = Load(
        scenario=scenario,
        seed=secrets.randbelow(SEEDS_BELOW) if seed is None else seed,
        rate=rate,
        duration_s=duration,
        starts_at_s=starts_at,
        duplicates=duplicates,
    )
    _check(load)
    result: Played | PlayedThrough
    if url is not None:
        who = identity(
            username=username,
            password=password,
            secret=secret,
            platform=o.platform(as_),
            app_id=app_id,
            webhook_id=webhook_id,
        )
        result = _direct(load, Sender(parse_target(url, ca_file), timeout_s=timeout), who)
    elif server is not None:
        result = _through(load, server_connection(server, api_key, server_app_id, ca_file))
    else:
        raise ToolFailed(
            "ERR_NO_ENDPOINT", "Nothing says where to send to.", advice="Give --url, or --server."
        )
    if as_json:
        print_json(result)
    else:
        _show(result)
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not result.good:
        raise typer.Exit(EXIT_FAILED)
