"""Events into a Kafka topic, through confluent-kafka (librdkafka).

The producer is idempotent and waits for all in-sync replicas; the key is the stream, so that a conversation stays in
one partition and in order. An event that could not be delivered in time is dropped from the producer's queue, so
that what was answered 503 is not sent long after.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable, metadata, told

MESSAGE_TIMEOUT_MS = 1_400
"""Below the receiver's budget: after it librdkafka gives a message up."""
LINGER_MS = 2
POLL_S = 0.1
OPEN_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


class KafkaSink:
    """The topic `topic` on the brokers `servers` (`host:port,host:port`)."""

    def __init__(
        self, servers: str, topic: str, *, options: Mapping[str, str | int] | None = None
    ) -> None:
        """Name brokers and topic. `options` are librdkafka's own (`security.protocol`, `sasl.…`) and win."""
        self._topic = topic
        self._config: dict[str, Any] = {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": LINGER_MS,
            "message.timeout.ms": MESSAGE_TIMEOUT_MS,
            "socket.connection.setup.timeout.ms": MESSAGE_TIMEOUT_MS,
            "reconnect.backoff.max.ms": 1_000,
            **(options or {}),
        }
        self._producer: Producer | None = None
        self._poller: threading.Thread | None = None
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reports: list[tuple[asyncio.Future[None], Any]] = []
        self._lock = threading.Lock()
        self._fatal = False

    async def open(self) -> None:
        """Connect and look the topic up. Raises `SinkUnavailable` where no broker answers within five seconds."""
        self._loop = asyncio.get_running_loop()
        self._start()
        assert self._producer is not None  # noqa: S101 - made in the line above
        try:
            await asyncio.to_thread(self._producer.list_topics, self._topic, OPEN_TIMEOUT_S)
        except KafkaException as error:
            await self.close()
            raise SinkUnavailable(f"Kafka: {told(error)}") from None

    def _start(self) -> None:
        self._fatal = False
        self._producer = Producer({**self._config, "error_cb": self._on_error}, logger=log)
        self._stop = threading.Event()
        self._poller = threading.Thread(
            target=_poll, args=(self._producer, self._stop), name="kafka-poll", daemon=True
        )
        self._poller.start()

    async def put(self, arrival: Arrival) -> bool:
        """Produce, and wait for the report of delivery. Raises `SinkUnavailable`."""
        if self._producer is None:
            raise SinkUnavailable("Kafka: not open.")
        if self._fatal:
            # librdkafka ends an idempotent producer whose sequence broke; a new one starts a sequence of its own.
            await self._restart()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._producer.produce(
                self._topic,
                value=arrival.body,
                key=arrival.stream.encode("utf-8", "surrogatepass"),
                headers=list(metadata(arrival).items()),
                on_delivery=lambda error, message: self._report(future, error),
            )
        except (BufferError, KafkaException) as error:
            raise SinkUnavailable(f"Kafka: {told(error)}") from None
        await future
        return True

    def _report(self, future: "asyncio.Future[None]", error: Any) -> None:
        # Called in the polling thread, for each message of a batch: the loop is woken once for all of them.
        with self._lock:
            self._reports.append((future, error))
            first = len(self._reports) == 1
        if first and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        with self._lock:
            reports, self._reports = self._reports, []
        for future, error in reports:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(SinkUnavailable(f"Kafka: {told(error)}"))

    def _on_error(self, error: Any) -> None:
        if error.fatal():
            self._fatal = True
        log.warning("Kafka: %s", error)

    async def _restart(self) -> None:
        self._fatal = False
        old, stop = self._producer, self._stop
        self._start()
        stop.set()
        if old is not None:
            await asyncio.to_thread(old.purge)

    async def close(self) -> None:
        """Deliver what is under way, for at most five seconds."""
        if self._producer is not None:
            await asyncio.to_thread(self._producer.flush, CLOSE_TIMEOUT_S)
        self._stop.set()
        if self._poller is not None:
            await asyncio.to_thread(self._poller.join, CLOSE_TIMEOUT_S)
        self._producer = self._poller = None


def _poll(producer: Producer, stop: threading.Event) -> None:
    while not stop.is_set():
        producer.poll(POLL_S)
