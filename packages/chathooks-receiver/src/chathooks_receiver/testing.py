"""Deliveries to test an endpoint with: built, signed and authorised as a sender does it (delivery contract §1).

    request = signed_request("message_sent", secret=SECRET, credentials=("shop", "pass"))
    answer = client.post("/webhook", content=request.body, headers=request.headers)

`FakeSender` keeps what all requests of one sender share and gives each delivery an id of its own. Nothing here
needs more than the base distribution; the fixtures of the pytest plugin stand in `pytest_plugin`.
"""

import base64
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import encode_envelope
from chathooks_events.samples import sample_data
from chathooks_events.signing import SigningKey, basic_authorization, signature_header

APP_ID = "testapp"
REGION = "us"
WEBHOOK_ID = "test-webhook"
USER_AGENT = "Chathooks/testing"

TEST_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode("ascii")
"""A signing secret for tests; no server ever makes it."""
TEST_CREDENTIALS = ("chathooks", "for tests only")
"""Basic credentials for tests."""

Data = msgspec.Struct | Mapping[str, Any] | bytes | None


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, ready to be sent: the method, the headers and the body of one request."""

    method: str
    headers: dict[str, str]
    body: bytes
    event_id: str | None


def event_id_at(now_s: float, randomness: random.Random) -> str:
    """An id of the form `evt_` + UUIDv7 for the unix time `now_s` (seconds; delivery contract §1)."""
    milliseconds = int(now_s * 1000) & (2**48 - 1)
    bits = milliseconds << 80 | 0x7 << 76 | randomness.getrandbits(12) << 64
    bits |= 0b10 << 62 | randomness.getrandbits(62)
    digits = f"{bits:032x}"
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "evt_" + "-".join(parts)


def signed_request(
    trigger: str,
    data: Data = None,
    *,
    event_id: str | None = "evt_01890a5d-ac96-774b-bcce-b302099a8057",
    timestamp_s: float | None = None,
    secret: str | Sequence[str] | None = TEST_SECRET,
    credentials: tuple[str, str] | None = TEST_CREDENTIALS,
    app_id: str = APP_ID,
    region: str = REGION,
    webhook_id: str = WEBHOOK_ID,
    session_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> SignedRequest:
    """One delivery of `trigger` with `data`: a payload, a mapping, JSON bytes, or the catalog's sample for None.

    `timestamp_s` is the unix time of the signature in seconds, now for None. `secret` is one signing secret or
    several (a rotation), `credentials` the Basic (username, password); None leaves the header out. With
    `event_id=None` the body has none and nothing is signed, as CometChat's cloud sends it. `session_type` is
    "call" or "meet", for recordings and transcripts. `headers` are added last and win. A trigger that the catalog does not
    know is sent all the same. Raises `UnknownTrigger` for an unknown trigger without `data`, and `InvalidSecret`.
    """
    encoded = _encoded(trigger, data)
    if trigger in TRIGGERS and event_id is not None:
        body = encode_envelope(
            trigger,
            encoded,
            app_id=app_id,
            region=region,
            webhook_id=webhook_id,
            event_id=event_id,
            session_type=session_type,
        )
    else:
        body = _plain_envelope(trigger, encoded, app_id, region, webhook_id, event_id, session_type)
    fields = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    if credentials is not None:
        fields["Authorization"] = basic_authorization(*credentials)
    if event_id is not None and secret is not None:
        at_s = int(time.time() if timestamp_s is None else timestamp_s)
        secrets = [secret] if isinstance(secret, str) else list(secret)
        keys = [SigningKey.parse(item) for item in secrets]
        fields["webhook-id"] = event_id
        fields["webhook-timestamp"] = str(at_s)
        fields["webhook-signature"] = signature_header(keys, event_id, at_s, body)
    fields.update(headers or {})
    return SignedRequest(method="POST", headers=fields, body=body, event_id=event_id)


class FakeSender:
    """A sender for tests: what its requests share, and a new event id for each of them.

    The same `seed` and clock give the same ids. `now_s` tells the unix time in seconds.
    """

    def __init__(
        self,
        *,
        secret: str | None = TEST_SECRET,
        credentials: tuple[str, str] | None = TEST_CREDENTIALS,
        app_id: str = APP_ID,
        region: str = REGION,
        webhook_id: str = WEBHOOK_ID,
        now_s: Callable[[], float] = time.time,
        seed: int = 0,
    ) -> None:
        """Keep what all requests share; None for `secret` or `credentials` leaves that check out."""
        self.secret = secret
        self.credentials = credentials
        self.app_id = app_id
        self.region = region
        self.webhook_id = webhook_id
        self._now_s = now_s
        self._randomness = random.Random(seed)  # noqa: S311 - ids of tests, reproducible on purpose
        self._number = 0

    def request(
        self,
        trigger: str,
        data: Data = None,
        *,
        event_id: str | None = None,
        attempt: int = 1,
        sequence: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SignedRequest:
        """The first attempt of a new delivery, numbered as a server numbers it; `attempt` 2 or 3 is a retry.

        `sequence` is the place of the event in its stream, from 1; left out where None.
        """
        now_s = self._now_s()
        self._number += 1
        fields = {
            "chathooks-delivery": f"dlv_{self._number}",
            "chathooks-attempt": str(attempt),
            "chathooks-number": str(self._number),
        }
        if sequence is not None:
            fields["chathooks-sequence"] = str(sequence)
        return signed_request(
            trigger,
            data,
            event_id=event_id or event_id_at(now_s, self._randomness),
            timestamp_s=now_s,
            secret=self.secret,
            credentials=self.credentials,
            app_id=self.app_id,
            region=self.region,
            webhook_id=self.webhook_id,
            headers={**fields, **(headers or {})},
        )


def _encoded(trigger: str, data: Data) -> bytes:
    if isinstance(data, bytes):
        return data
    return msgspec.json.encode(sample_data(trigger) if data is None else data)


def _plain_envelope(
    trigger: str,
    data: bytes,
    app_id: str,
    region: str,
    webhook_id: str,
    event_id: str | None,
    session_type: str | None,
) -> bytes:
    known = TRIGGERS.get(trigger)
    kind = session_type or (known.session_type if known else None)
    body: dict[str, Any] = {
        "trigger": trigger,
        "data": msgspec.Raw(data),
        "appId": app_id,
        "region": region,
        "webhook": webhook_id,
    }
    if event_id is not None:
        body["eventId"] = event_id
    if kind is not None:
        body["type"] = kind
    return msgspec.json.encode(body)
