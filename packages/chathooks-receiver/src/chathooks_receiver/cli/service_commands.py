"""`chathooks-receiver serve` and `log`: the ready service, and its log of requests."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from chathooks_events.errors import InvalidSecret
from chathooks_receiver.cli import options as o
from chathooks_receiver.cli.terminal import out, print_json, print_json_line, printable
from chathooks_receiver.cli.times import parse_time
from chathooks_receiver.service.request_log import (
    LIMIT_MAX,
    Entry,
    RequestLogUnavailable,
    query,
)
from chathooks_receiver.service.settings import SettingsError, load_settings
from chathooks_receiver.tools.failures import EXIT_FAILED, ToolFailed

SETTINGS_FILE_DEFAULT = Path("receiver.toml")
FOLLOW_POLL_S = 0.5

SettingsFile = Annotated[
    Path,
    typer.Option(
        "--config",
        help="Settings file of the service (TOML).",
        metavar="FILE",
        envvar="CHATHOOKS_RECEIVER_CONFIG",
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="The log itself, instead of the one that the settings name.", metavar="FILE"
    ),
]
Status = Annotated[
    int | None, typer.Option("--status", help="Only with this status.", min=100, max=599)
]
Result = Annotated[
    str | None,
    typer.Option("--result", help="Only with this result: accepted, duplicate, refused or failed."),
]
Trigger = Annotated[str | None, typer.Option("--trigger", help="Only of this trigger.")]
Key = Annotated[str | None, typer.Option("--key", help="Only of this event id or dedupe key.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Only since then: 10m, 2h, 3d, unix seconds or an ISO time."),
]
Limit = Annotated[
    int,
    typer.Option(
        "--limit", help="How many to show at most, the newest ones.", min=1, max=LIMIT_MAX
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
]

Page = Callable[[int | None, int | None], list[Entry]]
"""The newest entries between two ids, the newest first."""


def serve(config: SettingsFile = SETTINGS_FILE_DEFAULT) -> None:
    """Run a ready endpoint from one settings file: checks, dedupe, sink, metrics, request log. Until Ctrl-C or SIGTERM.

    Examples:

      chathooks-receiver serve --config receiver.toml
    """
    # Here, since no other command needs the web server.
    from chathooks_receiver.service.app import StartFailed
    from chathooks_receiver.service.run import serve as serve_file

    try:
        serve_file(config)
    except SettingsError as error:
        raise ToolFailed(
            error.code,
            str(error),
            advice="Correct the file given with --config; nothing was started.",
        ) from None
    except InvalidSecret as error:
        raise ToolFailed(
            error.code,
            error.message,
            advice="Correct `secrets` of [endpoint]; nothing was started.",
        ) from None
    except StartFailed as error:
        raise ToolFailed(error.code, str(error), exit_code=EXIT_FAILED) from None


def _log_file(config: Path, file: Path | None) -> Path:
    if file is not None:
        return file
    try:
        settings = load_settings(config)
    except SettingsError as error:
        raise ToolFailed(
            error.code,
            str(error),
            advice="Give the settings with --config, or the log with --file.",
        ) from None
    if settings.request_log is None:
        raise ToolFailed(
            "ERR_REQUEST_LOG",
            f"{config} keeps no request log.",
            advice="Add a table [request_log] with a `path`, and start the service again.",
        )
    return Path(settings.request_log.path)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cells(entry: Entry) -> list[str]:
    colour = {"accepted": "green", "duplicate": "cyan"}.get(entry.result, "red")
    return [
        _moment(entry.at_ms),
        f"[{colour}]{entry.status}[/{colour}]",
        entry.result,
        printable(entry.trigger or entry.code or ""),
        printable(entry.key or ""),
        str(entry.attempt or ""),
        f"{entry.duration_ms:.1f} ms",
    ]


def _show(entries: list[Entry]) -> None:
    table = Table("time (UTC)", "status", "result", "trigger", "key", "attempt", "took", box=None)
    for entry in entries:
        table.add_row(*_cells(entry))
    out().print(table)


def log(
    config: SettingsFile = SETTINGS_FILE_DEFAULT,
    file: LogFile = None,
    status: Status = None,
    result: Result = None,
    trigger: Trigger = None,
    key: Key = None,
    since: Since = None,
    limit: Limit = 50,
    follow: Follow = False,
    as_json: o.Json = False,
) -> None:
    """Show the service's log of requests: every request, the answer, how long it took, duplicate or not.

    Examples:

      chathooks-receiver log --config receiver.toml
      chathooks-receiver log --result refused --since 1h
      chathooks-receiver log --key evt_019b76da-a800-7b6c-9d3e-52c7a8e1f004 --json
      chathooks-receiver log --follow
    """
    path = _log_file(config, file)
    since_ms = None if since is None else parse_time(since, time.time())

    def page(after: int | None, before: int | None) -> list[Entry]:
        try:
            return query(
                path,
                status=status,
                result=result,
                trigger=trigger,
                key=key,
                since_ms=since_ms,
                after=after,
                before=before,
                limit=limit,
            )
        except RequestLogUnavailable as error:
            raise ToolFailed(
                error.code,
                str(error),
                advice="Give the settings of the running service with --config, or the log with --file.",
                exit_code=EXIT_FAILED,
            ) from None

    entries = page(None, None)[::-1]
    if follow:
        _follow(entries, page, as_json)
    elif as_json:
        print_json(entries)
    else:
        _show(entries)


def _follow(entries: list[Entry], page: Page, as_json: bool) -> None:
    last = 0
    try:
        while True:
            for entry in entries:
                last = max(last, entry.id)
                if as_json:
                    print_json_line(entry)
                else:
                    out().print("  ".join(_cells(entry)))
            time.sleep(FOLLOW_POLL_S)
            entries = _all_since(page, last)
    except KeyboardInterrupt:
        return


def _all_since(page: Page, last: int) -> list[Entry]:
    """Everything behind the entry `last`, the oldest first: pages are read back until there is no more."""
    found: list[Entry] = []
    while more := page(last, found[-1].id if found else None):
        found += more
    return found[::-1]
