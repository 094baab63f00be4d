"""The stream of a store and a consumer of one node, through JetStream's own API (subjects under `$JS.API`).

The stream lives in memory, briefly: it spares a node that lost its connection for a moment a look at everything, and
tells a node that something was missed, by its sequence. Chathooks clusters that share one NATS have a stream each.
"""

import hashlib
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client

from chathooks.kernel.errors import StartRefused

ASK_S_MAX = 2.0
KEEP_S = 120
MESSAGES_MAX = 10_000
STREAM_BYTES_MAX = 64 * 1024 * 1024
DUPLICATES_S = 60
HEARTBEAT_S = 1.0
INACTIVE_S = 5.0
"""After which the server drops the consumer of a node that is gone."""
NAME_DIGITS = 16
_NS_PER_S = 1_000_000_000
NOT_FOUND = 404
NAME_TAKEN = (10058,)
"""JetStream's error code of a stream that has other settings."""

log = structlog.get_logger("bell")


class JetStreamRefused(Exception):
    """JetStream answered with an error; the text is its own."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class Found(msgspec.Struct, frozen=True):
    """A stream as it is."""

    created: str
    """When; another time is another stream."""
    last: int
    """Sequence of its latest message."""


def stream_name(store_name: str) -> str:
    """The stream of a store; the same on all nodes of its cluster."""
    digest = hashlib.sha256(store_name.encode()).hexdigest()
    return f"CHATHOOKS_{digest[:NAME_DIGITS]}"


def subject(stream: str) -> str:
    """Where the news of a store are published."""
    return f"chathooks.{stream.removeprefix('CHATHOOKS_')}.news"


async def _ask(client: Client, call: str, body: Any = None) -> dict[str, Any]:
    payload = b"" if body is None else msgspec.json.encode(body)
    answer = await client.request(f"$JS.API.{call}", payload, timeout=ASK_S_MAX)
    found: dict[str, Any] = msgspec.json.decode(answer.data)
    error = found.get("error")
    if error is not None:
        raise JetStreamRefused(
            int(error.get("code", 0)), int(error.get("err_code", 0)), str(error.get("description"))
        )
    return found


async def account(client: Client) -> None:
    """Ask whether there is JetStream. Raises JetStreamRefused or nats.errors.Error where there is none."""
    await _ask(client, "INFO")


async def ensure_stream(client: Client, stream: str) -> Found:
    """Make the stream where it is missing, or give it the settings of this version.

    Raises:
        JetStreamRefused: JetStream is there but gives no stream.
        nats.errors.Error: NATS does not answer, or has no JetStream (NoRespondersError).
    """
    config = {
        "name": stream,
        "subjects": [subject(stream)],
        "storage": "memory",
        "retention": "limits",
        "discard": "old",
        "max_age": KEEP_S * _NS_PER_S,
        "max_msgs": MESSAGES_MAX,
        "max_bytes": STREAM_BYTES_MAX,
        "max_consumers": -1,
        "num_replicas": 1,
        "duplicate_window": DUPLICATES_S * _NS_PER_S,
        "deny_delete": False,
    }
    try:
        made = await _ask(client, f"STREAM.CREATE.{stream}", config)
    except JetStreamRefused as refused:
        if refused.code not in NAME_TAKEN:
            raise
        made = await _update(client, stream, config)
    return Found(str(made.get("created")), int(made["state"]["last_seq"]))


async def _update(client: Client, stream: str, config: dict[str, Any]) -> dict[str, Any]:
    try:
        return await _ask(client, f"STREAM.UPDATE.{stream}", config)
    except JetStreamRefused as refused:
        # An operator may have given it replicas or a disk; as long as it has the subject, it serves.
        log.warning("the stream keeps settings of its own", stream=stream, answer=str(refused))
        found = await _ask(client, f"STREAM.INFO.{stream}")
        if subject(stream) not in found["config"].get("subjects", ()):
            raise
        return found


async def new_consumer(client: Client, stream: str, inbox: str, start: int) -> str:
    """Have everything from the sequence `start` sent to `inbox`, and a heartbeat when there is nothing; its name."""
    body = {
        "stream_name": stream,
        "config": {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "replay_policy": "instant",
            "idle_heartbeat": int(HEARTBEAT_S * _NS_PER_S),
            "inactive_threshold": int(INACTIVE_S * _NS_PER_S),
            "mem_storage": True,
            "num_replicas": 1,
        },
    }
    made = await _ask(client, f"CONSUMER.CREATE.{stream}", body)
    return str(made["name"])


async def drop_consumer(client: Client, stream: str, consumer: str) -> None:
    """Have a consumer end."""
    await _ask(client, f"CONSUMER.DELETE.{stream}.{consumer}")


def refusal(error: Exception, where: str) -> StartRefused:
    """Why a start is refused, in words."""
    if isinstance(error, nats.errors.NoRespondersError) or (
        isinstance(error, JetStreamRefused) and error.status == 503 and "not enabled" in str(error)
    ):
        said = f"NATS at {where} has no JetStream. Start it with -js, or enable JetStream for the account."
    elif isinstance(error, JetStreamRefused):
        said = f"JetStream at {where} gives no stream: {error}."
    elif "authorization" in str(error).lower():
        said = f"NATS at {where} does not accept the user. Check CHATHOOKS_NATS_URL."
    else:
        said = (
            f"NATS at {where} cannot be reached ({type(error).__name__}). Check CHATHOOKS_NATS_URL."
        )
    return StartRefused("ERR_NATS", said)
