"""The delivery that every outbound side sends: the catalog's sample of `message_sent`, about 1.2 KB as a body."""

import base64
import os
from collections.abc import Iterable

import msgspec

from chathooks.delivery.payload import Endpoint, build
from chathooks.delivery.queue import Candidate
from chathooks.egress.guard import TargetPolicy, parse_target
from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import EnvelopeTemplate
from chathooks_events.samples import sample
from chathooks_events.signing import SigningKey, generate_secret

TRIGGER = "message_sent"
DATA = msgspec.json.encode(sample(TRIGGER))
POLICY = TargetPolicy.of(["127.0.0.0/8"])
USER_AGENT = "Chathooks/benchmark"
EVENT_ID = "evt_01890a5d-ac96-774b-bcce-b302099a8057"
NOW_MS = 1_767_225_600_000


def larger(text_bytes: int) -> bytes:
    """The event's data with so many bytes of text more, such as no compression makes smaller by much; 0: as it is."""
    if not text_bytes:
        return DATA
    text = base64.b64encode(os.urandom(text_bytes))[:text_bytes].decode()
    return msgspec.json.encode({**msgspec.json.decode(DATA), "text": text})


def endpoint_url(port: int) -> str:
    """Where the endpoint of the run takes deliveries."""
    return f"https://localhost:{port}/hook"


def prepared_endpoint(port: int) -> Endpoint:
    """A webhook as the engine holds it, made ready for attempts."""
    return Endpoint(
        lane=1,
        webhook_id="benchmark",
        target=parse_target(endpoint_url(port), POLICY),
        refusal="",
        enabled=True,
        deleted=False,
        retry_on_failure=False,
        max_concurrency=64,
        fixed_headers=(b"Content-Type: application/json",),
        keys=(SigningKey.parse(generate_secret(os.urandom)),),
        previous_expires_at=None,
        template=EnvelopeTemplate("benchmark", "us", "benchmark"),
    )


def candidate(number: int) -> Candidate:
    """A waiting delivery with this number."""
    return Candidate(
        lane=1,
        number=number,
        attempt=0,
        failures=0,
        replay=False,
        due=False,
        trigger_number=TRIGGERS[TRIGGER].number,
        ordered_stream=None,
        created_at=NOW_MS,
        event_id=EVENT_ID,
        sequence=number,
        data=DATA,
    )


def one_request(port: int) -> tuple[list[bytes | str], bytes]:
    """Headers and body of one delivery, as the engine makes them."""
    return build(prepared_endpoint(port), candidate(123_456), NOW_MS)


def header_fields(lines: Iterable[str | bytes]) -> dict[str, str]:
    """Header lines by name, as other clients take them."""
    texts = (line.decode("latin-1") if isinstance(line, bytes) else line for line in lines)
    return dict(text.split(": ", 1) for text in texts)
