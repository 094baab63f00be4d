"""Writes the generated reference pages: `make docs`, or `python -m docs.generate` in the repository's root.

Settings, metrics, commands and events are declared once, in the code; these pages are made from there and a test
compares the committed text with what this module makes (tests/docs/test_generated_pages.py).
"""

import ast
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import typer.main
from prometheus_client.metrics import MetricWrapperBase

from chathooks.app.settings import ENVIRONMENT_PREFIX, SETTINGS, SETTINGS_FILE, Setting
from chathooks.cli import failures
from chathooks.cli.main import app as command_line
from chathooks.kernel import telemetry
from chathooks_events.reference import markdown as events_page
from chathooks_receiver.cli.main import app as receiver_command_line
from chathooks_receiver.service import reference as receiver
from chathooks_receiver.tools import failures as receiver_failures
from chathooks_receiver.tools.checks.catalogue import CHECKS
from chathooks_receiver.tools.faults.modes import MODES

FOLDER = Path(__file__).parent / "reference"

RESERVED_SETTINGS: Mapping[str, str] = {
    "media_url": "refused at the start: this version serves no media",
    "call_timeout": "read, without effect: this version serves no calls",
    "public_url": "read, without effect: this version makes no links to itself",
}
"""Settings whose names are fixed already, and what becomes of them today."""

_MADE = "made on the first start"
_DEFAULTS_OF_NONE: Mapping[str, str] = {
    "app_id": _MADE,
    "api_key": _MADE,
    "auth_key": _MADE,
    "management_key": _MADE,
    "management_secret": _MADE,
    "secret_key": f"{_MADE}, in `secret.key`",
}

_SETTINGS_INTRODUCTION = f"""\
# Settings

Every setting has one name in three spellings. Where it is given more than once, the first of these counts:

1. a flag of `chathooks serve`, where the table shows one: `--data-dir /var/lib/chathooks`;
2. an environment variable: `{ENVIRONMENT_PREFIX}DATA_DIR=/var/lib/chathooks`;
3. a line of `{SETTINGS_FILE}` in the working directory, or of the file named with `--config`:
   `data_dir = "/var/lib/chathooks"`. Lists may be written as TOML arrays.

An empty list is written as an empty string. A value that cannot be used, or an unknown name in the file,
refuses the start with a message that names it; nothing is changed then. `chathooks doctor` reads the same settings.

| Variable | Flag | Default | Meaning |
|---|---|---|---|
"""

_METRICS_INTRODUCTION = """\
# Metrics

`GET /metrics` answers in the Prometheus text format: without credentials to a caller on loopback that sends no
header of a proxy and calls it by a loopback name, to everybody else (to all, where `CHATHOOKS_PUBLIC_URL` or
`CHATHOOKS_TRUSTED_PROXIES` is set: a proxy on the machine may make every caller look local) with the management secret (`Authorization: Bearer <secret>`, or the header
`secret`). How to scrape it is in [Run in production](../howto/run-in-production.md#metrics).

A histogram `name` is exposed as `name_bucket`, `name_sum` and `name_count`. Gauges of the outbox and of webhooks are
brought up to date every 5 seconds; at most 100 webhooks have labels of their own, those that lag most. Attempts of
replays are left out of the attempt counters, so that a replay does not change an endpoint's health figures.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""

_METRICS_ADVICE = """
## What to watch

| Sign | Means |
|---|---|
| `chathooks_outbox_age_seconds` stays above a few seconds | fan-out does not keep up, or the store cannot be written |
| `chathooks_webhook_lag_seconds` of one webhook grows | its endpoint is slower than its traffic, or down |
| `chathooks_deliveries_ended_total{state="failed"}` rises | attempts are used up: look at the delivery log, then replay |
| `chathooks_deliveries_ended_total{state="expired"}` rises | a webhook waits longer than its expiry, or its backlog is full |
| `chathooks_http_requests_total{status="503"}` rises | the store refuses writes: disk full, locked, or failing |
| high quantiles of `chathooks_store_commit_seconds` | the disk takes long to sync; every write waits for it |
"""

_CLI_INTRODUCTION = """\
# Command line

`chathooks --help` and `chathooks <command> --help` say the same at the terminal. Messages for people go to stderr,
answers for programs to stdout.

| Exit code | Means |
|---|---|
| 0 | Done, all in order. |
"""


_RECEIVER_CLI_INTRODUCTION = """\
# Receiver command line

`chathooks-receiver` comes with `pip install "chathooks-receiver[tools]"`. It serves an endpoint, and tries any endpoint
of yours, whatever it is written in. `chathooks-receiver --help` and `chathooks-receiver <command> --help` say the same at
the terminal. Messages for people go to stderr, answers for programs to stdout.

| Exit code | Means |
|---|---|
| 0 | Done, all in order. |
"""

_FAULTS_INTRODUCTION = """
## Modes of faulty

The failure is the class that the delivery log of a Chathooks server shows; where there is none, the attempt counts as
acknowledged.

| Mode | The endpoint … | Failure |
|---|---|---|
"""

_CHECKS_INTRODUCTION = """\
# Checks of an endpoint

What `chathooks-receiver check` asks of an endpoint, in the order in which it does. How to use it is in
[Test a receiver](../howto/test-a-receiver.md). A check that needs another one is skipped where that one failed.

| Grade | Means |
|---|---|
| A | nothing failed |
| B | only minor checks failed |
| C | one major check failed, or not every check came to run |
| D | several major checks failed |
| F | a critical check failed |

`Asked by` names the section of CometChat's webhooks overview that a check stands for. Best practice 3, Log and Monitor, cannot be
seen from outside.

| Check | Severity | The endpoint … | Asked by | If it fails |
|---|---|---|---|---|
"""


def _flags(command: str) -> set[str]:
    group: Any = typer.main.get_command(command_line)
    return {flag for option in group.commands[command].params for flag in option.opts}


def _shown_default(setting: Setting) -> str:
    value = setting.default
    if value is None:
        return _DEFAULTS_OF_NONE.get(setting.name, "none")
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(f'{item:g}' for item in value)}`" if value else "empty"
    return f"`./{value}`" if isinstance(value, Path) else f"`{value}`"


def settings_page() -> str:
    """docs/reference/settings.md."""
    flags = _flags("serve")
    rows = []
    for setting in SETTINGS:
        flag = f"`{setting.flag}`" if setting.flag in flags else ""
        meaning = setting.meaning
        if setting.secret:
            meaning += " A secret: never logged, shown as given or not given."
        reserved = RESERVED_SETTINGS.get(setting.name)
        if reserved is not None:
            meaning += f" ({reserved[0].upper()}{reserved[1:]}.)"
        rows.append(f"| `{setting.variable}` | {flag} | {_shown_default(setting)} | {meaning} |\n")
    return _SETTINGS_INTRODUCTION + "".join(rows)


def _metrics() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    # prometheus_client shows labels and type of a metric without samples nowhere else.
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            yield name, str(metric._type), tuple(metric._labelnames), metric._documentation
        elif isinstance(metric, telemetry.LoopHistogram):
            for family in metric.collect():
                yield family.name, family.type, (), family.documentation


def metrics_page() -> str:
    """docs/reference/metrics.md."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning} |\n"
        for name, kind, labels, meaning in _metrics()
    ]
    return _METRICS_INTRODUCTION + "".join(rows) + _METRICS_ADVICE


def _help(text: str) -> str:
    """A docstring's paragraphs, with indented examples as a code block."""
    examples: list[str] = []
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("  "):
            examples += [line.strip() for line in paragraph.splitlines()]
        elif paragraph.strip() != "Examples:":
            paragraphs.append(" ".join(paragraph.split()))
    if examples:
        paragraphs.append("```console\n" + "\n".join(f"$ {line}" for line in examples) + "\n```")
    return "\n\n".join(paragraphs) + "\n"


def _option_rows(options: list[Any]) -> str:
    rows = []
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        variable = f" Also `{option.envvar}`." if option.envvar else ""
        rows.append(f"| {names} | {option.help or ''}{variable} |\n")
    return "| Option | Meaning |\n|---|---|\n" + "".join(rows)


def _argument_rows(arguments: list[Any]) -> str:
    rows = [f"| `{item.name.upper()}` | {item.help or ''} |\n" for item in arguments]
    return "| Argument | Meaning |\n|---|---|\n" + "".join(rows)


def _exit_codes(module: ModuleType) -> str:
    """A row for each EXIT_… constant of a module, in the words below it."""
    statements = ast.parse(Path(module.__file__ or "").read_text("utf-8")).body
    rows = {}
    for statement, following in itertools.pairwise(statements):
        match statement, following:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(code))),
                ast.Expr(value=ast.Constant(value=str(words))),
            ) if name.startswith("EXIT_"):
                rows[code] = f"| {code} | {' '.join(words.split())} |\n"
    return "".join(rows[code] for code in sorted(rows))


def _commands(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command that is not hidden, groups before what is in them."""
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            yield f"{path} {name}", command
            if hasattr(command, "commands"):
                yield from _commands(f"{path} {name}", command)


def _command_line(name: str, app: typer.Typer) -> str:
    """The sections of a program and of its commands."""
    group: Any = typer.main.get_command(app)
    parts = [f"\n## {name}\n\n{_help(group.help)}\n{_option_rows(group.params)}"]
    for path, command in _commands(name, group):
        level = "#" * len(path.split())
        parts.append(f"\n{level} {path}\n\n{_help(command.help or '')}")
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        options = [item for item in command.params if item.param_type_name == "option"]
        if arguments:
            parts.append("\n" + _argument_rows(arguments))
        if options:
            parts.append("\n" + _option_rows(options))
    return "".join(parts)


def cli_page() -> str:
    """docs/reference/cli.md."""
    return _CLI_INTRODUCTION + _exit_codes(failures) + _command_line("chathooks", command_line)


def receiver_cli_page() -> str:
    """docs/reference/receiver-cli.md."""
    modes = [
        f"| `{mode.name}` | {mode.description} | {f'`{mode.failure}`' if mode.failure else ''} |\n"
        for mode in MODES.values()
    ]
    other = "| `status-NNN` | answers NNN, from 200 to 599 | `http_status`, but for 2xx |\n"
    return (
        _RECEIVER_CLI_INTRODUCTION
        + _exit_codes(receiver_failures)
        + _command_line("chathooks-receiver", receiver_command_line)
        + _FAULTS_INTRODUCTION
        + "".join(modes)
        + other
    )


def receiver_checks_page() -> str:
    """docs/reference/receiver-checks.md."""
    rows = [
        f"| `{check.id}` | {check.severity} | {check.title} | {check.section} | {check.advice} |\n"
        for check in CHECKS
    ]
    return _CHECKS_INTRODUCTION + "".join(rows)


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "cli.md": cli_page,
    "receiver-cli.md": receiver_cli_page,
    "receiver-checks.md": receiver_checks_page,
    "events.md": events_page,
    "receiver-settings.md": receiver.settings_page,
    "receiver-metrics.md": receiver.metrics_page,
}
"""Pages by file name below docs/reference/."""


def main() -> None:
    """Write every page that is not as it should be, and name it."""
    for name, page in PAGES.items():
        path = FOLDER / name
        text = page()
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"docs/reference/{name} written\n")


if __name__ == "__main__":
    main()
