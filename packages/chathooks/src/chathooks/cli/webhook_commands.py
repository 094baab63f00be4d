"""Commands for webhooks and triggers, as data; those of more than one call have functions."""

from typing import Any
from urllib.parse import quote

import msgspec
import typer

from chathooks.cli.commands import Command, show_batch
from chathooks.cli.failures import EXIT_FAILED, CommandFailed
from chathooks.cli.fields import Field, Request, Values, argument, option
from chathooks.cli.pages import list_all, read_list
from chathooks.cli.rest import Answer, decode
from chathooks.cli.session import Session, decoded
from chathooks.cli.tables import DELIVERIES, FIRED, TRIGGERS, WEBHOOKS, show_list, value_at
from chathooks.cli.text import plain

WEBHOOKS_LISTED_MAX = 1000
ALL_WEBHOOKS = "all"

WEBHOOK_ID = argument("webhook", "Id of the webhook.", path="webhookId")
_WEBHOOK_FIELDS: tuple[Field, ...] = (
    option(
        "--username",
        "User of Basic authentication.",
        body=("username",),
        also={"useBasicAuth": True},
    ),
    option(
        "--password",
        "Its password; better given in the environment.",
        body=("password",),
        envvar="CHATHOOKS_WEBHOOK_PASSWORD",
    ),
    option("--enabled/--disabled", "Whether it gets events.", kind="switch", body=("enabled",)),
    option(
        "--retry/--no-retry",
        "Whether a failed delivery is tried again.",
        kind="switch",
        body=("retryOnFailure",),
    ),
    option(
        "--ordered/--unordered",
        "One at a time per conversation.",
        kind="switch",
        body=("ordered",),
    ),
    option(
        "--max-concurrency",
        "Attempts at the same time.",
        kind="whole",
        body=("maxConcurrency",),
        low=1,
        metavar="N",
    ),
)


def webhook_path(webhook: str) -> str:
    """Path of a webhook's calls."""
    return f"/webhooks/{quote(webhook, safe='')}"


def webhook_triggers(session: Session, values: Values) -> None:
    """List a webhook's triggers, or change them. Raises CommandFailed, typer.Exit."""
    path = f"{webhook_path(values['webhook'])}/triggers"
    added, removed = values["add"], values["remove"]
    if not added and not removed:
        list_all(session, Request("GET", path), "pages", TRIGGERS, values)
        return
    method, names = ("POST", added) if added else ("DELETE", removed)
    show_batch(session, session.send(Request(method, path, body={"triggerIds": names})))


def show_trigger(session: Session, values: Values) -> None:
    """Describe a trigger, or print its sample or schema alone. Raises CommandFailed."""
    answer = session.send(Request("GET", f"/triggers/{quote(values['trigger'], safe='')}"))
    parts: dict[str, msgspec.Raw] = decode(answer.data, dict[str, msgspec.Raw])
    for part in ("sample", "schema"):
        if values[part]:
            session.print_json(bytes(parts[part]))
            return
    if session.json:
        session.print_json(answer.data)
        return
    found = answer.value()
    session.console.print(f"{plain(found['name'])} ({plain(found['category'])})", markup=False)
    session.console.print(plain(found["description"]), markup=False)
    session.console.print(
        f"Two are the same if equal in: {plain(found['dedupeKey'])}", markup=False
    )
    session.console.print("\nA delivered body:")
    session.print_json(bytes(parts["sample"]))
    session.remark("--schema prints its JSON Schema.")


def test_fire(session: Session, values: Values) -> None:
    """Send a trigger's sample to a webhook; exit code 1 where it was not delivered.

    Raises CommandFailed, typer.BadParameter, typer.Exit.
    """
    body = {"trigger": values["trigger"]}
    if values["set"]:
        body["set"] = dict(_placed(item) for item in values["set"])
    if values["webhook"] == ALL_WEBHOOKS:
        _fire_at_all(session, body)
        return
    webhook = values["webhook"] or _only_webhook(session)
    answer = _fire(session, webhook, body)
    session.show(answer, DELIVERIES)
    if value_at(answer.value(), "state") == "failed":
        raise typer.Exit(EXIT_FAILED)


def _placed(text: str) -> tuple[str, Any]:
    """Place and value of `path=value`; a value that is no JSON is a text. Raises typer.BadParameter."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise typer.BadParameter("It is PATH=VALUE.", param_hint="--set")
    try:
        return path, msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return path, value


def _fire_at_all(session: Session, body: dict[str, Any]) -> None:
    ids = webhook_ids(session)
    if not ids:
        raise typer.BadParameter("There is no webhook yet.", param_hint="--webhook")
    answers = [_fire(session, webhook, body) for webhook in ids]
    if session.json:
        session.print_json(b"[" + b",".join(answer.data for answer in answers) + b"]")
    else:
        show_list(session.console, [answer.value() for answer in answers], FIRED)
    if any(value_at(answer.value(), "state") == "failed" for answer in answers):
        raise typer.Exit(EXIT_FAILED)


def _fire(session: Session, webhook: str, body: dict[str, Any]) -> Answer:
    request = Request("POST", f"{webhook_path(webhook)}/test", body=dict(body))
    try:
        return session.send(request)
    except CommandFailed as error:
        if error.code == "ERR_API_NOT_FOUND":
            raise CommandFailed(
                error.code,
                "This server cannot send test events.",
                advice="Use a newer server, or cause a real event, e.g. with `chathooks messages send`.",
            ) from None
        raise


def _only_webhook(session: Session) -> str:
    ids = webhook_ids(session)
    if len(ids) != 1:
        known = f" Webhooks: {plain(ids[:20])}." if ids else " There is none yet."
        raise typer.BadParameter(f"Name the webhook.{known}", param_hint="--webhook")
    return ids[0]


def webhook_ids(session: Session) -> list[str]:
    """Ids of the app's webhooks. Raises CommandFailed."""
    listed = read_list(
        session.send, Request("GET", "/webhooks"), "pages", WEBHOOKS_LISTED_MAX, lambda _: None
    )
    return [str(value_at(item, "id")) for item in decoded(listed.items)]


WEBHOOK_COMMANDS = (
    Command(
        name="list",
        summary="List webhooks.",
        examples=("chathooks webhooks list",),
        path="/webhooks",
        fields=(option("--search", "Beginning of the id or the name.", query="searchKey"),),
        view=WEBHOOKS,
        paging="pages",
    ),
    Command(
        name="get",
        summary="Show a webhook. Its signing secret is shown on creation and rotation only.",
        examples=("chathooks webhooks get orders",),
        path="/webhooks/{webhookId}",
        fields=(WEBHOOK_ID,),
    ),
    Command(
        name="create",
        summary="Create a webhook.",
        examples=(
            "chathooks webhooks create orders https://example.com/hook --trigger message_sent --retry",
            "chathooks webhooks create audit https://example.com/audit --name Audit --ordered",
        ),
        method="POST",
        path="/webhooks",
        fields=(
            argument("webhook", "Id: letters, digits, - and _.", body=("id", "name")),
            argument(
                "endpoint", "URL that events are sent to.", body=("webhookURL",), metavar="URL"
            ),
            option("--name", "Name; the id where not given.", body=("name",)),
            option(
                "--trigger",
                "A trigger that it gets; may be repeated.",
                kind="many",
                body=("triggers",),
                metavar="NAME",
            ),
            *_WEBHOOK_FIELDS,
        ),
        remark="The secret signs every delivery and is shown this once: keep it for the receiver.",
    ),
    Command(
        name="update",
        summary="Change a webhook; what is not given stays.",
        examples=(
            "chathooks webhooks update orders --endpoint https://example.com/v2/hook",
            "chathooks webhooks update orders --disabled",
        ),
        method="PUT",
        path="/webhooks/{webhookId}",
        fields=(
            WEBHOOK_ID,
            option(
                "--endpoint", "URL that events are sent to.", body=("webhookURL",), metavar="URL"
            ),
            option("--name", "Name.", body=("name",)),
            *_WEBHOOK_FIELDS,
            option(
                "--no-basic-auth",
                "Send no credentials any more.",
                kind="flag",
                body=("useBasicAuth",),
                read=lambda _: False,
            ),
        ),
        change=True,
        at_most_one_of=("username", "no_basic_auth"),
    ),
    Command(
        name="delete",
        summary="Delete a webhook; what waits for it is cancelled.",
        examples=("chathooks webhooks delete orders",),
        method="DELETE",
        path="/webhooks/{webhookId}",
        fields=(WEBHOOK_ID,),
    ),
    Command(
        name="triggers",
        summary="List the triggers of a webhook, or add or remove some.",
        examples=(
            "chathooks webhooks triggers orders",
            "chathooks webhooks triggers orders --add message_sent --add message_edited",
            "chathooks webhooks triggers orders --remove message_edited",
        ),
        fields=(
            WEBHOOK_ID,
            option("--add", "Add this one; may be repeated.", kind="many", metavar="NAME"),
            option("--remove", "Remove this one; may be repeated.", kind="many", metavar="NAME"),
        ),
        paging="pages",
        at_most_one_of=("add", "remove"),
        run=webhook_triggers,
    ),
    Command(
        name="rotate-secret",
        summary="Make a new signing secret. For a while deliveries carry the signatures of both.",
        examples=(
            "chathooks webhooks rotate-secret orders",
            "chathooks webhooks rotate-secret orders --overlap-seconds 3600",
        ),
        method="POST",
        path="/webhooks/{webhookId}/secret/rotate",
        fields=(
            WEBHOOK_ID,
            option(
                "--overlap-seconds",
                "How long the previous secret signs too; a day where not given.",
                kind="whole",
                body=("overlapSeconds",),
                low=0,
                metavar="SECONDS",
            ),
        ),
        remark="The secret is shown this once: give it to the receiver.",
    ),
)

TRIGGER_COMMANDS = (
    Command(
        name="list",
        summary="List all triggers.",
        examples=("chathooks triggers list",),
        path="/triggers",
        view=TRIGGERS,
        paging="pages",
    ),
    Command(
        name="show",
        summary="Describe a trigger, with a sample of what is delivered.",
        examples=(
            "chathooks triggers show message_sent",
            "chathooks triggers show message_sent --schema > message_sent.schema.json",
        ),
        fields=(
            argument("trigger", "Name of the trigger."),
            option("--sample", "Only the sample, as JSON.", kind="flag"),
            option("--schema", "Only the JSON Schema.", kind="flag"),
        ),
        at_most_one_of=("sample", "schema"),
        run=show_trigger,
    ),
)

WEBHOOK_GROUPS = (
    ("webhooks", "Webhooks: where events are sent.", WEBHOOK_COMMANDS),
    ("triggers", "The catalog of triggers.", TRIGGER_COMMANDS),
)
"""Name, summary and commands of each group."""

TRIGGER = Command(
    name="trigger",
    summary="Send a trigger's sample to a webhook through the real path, and show what became of it.",
    examples=(
        "chathooks trigger message_sent --webhook orders",
        "chathooks trigger message_sent --webhook all --set message.data.text=Hello",
    ),
    fields=(
        argument("trigger", "Name of the trigger."),
        option(
            "--webhook",
            "Id of the webhook, or all; may be left out where there is only one.",
            metavar="ID",
        ),
        option(
            "--set",
            "Put a value into the sample's data, as JSON or text; may be repeated.",
            kind="many",
            metavar="PATH=VALUE",
        ),
    ),
    run=test_fire,
)
