"""`faulty` and the platform together: each mode is the failure that it says, in the delivery log of the real server."""

import asyncio
import json
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks_receiver.testing import FakeSender, signed_request
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.faults.modes import MODES, Mode, parse_modes
from chathooks_receiver.tools.sender import Result, Sender
from chathooks_receiver.tools.target import parse_target
from support.faulty_endpoints import FaultyEndpoints
from support.receiver_command import ReceiverShell
from support.receiver_server import LOOPBACK
from support.server import Client, running
from support.waiting import eventually

LINE_TIMEOUT_S = 30.0
FIRE_TOGETHER = 6
STATUSES = ("status-201", "status-204", "status-301", "status-404", "status-500", "status-503")
NAMES = [*MODES, *STATUSES]


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[FaultyEndpoints]:
    with FaultyEndpoints(tmp_path) as started:
        yield started


@asynccontextmanager
async def platform(tmp_path: Path, **settings: Any) -> AsyncIterator[Client]:
    given = {"allow_http_targets": True, "allow_target_networks": LOOPBACK, **settings}
    async with running(tmp_path / "server", webhooks_per_app=100, **given) as client:
        yield client


async def register(client: Client, webhook_id: str, url: str, **fields: Any) -> None:
    body = {"id": webhook_id, "name": "n", "webhookURL": url, **fields}
    assert (await client.call("POST", "/webhooks", body)).status == 200


@pytest.mark.anyio
async def test_each_mode_is_the_failure_that_it_says(
    tmp_path: Path, endpoints: FaultyEndpoints
) -> None:
    """Test fires through the real engine's client; a few at a time, since some take their two seconds."""
    listening = {name: endpoints.listen(name) for name in NAMES}
    slots = asyncio.Semaphore(FIRE_TOGETHER)
    authorities = tmp_path / "all.pem"
    authorities.write_bytes(
        b"".join(item.ca_file.read_bytes() for item in listening.values() if item.ca_file)
    )
    # Three seconds instead of two leave room for a late answer on a busy machine.
    async with platform(tmp_path, target_ca_file=authorities, request_timeout=3.0) as client:

        async def fired(name: str) -> tuple[str, Any]:
            async with slots:
                await register(client, name, listening[name].url)
                # The second request of a connection is the one that this mode is about.
                for _ in range(2 if name == "reset-kept" else 1):
                    answer = await client.call(
                        "POST", f"/webhooks/{name}/test", {"trigger": "message_sent"}
                    )
                return name, answer.data["attempts"][0]

        attempts = dict(await asyncio.gather(*(fired(name) for name in NAMES)))
    seen = {name: attempt.get("failure") for name, attempt in attempts.items()}
    assert seen == {mode.name: mode.failure for mode in map(_one, NAMES)}
    assert attempts["status-503"]["status"] == 503
    assert attempts["redirect"]["status"] == 307
    explained = {name: attempts[name]["explanation"] for name in NAMES if "certificate" in name}
    assert "has expired" in explained["expired-certificate"]
    assert "another host" in explained["wrong-name-certificate"]
    assert "self-signed" in explained["self-signed-certificate"]
    for name in NAMES:
        if not name.endswith("-certificate"):
            first = listening[name].arrived[0]
            assert (first.trigger, first.signed, first.method) == ("message_sent", True, "POST")


def _one(name: str) -> Mode:
    (mode,) = parse_modes(name)
    return mode


@pytest.mark.anyio
async def test_the_engine_retries_over_failures_until_the_endpoint_accepts(
    tmp_path: Path, endpoints: FaultyEndpoints
) -> None:
    listening = endpoints.listen("status-503,garbage,ok")
    async with platform(tmp_path, retry_schedule=(0.2, 0.2)) as client:
        for uid in ("alice", "bob"):
            await client.call("POST", "/users", {"uid": uid, "name": uid})
        await register(
            client, "w1", listening.url, triggers=["message_sent"], retryOnFailure=True,
            useBasicAuth=True, username="me", password="pass",
        )  # fmt: skip
        message = {
            "receiver": "bob",
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": "Hello"},
        }
        sent = await client.call("POST", "/messages", message, headers={"onBehalfOf": "alice"})
        assert sent.status == 200

        async def delivered() -> bool:
            log = (await client.call("GET", "/webhooks/w1/deliveries")).data
            return bool(log) and log[0]["state"] == "delivered"

        await eventually(delivered)
        (entry,) = (await client.call("GET", "/webhooks/w1/deliveries")).data
    failures = [attempt.get("failure") for attempt in entry["attempts"]]
    assert failures == ["http_status", "protocol", None]
    assert [item.mode for item in listening.arrived] == ["status-503", "garbage", "ok"]
    assert [item.attempt for item in listening.arrived] == ["1", "2", "3"]
    assert {item.event_id for item in listening.arrived} == {entry["eventId"]}
    assert all(item.basic_auth and item.signed for item in listening.arrived)


def test_the_same_seed_fails_in_the_same_way(endpoints: FaultyEndpoints) -> None:
    def taken(seed: int) -> list[str]:
        listening = endpoints.listen("ok*3,status-500,status-404", at_random=True, seed=seed)

        async def send() -> None:
            sender = Sender(parse_target(listening.url))
            for _ in range(30):
                await sender.deliver(FakeSender().request("message_sent"))
            await sender.close()

        asyncio.run(send())
        return [item.mode for item in listening.arrived]

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)
    assert set(taken(1)) == {"ok", "status-500", "status-404"}


@pytest.mark.parametrize("name", sorted(MODES))
def test_the_tools_own_sender_tells_the_modes_apart_as_the_server_does(
    name: str, endpoints: FaultyEndpoints
) -> None:
    mode = MODES[name]
    listening = endpoints.listen(name)
    slow = mode.failure == "timeout_response" or name in ("late-200", "drip-body")

    async def send() -> list[Result]:
        sender = Sender(
            parse_target(listening.url, listening.ca_file), timeout_s=1.5 if slow else 20.0
        )
        times = 2 if name == "reset-kept" else 1
        results = [await sender.deliver(signed_request("message_sent")) for _ in range(times)]
        await sender.close()
        return results

    last = asyncio.run(send())[-1]
    if name == "late-200":  # that is not enough for it
        assert last.failure == "timeout_response"
    elif mode.failure == "http_status":
        assert (last.status, last.acknowledged) == (307, False)
    else:
        assert last.failure == mode.failure
        assert last.acknowledged == (mode.failure is None)


def _listening(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Listening on "), line
    return line.split()[2].rstrip(";")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_what_came_and_ends_in_order(
    shell: ReceiverShell, number: signal.Signals
) -> None:
    with shell.started("faulty", "--port", "0", "--mode", "status-500,hang", "--json") as process:
        url = _listening(process)

        async def send() -> list[Result]:
            sender = Sender(parse_target(url), timeout_s=4.0)
            results = [await sender.deliver(signed_request("user_blocked")) for _ in range(2)]
            await sender.close()
            return results

        results = asyncio.run(send())
        assert [result.outcome for result in results] == ["500", "timeout_response"]
        process.send_signal(number)
        out, err = process.communicate(timeout=LINE_TIMEOUT_S)
    assert process.returncode == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["mode"], line["trigger"]) for line in lines] == [
        ("status-500", "user_blocked"),
        ("hang", "user_blocked"),
    ]
    assert "Traceback" not in err


def test_a_certificate_made_on_the_fly_is_vouched_for_by_the_written_authority(
    shell: ReceiverShell,
) -> None:
    ca_file = shell.folder / "ca.pem"
    with shell.started(
        "faulty", "--port", "0", "--mode", "ok", "--tls", "--ca-out", str(ca_file)
    ) as process:
        url = _listening(process)
        assert url.startswith("https://")

        async def send() -> Result:
            sender = Sender(parse_target(url, ca_file))
            result = await sender.deliver(signed_request("message_sent"))
            await sender.close()
            return result

        assert asyncio.run(send()).status == 200
    assert ssl.create_default_context(cafile=str(ca_file)).cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    "modes",
    [
        "",
        "nonsense",
        "status-99",
        "status-600",
        "ok*0",
        "ok*x",
        "expired-certificate,self-signed-certificate",
    ],
)
def test_modes_that_cannot_be_are_refused(modes: str) -> None:
    with pytest.raises(ToolFailed) as refused:
        parse_modes(modes)
    assert refused.value.code == "ERR_MODE"


def test_a_port_that_is_taken_is_refused(shell: ReceiverShell, endpoints: FaultyEndpoints) -> None:
    taken = endpoints.listen("ok").endpoint.port
    run = shell.run("faulty", "--port", str(taken))
    assert run.code == 2
    assert "ERR_ADDRESS" in run.err
