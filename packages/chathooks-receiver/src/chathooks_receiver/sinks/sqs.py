"""Events into an AWS SQS queue, standard or FIFO, through aiobotocore.

In a FIFO queue (its name ends in `.fifo`) the message group is the stream, so a conversation keeps its order, and the
deduplication id is the digest of the dedupe key. Bodies with characters that SQS does not take go as base64, told by the
attribute `encoding`.
"""

import base64
import re
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable, metadata, told

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 1.4
CONNECTIONS_MAX = 64
ATTRIBUTES = ("trigger", "stream", "dedupe-key", "received-at", "event-id", "chathooks-number")
"""At most ten are allowed."""
GROUP_CHARS_MAX = 128

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUP_UNSAFE = re.compile(r"[^A-Za-z0-9_.:@+=-]")


class SqsSink:
    """The queue at `queue_url`. Credentials come from the environment, as with every AWS client."""

    def __init__(
        self, queue_url: str, *, region: str | None = None, endpoint_url: str | None = None
    ) -> None:
        """Name the queue; `endpoint_url` is for stand-ins of AWS."""
        self._queue_url = queue_url
        self._region = region
        self._endpoint_url = endpoint_url
        self._fifo = queue_url.endswith(".fifo")
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def open(self) -> None:
        """Make the client and look the queue up. Raises `SinkUnavailable`."""
        config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"max_attempts": 0},  # the sender tries again
            max_pool_connections=CONNECTIONS_MAX,
        )
        self._stack = AsyncExitStack()
        try:
            self._client = await self._stack.enter_async_context(
                get_session().create_client(
                    "sqs",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=config,
                )
            )
            await self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["QueueArn"]
            )
        except (BotoCoreError, ClientError, OSError) as error:
            await self.close()
            raise SinkUnavailable(f"SQS: {told(error)}") from None

    async def put(self, arrival: Arrival) -> bool:
        """Send one message. Raises `SinkUnavailable`."""
        if self._client is None:
            raise SinkUnavailable("SQS: not open.")
        fields = metadata(arrival)
        attributes = {name: fields[name] for name in ATTRIBUTES if fields.get(name)}
        text = arrival.body.decode("utf-8")
        if _NOT_XML.search(text):
            attributes["encoding"] = "base64"
            text = base64.b64encode(arrival.body).decode("ascii")
        request: dict[str, Any] = {
            "QueueUrl": self._queue_url,
            "MessageBody": text,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        }
        if self._fifo:
            group = _GROUP_UNSAFE.sub("_", arrival.stream[:GROUP_CHARS_MAX])
            request |= {
                "MessageGroupId": group,
                "MessageDeduplicationId": arrival.digest.hex(),
            }
        try:
            await self._client.send_message(**request)
        except (BotoCoreError, ClientError, OSError) as error:
            raise SinkUnavailable(f"SQS: {told(error)}") from None
        return True

    async def close(self) -> None:
        """Close the connections."""
        self._client = None
        await self._stack.aclose()
