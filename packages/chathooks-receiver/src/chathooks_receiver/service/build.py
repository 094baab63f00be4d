"""From settings to parts: the only place of the service that names stores and sinks. Drivers are imported when they are used."""

import importlib
from collections.abc import Callable
from typing import TypeVar

from chathooks_receiver.dedupe import Dedupe
from chathooks_receiver.dedupe.memory import MemoryDedupe
from chathooks_receiver.dedupe.sqlite import SqliteDedupe
from chathooks_receiver.dedupe.sqlite_shared import SharedSqliteDedupe
from chathooks_receiver.service import settings as s
from chathooks_receiver.sinks import Sink
from chathooks_receiver.sinks.jsonlines import JsonLinesSink
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Workflows

T = TypeVar("T")


def make_dedupe(settings: s.DedupeSettings) -> Dedupe:
    """The dedupe store. Raises `SettingsError` where its driver is not installed."""
    match settings:
        case s.MemoryDedupeSettings(events_max=events_max):
            return MemoryDedupe(events_max)
        case s.SqliteDedupeSettings(path=path, shared=shared, events_max=events_max):
            if shared:
                return SharedSqliteDedupe(path, events_max=events_max)
            return SqliteDedupe(path, events_max=events_max)
        case s.PostgresDedupeSettings(dsn=dsn, window_s=window_s):
            return _needing("postgres", lambda: _postgres_dedupe(dsn, window_s))
        case s.RedisDedupeSettings(url=url, window_s=window_s):
            return _needing("redis", lambda: _redis_dedupe(url, window_s))


def _postgres_dedupe(dsn: str, window_s: float) -> Dedupe:
    from chathooks_receiver.dedupe.postgres import PostgresDedupe

    return PostgresDedupe(dsn, window_s=window_s)


def _redis_dedupe(url: str, window_s: float) -> Dedupe:
    from chathooks_receiver.dedupe.redis import RedisDedupe

    return RedisDedupe(url, window_s=window_s)


def make_sink(settings: s.SinkSettings) -> Sink:
    """The sink. Raises `SettingsError` where its driver is not installed."""
    match settings:
        case s.JsonLinesSettings(path=path):
            return JsonLinesSink(path)
        case s.SqliteInboxSettings(path=path, shared=shared):
            return SqliteInbox(path, shared=shared)
        case _:
            kind: str = settings.__struct_config__.tag  # type: ignore[assignment]  # tags are text here
            return _needing(kind, lambda: _broker(settings))


def _broker(settings: s.SinkSettings) -> Sink:
    match settings:
        case s.KafkaSettings(servers=servers, topic=topic, options=options):
            from chathooks_receiver.sinks.kafka import KafkaSink

            return KafkaSink(servers, topic, options=options)
        case s.RabbitSettings(url=url, queue=queue, exchange=exchange, declare=declare):
            from chathooks_receiver.sinks.rabbitmq import RabbitSink

            return RabbitSink(url, queue, exchange=exchange, declare=declare)
        case s.SqsSettings(queue_url=queue_url, region=region, endpoint_url=endpoint_url):
            from chathooks_receiver.sinks.sqs import SqsSink

            return SqsSink(queue_url, region=region, endpoint_url=endpoint_url)
        case s.NatsSettings():
            from chathooks_receiver.sinks.nats import NatsSink

            return NatsSink(
                list(settings.servers),
                settings.stream,
                prefix=settings.prefix,
                replicas=settings.replicas,
                declare=settings.declare,
                credentials_file=settings.credentials_file,
            )
        case s.RedisSinkSettings(url=url, stream=stream, replicas=replicas, entries_max=most):
            from chathooks_receiver.sinks.redis import RedisSink

            return RedisSink(url, stream, replicas=replicas, entries_max=most)
        case s.PostgresInboxSettings(dsn=dsn):
            from chathooks_receiver.sinks.postgres import PostgresInbox

            return PostgresInbox(dsn)
        case s.JsonLinesSettings() | s.SqliteInboxSettings():
            raise AssertionError("made without a driver")


def load_workflows(name: str) -> Workflows:
    """The `Workflows` that `module:name` leads to. Raises `SettingsError`."""
    module_name, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise s.SettingsError(f"workflows.load: {name} cannot be imported: {error}.") from None
    if not isinstance(found, Workflows):
        raise s.SettingsError(f"workflows.load: {name} is not a Workflows.")
    return found


def _needing(extra: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except ImportError as error:
        raise s.SettingsError(
            f"The kind {extra!r} needs a driver that is not installed ({error.name}). "
            f"Install chathooks-receiver[{extra}]."
        ) from None
