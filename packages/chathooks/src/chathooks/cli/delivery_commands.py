"""Commands for deliveries and events, as data; replays and live tails have functions."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec
import typer
from rich.text import Text

from chathooks.cli.commands import Command
from chathooks.cli.fields import Request, Values, argument, fill, option
from chathooks.cli.follow import ENDED_STATES, LAST_MAX, EventTail, LogTail, follow
from chathooks.cli.rest import decode
from chathooks.cli.session import Session
from chathooks.cli.tables import DELIVERIES, EVENTS, REPLAYS, milliseconds, styled, value_at
from chathooks.cli.text import excerpt, moment, plain
from chathooks.cli.webhook_commands import WEBHOOK_ID, webhook_ids, webhook_path

POLL_EVERY_S = 1.0
STATE_CHARS = 9
STATES = ("pending", "in_flight", "retrying", *ENDED_STATES)

DELIVERY_ID = argument(
    "delivery", "Id of the delivery, as in chathooks-delivery.", path="deliveryId"
)
REPLAY_ID = argument("replay", "Id of the replay.", path="replayId")
_FROM_NUMBER = option(
    "--from-number",
    "From this chathooks-number on.",
    kind="whole",
    low=1,
    query="fromNumber",
    body=("fromNumber",),
    metavar="N",
)
_TO_NUMBER = option(
    "--to-number",
    "Up to this chathooks-number.",
    kind="whole",
    low=1,
    query="toNumber",
    body=("toNumber",),
    metavar="N",
)
_TRIGGER_NAMES = option(
    "--trigger", "Only of this trigger; may be repeated.", kind="many", metavar="NAME"
)
_FROM = option("--from", "Since then: ISO 8601 or unix time.", query="from", metavar="TIME")
_TO = option("--to", "Until then: ISO 8601 or unix time.", query="to", metavar="TIME")


def replay_deliveries(session: Session, values: Values) -> None:
    """Replay one delivery, or a window of a webhook's. Raises CommandFailed, typer.BadParameter."""
    narrowing = [item.name for item in REPLAY_FIELDS if values[item.name]]
    if values["delivery"]:
        if narrowing:
            raise typer.BadParameter("A window is given with --webhook, not with a delivery.")
        path = f"/deliveries/{quote(values['delivery'], safe='')}/replay"
        session.show(session.send(Request("POST", path)), DELIVERIES)
        return
    request = fill("POST", f"{webhook_path(values['webhook'])}/replay", REPLAY_FIELDS, values)
    request.body.setdefault("dryRun", False)
    answer = session.send(request)
    session.show(answer)
    going_on = value_at(answer.value(), "replay.id")
    if going_on:
        session.remark(
            f"It goes on: `chathooks deliveries replay-status {going_on} --wait` shows how far it is, "
            f"`chathooks deliveries replay-stop {going_on}` stops it."
        )


def replay_status(session: Session, values: Values) -> None:
    """Show how far a replay is; with `--wait` until it has ended. Raises CommandFailed."""
    request = fill("GET", "/replays/{replayId}", (REPLAY_ID,), values)
    answer = session.send(request)
    while values["wait"] and value_at(answer.value(), "state") == "running":
        session.remark(f"{_text_of(answer.value(), 'replayed')} deliveries made due so far.")
        time.sleep(POLL_EVERY_S)
        answer = session.send(request)
    session.show(answer)


def follow_deliveries(session: Session, values: Values) -> None:
    """Print deliveries as they come and change, until Ctrl-C. Raises CommandFailed."""
    tails: dict[str, LogTail] = {}
    named = values["webhook"]

    def poll() -> None:
        first = not tails
        for webhook in [named] if named else webhook_ids(session):
            tail = tails.setdefault(webhook, LogTail(webhook))
            for item in tail.poll(session.send, values["last"] if first else LAST_MAX):
                _print_followed(session, item, _delivery_line)
            if tail.left_out:
                session.remark(f"{webhook}: more came than is followed; see the list.")

    _follow(session, values, poll, "deliveries")


def follow_events(session: Session, values: Values) -> None:
    """Print events as they come, until Ctrl-C. Raises CommandFailed."""
    tail = EventTail(values["after"] or "", values["trigger"] or ())
    skipped = bool(values["after"]) or values["from_start"]

    def poll() -> None:
        nonlocal skipped
        if not skipped:
            tail.skip(session.send)
            skipped = True
            session.remark("At the end of the feed: what happens now is shown.")
            return
        more = True
        while more:
            events, more = tail.poll(session.send)
            for item in events:
                _print_followed(session, item, _event_line)

    _follow(session, values, poll, "events")


def _follow(session: Session, values: Values, poll: Callable[[], None], what: str) -> None:
    session.remark(f"Following {what} of {session.rest.url}; Ctrl-C ends.")
    follow(poll, wait=lambda: time.sleep(POLL_EVERY_S), remark=session.remark)


def _print_followed(session: Session, item: msgspec.Raw, line: Callable[[Any], Text]) -> None:
    if session.json:
        session.print_line(bytes(item))
    else:
        session.console.print(line(decode(item, Any)), soft_wrap=True)


def _text_of(item: Any, *places: str) -> str:
    return "  ".join(plain(value_at(item, place)) for place in places)


def _delivery_line(item: Any) -> Text:
    state = styled(_text_of(item, "state"))
    state.pad_right(max(0, STATE_CHARS - len(state)))
    head = f"{moment(value_at(item, 'createdAt'))}  {_text_of(item, 'webhook', 'trigger')}  "
    tail = f"  {_text_of(item, 'id')}"
    last = value_at(item, "attempts.-1")
    if last is not None:
        ended = _text_of(last, "status") or _text_of(last, "failure")
        took = milliseconds(value_at(last, "durationMs"))
        tail += f"  attempt {_text_of(last, 'number')}: {ended} in {took}"
    return Text(head) + state + Text(tail)


def _event_line(item: Any) -> Text:
    line = f"{moment(value_at(item, 'createdAt'))}  {_text_of(item, 'trigger', 'eventId')}"
    text = value_at(item, "data.message.data.text")
    return Text(f"{line}  {excerpt(text)}" if text else line)


REPLAY_FIELDS = (
    option("--from", "Events since then.", body=("from",), metavar="TIME"),
    option("--to", "Events before then.", body=("to",), metavar="TIME"),
    option(
        "--trigger",
        "Only of this trigger; may be repeated.",
        kind="many",
        body=("triggers",),
        metavar="NAME",
    ),
    option(
        "--state",
        "Only in this state; failed and expired where not given.",
        kind="many",
        choices=ENDED_STATES,
        body=("states",),
    ),
    replace(_FROM_NUMBER, query=""),
    replace(_TO_NUMBER, query=""),
    option(
        "--dry-run",
        "Only count them, and estimate what they cost.",
        kind="flag",
        body=("dryRun",),
    ),
)

DELIVERY_COMMANDS = (
    Command(
        name="list",
        summary="List the deliveries of a webhook, newest first.",
        examples=(
            "chathooks deliveries list orders",
            "chathooks deliveries list orders --state failed --from 2026-01-01T00:00:00Z --all",
            "chathooks deliveries list orders --from-number 40 --to-number 45",
        ),
        path="/webhooks/{webhookId}/deliveries",
        fields=(
            WEBHOOK_ID,
            option(
                "--state",
                "Only in this state; may be repeated.",
                kind="many",
                choices=STATES,
                query="state",
            ),
            option(
                "--trigger",
                "Only of this trigger; may be repeated.",
                kind="many",
                query="trigger",
                metavar="NAME",
            ),
            _FROM,
            _TO,
            replace(_FROM_NUMBER, body=()),
            replace(_TO_NUMBER, body=()),
        ),
        view=DELIVERIES,
        paging="cursor",
    ),
    Command(
        name="show",
        summary="Show a delivery with its attempts, each with a sentence that explains it.",
        examples=("chathooks deliveries show dlv_1_42",),
        path="/deliveries/{deliveryId}",
        fields=(DELIVERY_ID,),
        view=DELIVERIES,
    ),
    Command(
        name="replay",
        summary="Deliver again what has ended: one delivery, or a window of a webhook's.",
        examples=(
            "chathooks deliveries replay dlv_1_42",
            "chathooks deliveries replay --webhook orders --from 2026-01-01T00:00:00Z --dry-run",
        ),
        fields=(
            argument("delivery", "Id of one delivery.", required=False),
            option("--webhook", "Webhook whose deliveries are replayed.", metavar="ID"),
            *REPLAY_FIELDS,
        ),
        one_of=("delivery", "webhook"),
        run=replay_deliveries,
    ),
    Command(
        name="replays",
        summary="List the replays of a webhook that went on after their call, the latest first.",
        examples=("chathooks deliveries replays orders",),
        path="/webhooks/{webhookId}/replays",
        fields=(WEBHOOK_ID,),
        view=REPLAYS,
        paging="cursor",
    ),
    Command(
        name="replay-status",
        summary="Show how far a replay is.",
        examples=(
            "chathooks deliveries replay-status rpl_1",
            "chathooks deliveries replay-status rpl_1 --wait",
        ),
        fields=(REPLAY_ID, option("--wait", "Until it has ended.", kind="flag")),
        run=replay_status,
    ),
    Command(
        name="replay-stop",
        summary="Stop a replay; what it made due so far is still sent.",
        examples=("chathooks deliveries replay-stop rpl_1",),
        method="DELETE",
        path="/replays/{replayId}",
        fields=(REPLAY_ID,),
    ),
    Command(
        name="follow",
        summary="Print deliveries as they come and change, until Ctrl-C.",
        examples=(
            "chathooks deliveries follow",
            "chathooks deliveries follow orders --last 0 --json",
        ),
        fields=(
            argument("webhook", "Id of the webhook; all where not given.", required=False),
            option(
                "--last",
                "How many older ones to show first.",
                kind="whole",
                default=10,
                low=0,
                high=LAST_MAX,
                metavar="N",
            ),
        ),
        run=follow_deliveries,
    ),
)

EVENT_COMMANDS = (
    Command(
        name="list",
        summary="List events in the order in which they happened, the oldest kept one first.",
        examples=(
            "chathooks events list --limit 20",
            "chathooks events list --after CURSOR --trigger message_sent --all --json",
        ),
        path="/events",
        fields=(
            option(
                "--after", "Go on behind this cursor of an event.", query="after", metavar="CURSOR"
            ),
            option(
                "--trigger",
                "Only of this trigger; may be repeated.",
                kind="many",
                query="triggers",
                metavar="NAME",
            ),
        ),
        view=EVENTS,
        paging="after",
    ),
    Command(
        name="follow",
        summary="Print events as they happen, until Ctrl-C.",
        examples=(
            "chathooks events follow",
            "chathooks events follow --after CURSOR --json >> events.jsonl",
        ),
        fields=(
            option("--after", "Begin behind this cursor of an event.", metavar="CURSOR"),
            option("--from-start", "Begin with the oldest kept event.", kind="flag"),
            _TRIGGER_NAMES,
        ),
        at_most_one_of=("after", "from_start"),
        run=follow_events,
    ),
)

DELIVERY_GROUPS = (
    ("deliveries", "The delivery log, and replays.", DELIVERY_COMMANDS),
    ("events", "The feed of all events.", EVENT_COMMANDS),
)
"""Name, summary and commands of each group."""
