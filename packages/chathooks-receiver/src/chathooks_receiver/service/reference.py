"""The reference pages of the service, made from its settings and metrics."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from chathooks_receiver.service import settings as s
from chathooks_receiver.service.app import Service

_SETTINGS_INTRODUCTION = """\
# Settings of the receiver

`chathooks-receiver serve` reads one TOML file. `${NAME}` within a string is replaced by the environment variable of that
name, so the file needs to hold no secret. A value that cannot be used, an unknown name or a missing variable refuses the
start with a message that names it. How to run it: [Run the receiver](../howto/run-the-receiver.md).

Only `[sink]` must be there, and either `credentials` or `secrets` of `[endpoint]`.
"""

_METRICS_INTRODUCTION = """\
# Metrics of the receiver

`GET /metrics` of the service answers in the Prometheus text format, to callers on the same machine, and to all with
`metrics_to_all = true`. A histogram `name` is exposed as `name_bucket`, `name_sum` and `name_count`.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""

_KINDS: tuple[tuple[str, str, tuple[type[s.Part], ...]], ...] = (
    (
        "dedupe",
        "Where seen events are remembered; `memory` where the table is missing.",
        get_args(s.DedupeSettings),
    ),
    ("sink", "Where events go.", get_args(s.SinkSettings)),
)
_TABLES: tuple[tuple[str, type[s.Part]], ...] = (
    ("endpoint", s.Endpoint),
    ("spool", s.SpoolSettings),
    ("request_log", s.RequestLogSettings),
    ("workflows", s.WorkflowSettings),
    ("log", s.LogSettings),
)


def settings_page() -> str:
    """docs/reference/receiver-settings.md."""
    parts = [_SETTINGS_INTRODUCTION]
    for name, kind in _TABLES:
        parts += [f"\n## `[{name}]`\n\n{_summary(kind)}\n\n", *_rows(kind)]
    for name, meaning, kinds in _KINDS:
        parts.append(f"\n## `[{name}]`\n\n{meaning}\n")
        for kind in kinds:
            tag = kind.__struct_config__.tag
            parts += [f'\n### `kind = "{tag}"`\n\n{_summary(kind)}\n\n', *_rows(kind)]
    return "".join(parts)


def _summary(kind: type[s.Part]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _rows(kind: type[s.Part]) -> Iterator[str]:
    yield "| Setting | Default | Meaning |\n|---|---|---|\n"
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else _shown(field.default)
        yield f"| `{field.name}` | {default} | {_description(hints[field.name])} |\n"


def _shown(default: Any) -> str:
    if default is None or default in ((), {}, msgspec.NODEFAULT):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def _description(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        for extra in hint.__metadata__:
            if isinstance(extra, msgspec.Meta) and extra.description:
                return extra.description
    return ""


def metrics_page() -> str:
    """docs/reference/receiver-metrics.md: the metrics of a service with everything switched on."""
    whole = s.Settings(
        sink=s.SqliteInboxSettings(path=":memory:"),
        endpoint=s.Endpoint(open_to_all=True),
        spool=s.SpoolSettings(path=":memory:"),
        request_log=s.RequestLogSettings(path=":memory:"),
    )
    service = Service(whole)
    service.add_worker_gauges(lambda: 0, lambda: 0, lambda: 0)
    rows = []
    for family in service.metrics.families():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n")
    return _METRICS_INTRODUCTION + "".join(rows)
