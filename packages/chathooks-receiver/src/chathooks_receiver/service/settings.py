"""The settings of the service: a TOML file, read once, refused whole where anything in it cannot be meant.

`${NAME}` in a string is replaced by the environment variable of that name, so that the file needs to hold no secret.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from chathooks_receiver.intake import BODY_BYTES_MAX
from chathooks_receiver.receiver import IN_FLIGHT_MAX, SINK_BUDGET_S

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

BUDGET_MAX_S = 1.9
"""A sender waits two seconds in all."""


class SettingsError(Exception):
    """A settings file that cannot be used; the message names the setting and says what to do."""

    code = "ERR_SETTINGS"


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


Positive: TypeAlias = Annotated[int, Meta(ge=1)]


class Credential(Part, frozen=True, kw_only=True):
    """A pair that is accepted as Basic auth."""

    username: Annotated[str, Meta(min_length=1, pattern="^[^:]*$")]
    password: Annotated[str, Meta(min_length=1)]


class Endpoint(Part, frozen=True, kw_only=True):
    """What is listened on and who may send."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_535, description="port to listen on; 0 for a free one")
    ] = 9000
    path: Annotated[
        str, Meta(pattern="^/", description="path of the endpoint; others answer 404")
    ] = "/webhook"
    credentials: Annotated[
        tuple[Credential, ...],
        Meta(description="accepted Basic credentials; several while they are changed"),
    ] = ()
    secrets: Annotated[
        tuple[str, ...],
        Meta(description="accepted signing secrets `whsec_…`; several while one is rotated"),
    ] = ()
    open_to_all: Annotated[
        bool, Meta(description="accept requests although neither credentials nor secrets are set")
    ] = False
    body_bytes_max: Annotated[Positive, Meta(description="largest body, in bytes")] = BODY_BYTES_MAX
    tolerance_s: Annotated[
        float, Meta(gt=0, description="how far a signature's time may be off, in seconds")
    ] = 300.0
    budget_s: Annotated[
        float,
        Meta(gt=0, le=BUDGET_MAX_S, description="how long storing an event may take, in seconds"),
    ] = SINK_BUDGET_S
    in_flight_max: Annotated[
        Positive, Meta(description="events on their way to the sink; more are answered 503")
    ] = IN_FLIGHT_MAX
    tls_cert_file: Annotated[
        str | None, Meta(description="certificate chain (PEM); with the key, HTTPS is served")
    ] = None
    tls_key_file: Annotated[str | None, Meta(description="key of the certificate (PEM)")] = None
    metrics_to_all: Annotated[
        bool, Meta(description="answer `/metrics` to other machines too, not to loopback alone")
    ] = False


class MemoryDedupeSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="memory"):
    """Seen events in memory: forgotten with a restart."""

    events_max: Annotated[Positive, Meta(description="events that are remembered")] = 100_000


class SqliteDedupeSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="sqlite"):
    """Seen events in a file."""

    path: Annotated[str, Meta(description="the file")]
    shared: Annotated[bool, Meta(description="other processes use the file too")] = False
    events_max: Annotated[
        Positive, Meta(description="events that are remembered; about 150 bytes of memory each")
    ] = 200_000


class PostgresDedupeSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="postgres"):
    """Seen events in PostgreSQL, for several machines."""

    dsn: Annotated[str, Meta(description="`postgresql://user:password@host/database`")]
    window_s: Annotated[
        float, Meta(gt=0, description="how long events are remembered, in seconds")
    ] = 604_800.0


class RedisDedupeSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="redis"):
    """Seen events in Redis, for several machines."""

    url: Annotated[str, Meta(description="`redis://…` or `rediss://…`")]
    window_s: Annotated[
        float, Meta(gt=0, description="how long events are remembered, in seconds")
    ] = 604_800.0


DedupeSettings: TypeAlias = (
    MemoryDedupeSettings | SqliteDedupeSettings | PostgresDedupeSettings | RedisDedupeSettings
)


class JsonLinesSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="jsonlines"):
    """A file with a line for each event."""

    path: Annotated[str, Meta(description="the file")]


class SqliteInboxSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="sqlite"):
    """An inbox table in a file; workflows can run from it."""

    path: Annotated[str, Meta(description="the file")]
    shared: Annotated[bool, Meta(description="other processes use the file too")] = False


class PostgresInboxSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="postgres"):
    """An inbox table in PostgreSQL; workflows can run from it."""

    dsn: Annotated[str, Meta(description="`postgresql://user:password@host/database`")]


class KafkaSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="kafka"):
    """A Kafka topic."""

    servers: Annotated[str, Meta(description="brokers, `host:port,host:port`")]
    topic: Annotated[str, Meta(description="the topic; its key is the conversation")]
    options: Annotated[
        dict[str, str | int], Meta(description="librdkafka's own settings, `security.protocol` …")
    ] = {}


class RabbitSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="rabbitmq"):
    """A RabbitMQ queue."""

    url: Annotated[str, Meta(description="`amqp://user:password@host:5672/vhost` or `amqps://…`")]
    queue: Annotated[str, Meta(description="the queue; made as a durable quorum queue")]
    exchange: Annotated[
        str | None, Meta(description="a topic exchange to publish to, the trigger as routing key")
    ] = None
    declare: Annotated[bool, Meta(description="make what is missing")] = True


class SqsSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="sqs"):
    """An AWS SQS queue, FIFO where its name ends in `.fifo`."""

    queue_url: Annotated[str, Meta(description="URL of the queue")]
    region: Annotated[str | None, Meta(description="AWS region")] = None
    endpoint_url: Annotated[str | None, Meta(description="another endpoint than AWS's")] = None


class NatsSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="nats"):
    """A NATS JetStream stream."""

    servers: Annotated[tuple[str, ...], Meta(min_length=1, description="`nats://host:4222` …")]
    stream: Annotated[str, Meta(description="the stream")]
    prefix: Annotated[str, Meta(description="subjects are `<prefix>.<trigger>`")] = "chathooks"
    replicas: Annotated[int, Meta(ge=1, le=5, description="copies of a stream that is made")] = 1
    declare: Annotated[bool, Meta(description="make the stream where it is missing")] = True
    credentials_file: Annotated[str | None, Meta(description="a `.creds` file")] = None


class RedisSinkSettings(Part, frozen=True, kw_only=True, tag_field="kind", tag="redis"):
    """A Redis stream."""

    url: Annotated[str, Meta(description="`redis://…` or `rediss://…`")]
    stream: Annotated[str, Meta(description="key of the stream")]
    replicas: Annotated[int, Meta(ge=0, description="replicas that must have an event (WAIT)")] = 0
    entries_max: Annotated[
        Positive | None, Meta(description="trim the stream to about so many entries")
    ] = None


SinkSettings: TypeAlias = (
    JsonLinesSettings
    | SqliteInboxSettings
    | PostgresInboxSettings
    | KafkaSettings
    | RabbitSettings
    | SqsSettings
    | NatsSettings
    | RedisSinkSettings
)


class SpoolSettings(Part, frozen=True, kw_only=True):
    """A spool on disk before the sink, to ride out its outages."""

    path: Annotated[str, Meta(description="the file")]
    events_max: Annotated[Positive, Meta(description="events that may wait")] = 1_000_000


class RequestLogSettings(Part, frozen=True, kw_only=True):
    """A queryable log of every request and its answer."""

    path: Annotated[str, Meta(description="the file")]
    rows_max: Annotated[Positive, Meta(description="requests that are kept")] = 1_000_000


class WorkflowSettings(Part, frozen=True, kw_only=True):
    """Handlers to run from the inbox; the sink must be `sqlite` or `postgres`."""

    load: Annotated[
        str,
        Meta(pattern="^[^:]+:[^:]+$", description="`module:name` of a `Workflows`, importable"),
    ]
    concurrency: Annotated[Positive, Meta(description="jobs that run at once")] = 16
    attempts: Annotated[Positive, Meta(description="attempts before a job is set aside")] = 8


class LogSettings(Part, frozen=True, kw_only=True):
    """The log on standard error: one JSON object a line."""

    level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$", description="the least that is logged")
    ] = "info"


class Settings(Part, frozen=True, kw_only=True):
    """The whole file."""

    sink: SinkSettings
    endpoint: Endpoint = Endpoint()
    dedupe: DedupeSettings = MemoryDedupeSettings()
    spool: SpoolSettings | None = None
    request_log: RequestLogSettings | None = None
    workflows: WorkflowSettings | None = None
    log: LogSettings = LogSettings()


def load_settings(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read and check the file `path`. Raises `SettingsError`, with nothing done."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    try:
        settings = msgspec.convert(_expanded(content, environment), Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from None
    _check(settings, path)
    return settings


def _expanded(node: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _expanded(value, environment) for name, value in node.items()}
    if isinstance(node, list):
        return [_expanded(value, environment) for value in node]
    if isinstance(node, str):
        return _VARIABLE.sub(lambda found: _variable(found[1], environment), node)
    return node


def _variable(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None:
        raise SettingsError(f"The settings use ${{{name}}}, but there is no such variable. Set it.")
    return value


def _check(settings: Settings, path: Path) -> None:
    endpoint = settings.endpoint
    if not (endpoint.credentials or endpoint.secrets or endpoint.open_to_all):
        raise SettingsError(
            f"{path}: set endpoint.credentials or endpoint.secrets, or endpoint.open_to_all = true "
            "to accept requests from everybody."
        )
    if (endpoint.tls_cert_file is None) != (endpoint.tls_key_file is None):
        raise SettingsError(
            f"{path}: set endpoint.tls_cert_file and endpoint.tls_key_file together."
        )
    inboxes = SqliteInboxSettings | PostgresInboxSettings
    if settings.workflows is not None and not isinstance(settings.sink, inboxes):
        raise SettingsError(f'{path}: workflows need a sink of the kind "sqlite" or "postgres".')
    if settings.workflows is not None and settings.spool is not None:
        raise SettingsError(f"{path}: an inbox that workflows run from needs no spool before it.")
