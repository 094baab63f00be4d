"""What each request of a delivery carries: delivery contract §1, as the endpoint sees it."""

import json
import os
import re
import time
from pathlib import Path

import pytest
import standardwebhooks

from chathooks.delivery.log import DeliveryLog
from chathooks.delivery.webhooks import NewWebhook, Webhooks
from chathooks.events import streams
from chathooks.kernel.clock import ManualClock
from chathooks.kernel.ids import EventIds
from chathooks_events.errors import SignatureMismatch
from chathooks_events.signing import verify
from support.endpoints import behaviours
from support.endpoints.server import EndpointServer
from support.rig import APP, POLICY, Rig, running
from support.scripted_endpoint import Received, ScriptedEndpoint

pytestmark = pytest.mark.anyio

UUID_V7 = re.compile(r"evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
BODY_FIELDS = {"trigger", "data", "appId", "region", "webhook", "eventId"}
OVERLAP_S = 3_600


def signed_with(request: Received, secret: str, now_s: float) -> bool:
    """Whether one of the request's signatures was made with the secret."""
    try:
        verify(
            [secret],
            message_id=request.headers["webhook-id"],
            timestamp=request.headers["webhook-timestamp"],
            signature_header=request.headers["webhook-signature"],
            body=request.body,
            now_s=now_s,
        )
    except SignatureMismatch:
        return False
    return True


def webhooks_of(rig: Rig) -> Webhooks:
    return Webhooks(rig.store, rig.outbox, rig.clock, os.urandom, rig.box, POLICY)


async def test_a_delivery_is_a_post_without_cookies(tmp_path: Path, clock: ManualClock) -> None:
    with EndpointServer() as server:
        endpoint = server.listen(behaviours.answering(200, b"ok", "Set-Cookie: session=1; Path=/"))
        async with running(tmp_path, clock) as rig:
            await rig.webhook(endpoint.url("/hook"))
            for _ in range(3):
                await rig.event()
                await rig.quiet()
    assert [request.method for request in endpoint.requests] == ["POST"] * 3
    assert all("cookie" not in request.headers for request in endpoint.requests)


@pytest.mark.parametrize(
    ("trigger", "more"),
    [
        ("message_sent", {}),
        ("user_blocked", {}),
        ("call_started", {"type": "call"}),
        ("meeting_started", {"type": "meet"}),
    ],
)
async def test_the_body_has_the_documented_fields_and_no_others(
    tmp_path: Path, clock: ManualClock, trigger: str, more: dict[str, str]
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), triggers=[trigger])
        await rig.event(trigger)
        await rig.quiet()
        body = json.loads(endpoint.requests[0].body)
        assert set(body) == BODY_FIELDS | set(more)
        assert {name: body[name] for name in more} == more


async def test_an_event_has_one_uuid_v7_for_every_webhook_and_every_attempt(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint(default=500) as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url("/a"), webhook_id="a", retry=True)
        await rig.webhook(endpoint.url("/b"), webhook_id="b", retry=True)
        event_id = await rig.event()
        other_id = await rig.event()
        await rig.quiet()
        clock.advance(10_000)
        await endpoint.arrived(8)
        await rig.quiet()
        seen = {request.headers["webhook-id"] for request in endpoint.requests}
        assert seen == {event_id, other_id}
        assert event_id != other_id
        assert all(UUID_V7.fullmatch(found) for found in seen)
        assert all(r.event.event_id == r.headers["webhook-id"] for r in endpoint.requests)
        attempts = sorted((r.path, r.attempt) for r in endpoint.requests)
        assert attempts == [(path, n) for path in ("/a", "/b") for n in (1, 1, 2, 2)]


def test_event_ids_rise_however_the_clock_steps() -> None:
    readings = iter([5_000, 5_000, 4_000, 4_000, 6_000])
    ids = EventIds(lambda: next(readings), os.urandom)
    made = [ids.next() for _ in range(5)]
    assert made == sorted(made)
    assert len(set(made)) == 5


async def test_the_public_library_accepts_every_delivered_request(tmp_path: Path) -> None:
    clock = ManualClock(int(time.time() * 1000))
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url(), basic=("user", "password"))
        await rig.events(3)
        await rig.quiet()
        public = standardwebhooks.Webhook(rig.secret)
        for request in endpoint.requests:
            public.verify(request.body, request.headers)
        other = standardwebhooks.Webhook("whsec_" + "A" * 43 + "=")
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            other.verify(endpoint.requests[0].body, endpoint.requests[0].headers)


async def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        webhooks = webhooks_of(rig)
        new = NewWebhook(id="hook", name="Hook", url=endpoint.url(), triggers=["message_sent"])
        _, secret = await webhooks.create(APP, new)
        rotated = await webhooks.rotate(APP, "hook", OVERLAP_S)
        await rig.event()
        await rig.quiet()
        clock.advance(OVERLAP_S * 1000 - 1)
        await rig.event()
        await rig.quiet()
        clock.advance(1)
        await rig.event()
        await rig.quiet()
        signed = []
        for request in endpoint.requests:
            now_s = float(request.headers["webhook-timestamp"])
            secrets = (secret, rotated.secret)
            signed.append(tuple(signed_with(request, each, now_s) for each in secrets))
        assert signed == [(True, True), (True, True), (False, True)]


async def test_the_delivery_header_is_the_id_of_the_entry_in_the_log(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        await rig.webhook(endpoint.url())
        event_id = await rig.event()
        await rig.quiet()
        log = DeliveryLog(rig.store, clock)
        found = await log.one(APP, endpoint.requests[0].headers["chathooks-delivery"])
        assert (found.event_id, found.number, found.state) == (event_id, 1, "delivered")


async def test_a_hole_in_the_numbers_can_be_looked_up_and_replayed(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with ScriptedEndpoint() as endpoint, running(tmp_path, clock) as rig:
        endpoint.answer = lambda request: 500 if request.number == 2 else 200
        lane = await rig.webhook(endpoint.url())
        ids = [await rig.event() for _ in range(3)]
        await rig.quiet()
        got = {request.number for request in endpoint.requests if request.answered == 200}
        (missed,) = set(range(1, max(got) + 1)) - got
        log = DeliveryLog(rig.store, clock)
        found = await log.one(APP, f"dlv_{lane}_{missed}")
        assert (found.event_id, found.state) == (ids[1], "failed")
        endpoint.answer = None
        await rig.replay.one(APP, lane, missed)
        await endpoint.arrived(4)
        await rig.quiet()
        assert endpoint.requests[-1].number == missed
        assert endpoint.requests[-1].event.event_id == ids[1]


def test_look_alike_ids_never_share_a_stream() -> None:
    assert streams.conversation("b", "a") == streams.conversation("a", "b")
    named = [
        streams.conversation("a", "b_user_c"),
        streams.conversation("a_user_b", "c"),
        streams.conversation("group", "a"),
        streams.group("a"),
        streams.group("user_a"),
        streams.session("a"),
    ]
    assert len(set(named)) == len(named)
