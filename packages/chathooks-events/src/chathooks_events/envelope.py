"""The delivered body: made by splicing around the stored `data`, read back into typed values.

The bytes of `data` are serialised once, when the event is committed (delivery contract §1); nothing here parses
or serialises them again on the way out.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from chathooks_events.catalog import TRIGGERS
from chathooks_events.errors import InvalidSessionType, MalformedBody, UnknownTrigger

_json = msgspec.json.encode

_HEADS = {name: b'{"trigger":' + _json(name) + b',"data":' for name in TRIGGERS}
_SESSION_ENDS = {
    "call": b',"type":"call"}',
    "meet": b',"type":"meet"}',
}
_DEFAULT_ENDS = {
    name: _SESSION_ENDS[item.session_type] if item.session_type else b"}"
    for name, item in TRIGGERS.items()
}


class EnvelopeTemplate:
    """The envelope of one webhook, ready to be put around any event.

    `app_id`, `region` and `webhook_id` are the strings of the body's `appId`, `region` and `webhook`.
    """

    __slots__ = ("_middle",)

    def __init__(self, app_id: str, region: str, webhook_id: str) -> None:
        """Serialise what is the same for all events of the webhook."""
        self._middle = b"".join(
            (
                b',"appId":',
                _json(app_id),
                b',"region":',
                _json(region),
                b',"webhook":',
                _json(webhook_id),
                b',"eventId":',
            )
        )

    def body(
        self, trigger: str, data: bytes, event_id: str, session_type: str | None = None
    ) -> bytes:
        """The body to deliver: `data` (JSON, as stored) as it is, with the envelope around it.

        `session_type` ("call" or "meet") is for recordings and transcripts, which may be of either; without it
        the trigger's own stands. Raises `UnknownTrigger` and `InvalidSessionType`.
        """
        head = _HEADS.get(trigger)
        if head is None:
            raise UnknownTrigger(f"There is no trigger called {trigger!r}.")
        end = _SESSION_ENDS.get(session_type) if session_type else _DEFAULT_ENDS[trigger]
        if end is None:
            raise InvalidSessionType(f"A session type is call or meet, not {session_type!r}.")
        return b"".join((head, data, self._middle, _json(event_id), end))


def encode_envelope(
    trigger: str,
    data: bytes,
    *,
    app_id: str,
    region: str,
    webhook_id: str,
    event_id: str,
    session_type: str | None = None,
) -> bytes:
    """The body to deliver, as `EnvelopeTemplate.body` makes it, raising what that raises."""
    return EnvelopeTemplate(app_id, region, webhook_id).body(trigger, data, event_id, session_type)


class ReceivedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A delivered event.

    `data` is the Struct of the trigger, or a plain dict when this catalog does not know the trigger. `raw_data`
    are the bytes of `data` as they came. `event_id` is None in bodies of services that send none.
    """

    trigger: str
    data: msgspec.Struct | dict[str, Any]
    app_id: str
    region: str
    webhook_id: str
    event_id: str | None
    session_type: str | None
    raw_data: bytes

    def dedupe_key(self) -> str:
        """The text to deduplicate on: `event_id`, else the values of the trigger's dedupe key as a JSON array.

        Without `event_id`, an unknown trigger's key is its whole `data`. Raises `MalformedBody` where parts of
        `data` that the trigger does not document cannot be read.
        """
        if self.event_id is not None:
            return self.event_id
        known = TRIGGERS.get(self.trigger)
        paths = known.dedupe_key if known else ("webhook", "trigger", "data")
        try:
            body = {
                "webhook": self.webhook_id,
                "trigger": self.trigger,
                "data": msgspec.json.decode(self.raw_data),
            }
            values = [[*_values(body, path.split("."))] for path in paths]
            return msgspec.json.encode(values, order="deterministic").decode()
        except _UNREADABLE as error:
            raise _malformed(error) from None


def _values(node: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield node
        return
    if not isinstance(node, dict):
        return
    first, *rest = path
    for key in sorted(node) if first == "*" else (first,):
        if key in node:
            yield from _values(node[key], rest)


_UNREADABLE = (RecursionError, msgspec.DecodeError, UnicodeError)
"""What reading a hostile body can raise; `msgspec.ValidationError` is a DecodeError."""


def _malformed(error: Exception) -> MalformedBody:
    if isinstance(error, RecursionError):
        return MalformedBody("The body is nested too deeply.")
    if isinstance(error, msgspec.ValidationError):
        return MalformedBody(f"The body is not of the documented shape: {error}")
    return MalformedBody(f"The body is not valid JSON: {error}")


class _Envelope(msgspec.Struct, rename="camel"):
    trigger: str
    data: msgspec.Raw
    app_id: str
    region: str
    webhook: str
    event_id: str | None = None
    type: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_unknown: Callable[[bytes], Any] = msgspec.json.Decoder(dict[str, Any]).decode
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    name: msgspec.json.Decoder(item.data_type).decode for name, item in TRIGGERS.items()
}


def decode_body(body: bytes) -> ReceivedEvent:
    """Read a delivered body. Unknown fields are ignored, an unknown trigger's `data` comes as a dict.

    Raises `MalformedBody`, and nothing else, for whatever is not a body of the contract.
    """
    try:
        envelope = _decode_envelope(body)
        raw_data = bytes(envelope.data)
        data = _DECODERS.get(envelope.trigger, _decode_unknown)(raw_data)
    except _UNREADABLE as error:
        raise _malformed(error) from None
    return ReceivedEvent(
        trigger=envelope.trigger,
        data=data,
        app_id=envelope.app_id,
        region=envelope.region,
        webhook_id=envelope.webhook,
        event_id=envelope.event_id,
        session_type=envelope.type,
        raw_data=raw_data,
    )
