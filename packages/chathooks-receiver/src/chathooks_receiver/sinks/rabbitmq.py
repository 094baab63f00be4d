"""Events into a RabbitMQ quorum queue, through aio-pika, with publisher confirms.

A confirm means that a quorum of the nodes has the message on disk. Messages are mandatory: one that no queue would
take comes back and is not accepted.
"""

import asyncio
import contextlib
import logging

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    DeliveryError,
    PublishError,
)

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable, metadata, told

CONNECT_TIMEOUT_S = 5.0
RECONNECT_S = 0.5
CHANNELS = 4
"""Confirms come in order within a channel; a few channels keep one slow confirm from holding back all."""

ROUTING_KEY_CHARS_MAX = 255

_ERRORS = (AMQPError, OSError, RuntimeError, TimeoutError)

log = logging.getLogger(__name__)


class RabbitSink:
    """The queue `queue` of the RabbitMQ at `url`, or `exchange` with the trigger as routing key.

    A lost connection is opened anew in the background by the next event; until then events are refused at once.
    """

    def __init__(
        self, url: str, queue: str, *, exchange: str | None = None, declare: bool = True
    ) -> None:
        """Name the place. `declare` makes the queue (durable, quorum) and the exchange (topic) where missing.

        With an exchange the queue is bound to it for all triggers.
        """
        self._url = url
        self._queue = queue
        self._exchange_name = exchange
        self._declare = declare
        self._connection: AbstractConnection | None = None
        self._exchanges: list[AbstractExchange] = []
        self._turn = 0
        self._connecting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and declare. Raises `SinkUnavailable`."""
        try:
            await self._connect()
        except _ERRORS as error:
            raise SinkUnavailable(f"RabbitMQ: {told(error)}") from None

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await aio_pika.connect(self._url, timeout=CONNECT_TIMEOUT_S)
            try:
                first = await self._channel(connection)
                await self._declare_places(first)
                others = [await self._channel(connection) for _ in range(CHANNELS - 1)]
                channels = [first, *others]
                self._exchanges = [await self._exchange(channel) for channel in channels]
            except BaseException:
                await connection.close()
                raise
        self._connection = connection

    async def _channel(self, connection: AbstractConnection) -> AbstractChannel:
        return await connection.channel(publisher_confirms=True, on_return_raises=True)

    async def _exchange(self, channel: AbstractChannel) -> AbstractExchange:
        if self._exchange_name is None:
            return channel.default_exchange
        return await channel.get_exchange(self._exchange_name, ensure=False)

    async def _declare_places(self, channel: AbstractChannel) -> None:
        queue = await channel.declare_queue(
            self._queue,
            durable=True,
            passive=not self._declare,
            arguments={"x-queue-type": "quorum"} if self._declare else None,
        )
        if self._exchange_name is not None and self._declare:
            exchange = await channel.declare_exchange(
                self._exchange_name, aio_pika.ExchangeType.TOPIC, durable=True
            )
            await queue.bind(exchange, "#")

    async def put(self, arrival: Arrival) -> bool:
        """Publish and wait for the confirm. Raises `SinkUnavailable`."""
        if self._connection is None:
            raise SinkUnavailable("RabbitMQ: not open.")
        if self._connection.is_closed:
            self._connect_again()
            raise SinkUnavailable("RabbitMQ: not connected.")
        self._turn = (self._turn + 1) % len(self._exchanges)
        headers = metadata(arrival)
        message = aio_pika.Message(
            arrival.body,
            headers=dict(headers),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=arrival.digest.hex(),
        )
        key = headers["trigger"] if self._exchange_name is not None else self._queue
        try:
            await self._exchanges[self._turn].publish(
                message, key[:ROUTING_KEY_CHARS_MAX], mandatory=True
            )
        except (DeliveryError, PublishError) as error:
            raise SinkUnavailable(f"RabbitMQ did not take the message: {told(error)}") from None
        except asyncio.CancelledError as error:
            # aiormq cancels what waits for a confirm when the connection is lost; that is not our own cancellation.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise SinkUnavailable(f"RabbitMQ: {told(error)}") from None
        except _ERRORS as error:
            if isinstance(error, ChannelInvalidStateError):
                await self._give_up()
            raise SinkUnavailable(f"RabbitMQ: {told(error)}") from None
        return True

    async def _give_up(self) -> None:
        """A channel that the broker closed stays closed: start over with the next event."""
        if self._connection is not None and not self._connection.is_closed:
            with contextlib.suppress(*_ERRORS):
                await self._connection.close()

    def _connect_again(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._connected_again())

    async def _connected_again(self) -> None:
        try:
            await self._connect()
        except _ERRORS as error:
            log.warning("RabbitMQ: %s", told(error))
            await asyncio.sleep(RECONNECT_S)

    async def close(self) -> None:
        """Disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        connection, self._connection = self._connection, None
        self._exchanges = []
        if connection is not None and not connection.is_closed:
            with contextlib.suppress(*_ERRORS):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await connection.close()
