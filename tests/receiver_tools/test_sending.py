"""`trigger` and `simulate`: what arrives at an endpoint, and what they say came of it."""

import asyncio
import base64
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from chathooks_events.catalog import TRIGGERS
from chathooks_events.envelope import decode_body
from chathooks_events.samples import sample
from chathooks_receiver.testing import TEST_SECRET
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.sender import Sender
from chathooks_receiver.tools.simulation.direct import Load, Played, play
from chathooks_receiver.tools.simulation.scenarios import events
from chathooks_receiver.tools.target import parse_target
from receiver_tools.conftest import Tls
from support.faulty_endpoints import FaultyEndpoints
from support.receiver_command import ReceiverShell
from support.receiver_server import LOOPBACK, PASSWORD, USERNAME, kit, serving_app
from support.scripted_endpoint import ScriptedEndpoint
from support.server import running
from support.waiting import eventually

PROOF = ("--username", USERNAME, "--password", PASSWORD, "--secret", TEST_SECRET)


# --- trigger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["message_sent", "call_started", "after_campaign_failed"])
def test_a_sample_arrives_signed_and_authorised(shell: ReceiverShell, name: str) -> None:
    good = kit()
    with serving_app(good.app) as url:
        run = shell.run("trigger", name, "--url", url, *PROOF, "--json")
    assert run.code == 0, run.err
    (arrival,) = good.sink.arrivals
    assert arrival.event.trigger == name
    assert arrival.event.event_id == run.json["eventId"]
    assert (run.json["status"], run.json["trigger"]) == (200, name)
    assert decode_body(arrival.body).raw_data == arrival.event.raw_data


def test_every_trigger_can_be_sent_and_is_listed(shell: ReceiverShell) -> None:
    listed = shell.run("trigger", "--list", "--json").json
    assert [item["name"] for item in listed] == list(TRIGGERS)
    good = kit()
    with serving_app(good.app) as url:
        codes = {shell.run("trigger", name, "--url", url, *PROOF).code for name in TRIGGERS}
    assert codes == {0}
    assert {arrival.event.trigger for arrival in good.sink.arrivals} == set(TRIGGERS)


def test_fields_of_the_sample_can_be_changed(shell: ReceiverShell) -> None:
    good = kit()
    with serving_app(good.app) as url:
        run = shell.run(
            "trigger", "message_sent", "--url", url, *PROOF,
            "--set", "data.message.data.text=Hello, world = 1",
            "--set", "data.message.sentAt=1767225601",
            "--set", "data.message.data.attachments.0.name=lake-2.jpg",
            "--set", 'data.message.data.metadata={"a": [1, 2]}',
        )  # fmt: skip
    assert run.code == 0, run.err
    message = decode_body(good.sink.arrivals[0].body).data.message  # type: ignore[union-attr] # -- a MessageSent
    assert message.data.text == "Hello, world = 1"
    assert message.sent_at == 1_767_225_601
    assert message.data.attachments[0].name == "lake-2.jpg"
    assert message.data.metadata == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("text=Hello", "begins with `data.`"),
        ("data.message", "begins with `data.`"),
        ("data.message.sentAt=soon", "it is no message_sent"),
        ("data.message.id.more=1", "there is no `more` to set"),
        ("data.message.data.attachments.7.name=x", "there is nothing below `7`"),
    ],
)
def test_changes_that_cannot_be_made_send_nothing(
    shell: ReceiverShell, change: str, says: str
) -> None:
    good = kit()
    with serving_app(good.app) as url:
        run = shell.run("trigger", "message_sent", "--url", url, *PROOF, "--set", change)
    assert run.code == 2
    assert "ERR_SET" in run.err
    assert says in run.err
    assert len(good.sink.arrivals) == 0


def test_changes_that_the_catalog_does_not_allow_can_be_sent_unchecked(
    shell: ReceiverShell,
) -> None:
    with serving_app(kit().app) as url:
        run = shell.run(
            "trigger", "message_sent", "--url", url, *PROOF, "--unchecked",
            "--set", "data.message.sentAt=soon", "--json",
        )  # fmt: skip
    assert (run.code, run.json["status"]) == (1, 400)


def test_cometchats_form_has_no_event_id_and_no_signature(shell: ReceiverShell) -> None:
    good = kit(secrets=[])
    with serving_app(good.app) as url:
        run = shell.run(
            "trigger", "message_sent", "--url", url, "--username", USERNAME, "--password", PASSWORD,
            "--as", "cometchat", "--json", "--verbose",
        )  # fmt: skip
    assert run.code == 0, run.err
    (arrival,) = good.sink.arrivals
    assert arrival.event.event_id is None
    assert arrival.headers == {}
    assert "eventId" not in run.json


def test_over_tls_with_an_authority_of_ones_own(shell: ReceiverShell, tls: Tls) -> None:
    with serving_app(kit().app, pem=tls.pem) as url:
        trusted = shell.run(
            "trigger", "message_sent", "--url", url, *PROOF, "--ca-file", str(tls.ca_file)
        )
        unknown = shell.run("trigger", "message_sent", "--url", url, *PROOF, "--json")
    assert trusted.code == 0
    assert "200" in trusted.out
    assert (unknown.code, unknown.json["failure"]) == (3, "tls")


def test_a_refusal_is_shown_and_ends_with_1_without_the_password(shell: ReceiverShell) -> None:
    with serving_app(kit().app) as url:
        run = shell.run(
            "trigger", "message_sent", "--url", url, "--username", USERNAME, "--password", "not it",
            "--verbose",
        )  # fmt: skip
    assert run.code == 1
    assert "401" in run.out
    encoded = base64.b64encode(f"{USERNAME}:not it".encode()).decode()
    assert "not it" not in run.out + run.err
    assert encoded not in run.out + run.err


@pytest.mark.anyio
async def test_through_a_server_the_attempt_is_shown(shell: ReceiverShell, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"allow_http_targets": True, "allow_target_networks": LOOPBACK}
    async with ScriptedEndpoint() as endpoint, running(tmp_path, **settings) as client:
        await client.call(
            "POST", "/webhooks", {"id": "w1", "name": "n", "webhookURL": endpoint.url()}
        )
        server = ("--server", client.url, "--api-key", client.credentials.api_key)
        good = await shell("trigger", "user_blocked", *server, "--webhook", "w1", "--json")
        shown = await shell("trigger", "user_blocked", *server, "--webhook", "w1")
        unknown = await shell("trigger", "user_blocked", *server, "--webhook", "w2")
        wrong_key = await shell(
            "trigger", "user_blocked", "--server", client.url, "--api-key", "x", "--webhook", "w1"
        )
        assert [item.headers["chathooks-test"] for item in endpoint.requests] == ["1", "1"]
    assert good.code == 0, good.err
    assert good.json["state"] == "delivered"
    assert "delivered" in shown.out
    assert (unknown.code, wrong_key.code) == (1, 1)
    assert "ERR_WEBHOOK_NOT_FOUND" in unknown.err
    assert "AUTH_ERR_APIKEY_NOT_FOUND" in wrong_key.err


# --- simulate ------------------------------------------------------------------------------------------------


def test_a_chat_arrives_whole_and_is_summed_up(shell: ReceiverShell) -> None:
    good = kit()
    with serving_app(good.app) as url:
        run = shell.run(
            "simulate", "everything", "--url", url, *PROOF,
            "--rate", "400", "--duration", "1", "--seed", "7", "--json",
        )  # fmt: skip
    assert run.code == 0, run.err
    expected = list(islice(events("everything", 7), 400))
    assert {a.event.event_id for a in good.sink.arrivals} == {e.event_id for e in expected}
    result = run.json
    assert (result["sent"], result["acknowledged"], result["answers"]) == (400, 400, {"200": 400})
    assert result["triggers"] == dict(Counter(event.trigger for event in expected))
    latency = result["latencyMs"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    sequences = {a.event.event_id: a.headers.get("chathooks-sequence") for a in good.sink.arrivals}
    for event in expected:
        wanted = None if event.sequence is None else str(event.sequence)
        assert sequences[event.event_id] == wanted


def test_duplicates_are_sent_and_recognised(shell: ReceiverShell) -> None:
    good = kit()
    with serving_app(good.app) as url:
        run = shell.run(
            "simulate", "chat", "--url", url, *PROOF,
            "--rate", "200", "--duration", "1", "--seed", "1", "--duplicates", "0.2", "--json",
        )  # fmt: skip
    result = run.json
    assert result["events"] == 200
    assert 10 < result["sentTwice"] < 90
    assert result["sent"] == 200 + result["sentTwice"]
    assert result["answeredAsDuplicate"] == result["sentTwice"]
    assert good.sink.count == 200


def test_the_bodies_over_the_wire_are_the_same_for_the_same_seed() -> None:
    def bodies(seed: int) -> list[bytes]:
        good = kit(credentials=[], secrets=[])
        with serving_app(good.app) as url:

            async def send() -> Played:
                sender = Sender(parse_target(url))
                load = Load(scenario="group", seed=seed, rate=500, duration_s=0.2)
                try:
                    return await play(load, sender, Identity())
                finally:
                    await sender.close()

            assert asyncio.run(send()).good
        return sorted(arrival.body for arrival in good.sink.arrivals)

    assert bodies(5) == bodies(5)
    assert bodies(5) != bodies(6)


def test_failures_are_counted_by_status_and_class(tmp_path: Path, shell: ReceiverShell) -> None:
    with FaultyEndpoints(tmp_path) as endpoints:
        listening = endpoints.listen("ok,status-500,garbage,close")
        run = shell.run(
            "simulate", "storm", "--url", listening.url,
            "--rate", "20", "--duration", "1", "--seed", "1", "--json",
        )  # fmt: skip
    assert run.code == 1
    answers = run.json["answers"]
    assert set(answers) <= {"200", "500", "protocol", "connection_reset"}
    assert answers["500"] > 0
    assert sum(answers.values()) == run.json["sent"] == 20


def test_a_slow_endpoint_does_not_slow_the_sending() -> None:
    """The loop is open: two seconds of silence do not move what is due meanwhile."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65_536):
                pass
        except OSError:
            writer.transport.abort()
        finally:
            writer.close()

    async def work() -> Played:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            sender = Sender(parse_target(url), timeout_s=1.0)
            load = Load(scenario="chat", seed=1, rate=50, duration_s=1.0)
            return await play(load, sender, Identity())

    played = asyncio.run(work())
    assert played.answers == {"timeout_response": 50}
    # One after the other they would have taken 50 s.
    assert played.seconds < 20
    assert played.latency_ms is not None
    assert played.latency_ms.p50 >= 1_000


@pytest.mark.anyio
async def test_through_a_server_its_calls_fire_the_events(
    shell: ReceiverShell, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"allow_http_targets": True, "allow_target_networks": LOOPBACK}
    triggers = ["group_created", "message_sent", "message_edited", "group_member_added"]
    async with ScriptedEndpoint() as endpoint, running(tmp_path, **settings) as client:
        await client.call(
            "POST",
            "/webhooks",
            {"id": "w1", "name": "n", "webhookURL": endpoint.url(), "triggers": triggers},
        )
        run = await shell(
            "simulate", "everything", "--server", client.url, "--api-key", client.credentials.api_key,
            "--rate", "100", "--duration", "1.5", "--seed", "3", "--json",
        )  # fmt: skip
        assert run.code == 0, (run.out, run.err)
        assert (run.json["calls"], run.json["answers"]) == (150, {"200": 150})
        feed = await client.call("GET", "/events?limit=1000")
        fired = Counter(event["trigger"] for event in feed.data)
        await eventually(lambda: len(endpoint.requests) == sum(fired[name] for name in triggers))
    assert run.json["notPossible"] == 0
    assert fired["message_sent"] > 10
    assert set(triggers) <= set(fired)
    assert run.json["passedOver"] > 0


def test_a_sample_is_not_changed_by_changes() -> None:
    from chathooks_receiver.tools.changes import changed_data

    before = sample("message_sent")
    changed_data("message_sent", ["data.message.data.text=Other"], checked=True)
    assert sample("message_sent") == before
