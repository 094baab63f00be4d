"""`listen`: nothing is lost while the relay, the target or the server is away, whatever is started again when."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chathooks.app.build import build
from chathooks.app.settings import Settings
from chathooks_receiver.testing import SignedRequest
from chathooks_receiver.tools.failures import ToolFailed
from chathooks_receiver.tools.identity import Identity
from chathooks_receiver.tools.relay.feed import Page, place_at, read_page
from chathooks_receiver.tools.relay.relay import Pace, Relay, Watch
from chathooks_receiver.tools.relay.spool import CURSOR, Spool
from chathooks_receiver.tools.rest import Rest
from chathooks_receiver.tools.sender import Result
from support.receiver_command import ReceiverShell
from support.receiver_server import kit, reserved_port, serving_app
from support.scripted_endpoint import ScriptedEndpoint
from support.server import Client, running
from support.waiting import eventually

pytestmark = pytest.mark.anyio

ENDS_WITHIN_S = 40.0
FAST = Pace(poll_s=0.02, retries_s=(0.05, 0.05), down_s=(0.05,))


@asynccontextmanager
async def server(tmp_path: Path, port: int = 0) -> AsyncIterator[Client]:
    async with running(tmp_path / "server", port=port) as client:
        for uid in ("alice", "bob"):
            await client.call("POST", "/users", {"uid": uid, "name": uid})
        yield client


@asynccontextmanager
async def started_again(tmp_path: Path, port: int, before: Client) -> AsyncIterator[Client]:
    """The same server on the same store, whose keys are those of before."""
    runtime = await build(Settings(data_dir=tmp_path / "server" / "data", port=port, app_id="app1"))
    await runtime.start()
    try:
        yield Client(port, before.credentials)
    finally:
        await runtime.stop()


async def say(client: Client, *texts: str) -> None:
    for text in texts:
        message = {
            "receiver": "bob",
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": text},
        }
        answer = await client.call("POST", "/messages", message, headers={"onBehalfOf": "alice"})
        assert answer.status == 200


class Destination:
    """A target that answers as it is told and remembers what it acknowledged."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        """The next ones; None is no answer at all. 200 when all are used up."""
        self.requests: list[SignedRequest] = []
        self.accepted: list[str] = []

    async def deliver(self, request: SignedRequest) -> Result:
        self.requests.append(request)
        status = self.answers.pop(0) if self.answers else 200
        if status is None:
            return Result(None, "connection_refused", "nothing listens", 0.0, headers={}, body=b"")
        if status == 200:
            self.accepted.append(text_of(request.body))
        return Result(status, None, f"answered {status}", 0.0, headers={}, body=b"")


def text_of(body: bytes) -> str:
    return str(json.loads(body)["data"]["message"]["data"]["text"])


@asynccontextmanager
async def relaying(
    spool: Spool,
    read: Callable[[str], Page],
    target: Destination,
    told: Callable[[ToolFailed | None], None] = lambda error: None,
) -> AsyncIterator[asyncio.Task[None]]:
    """A relay at work while the block runs."""
    stop = asyncio.Event()
    watch = Watch(lambda event, result, fate: None, told)
    relay = Relay(spool, read, target, Identity(secret=spool.secret()), watch, pace=FAST)
    task = asyncio.create_task(relay.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, ENDS_WITHIN_S)


def feed_of(client: Client) -> Callable[[str], Page]:
    rest = Rest(client.url, client.credentials.api_key)
    return lambda after: read_page(rest, after, ["message_sent"])


async def test_events_are_forwarded_in_order_as_real_deliveries(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")
    target = Destination()
    async with server(tmp_path) as client:
        await say(client, *"abc")
        async with relaying(spool, feed_of(client), target):
            await eventually(lambda: len(target.accepted) == 3)
            await say(client, *"de")
            await eventually(lambda: len(target.accepted) == 5)
    assert target.accepted == list("abcde")
    first = target.requests[0]
    assert first.headers["webhook-id"] == first.event_id
    assert first.headers["chathooks-attempt"] == "1"
    assert first.headers["webhook-signature"].startswith("v1,")
    assert [request.headers["chathooks-number"] for request in target.requests] == list("12345")
    assert spool.counts() == (0, 0)
    spool.close()


async def test_everything_waits_in_order_while_the_target_is_down(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")
    target = Destination(None, None, None)
    async with server(tmp_path) as client:
        await say(client, *"abcdef")
        async with relaying(spool, feed_of(client), target):
            await eventually(lambda: len(target.accepted) == 6)
    assert target.accepted == list("abcdef")
    assert [text_of(request.body) for request in target.requests] == list("aaaabcdef")
    spool.close()


async def test_a_refused_event_is_tried_again_while_others_go_on_and_then_kept(
    tmp_path: Path,
) -> None:
    spool = Spool.open(tmp_path / "state")
    target = Destination(500, 200, 200, 500, 500)
    async with server(tmp_path) as client:
        await say(client, *"abc")
        async with relaying(spool, feed_of(client), target):
            await eventually(lambda: spool.counts() == (0, 1))
        assert target.accepted == ["b", "c"]
        attempts = [
            r.headers["chathooks-attempt"] for r in target.requests if text_of(r.body) == "a"
        ]
        assert attempts == ["1", "2", "3"]
        assert spool.again() == 1
        async with relaying(spool, feed_of(client), target):
            await eventually(lambda: target.accepted == ["b", "c", "a"])
    assert spool.counts() == (0, 0)
    spool.close()


async def test_the_relay_waits_for_a_server_that_goes_away(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")
    target = Destination()
    told: list[ToolFailed | None] = []
    with reserved_port() as port:
        async with AsyncExitStack() as stack:
            async with server(tmp_path, port) as client:
                await say(client, "a")
                relay = relaying(spool, feed_of(client), target, told.append)
                await stack.enter_async_context(relay)
                await eventually(lambda: target.accepted == ["a"])
            await eventually(lambda: len(told) == 1)
            assert told[0] is not None
            async with started_again(tmp_path, port, client) as again:
                await say(again, "b")
                await eventually(lambda: target.accepted == ["a", "b"])
                await stack.aclose()
    assert told[1:] == [None]
    spool.close()


async def test_a_refusal_of_the_server_ends_the_relay(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")

    def refuse(after: str) -> Page:
        raise ToolFailed("AUTH_ERR_APIKEY_NOT_FOUND", "No such key.", exit_code=1)

    watch = Watch(lambda event, result, fate: None, lambda error: None)
    relay = Relay(spool, refuse, Destination(), Identity(), watch, pace=FAST)
    with pytest.raises(ToolFailed, match="AUTH_ERR_APIKEY_NOT_FOUND"):
        await asyncio.wait_for(relay.run(asyncio.Event()), ENDS_WITHIN_S)
    spool.close()


async def test_a_page_and_the_place_behind_it_are_kept_together_or_not_at_all(
    tmp_path: Path,
) -> None:
    spool = Spool.open(tmp_path / "state")
    spool.keep([("evt_1", "message_sent", b"{}")], "place-1")
    broken: Any = [("evt_2", "message_sent", b"{}"), ("evt_3", "message_sent", None)]
    with pytest.raises(ToolFailed, match="ERR_STATE_DIR"):
        spool.keep(broken, "place-2")
    assert spool.read(CURSOR) == "place-1"
    assert spool.counts() == (1, 0)
    spool.keep([("evt_1", "message_sent", b"{}"), ("evt_2", "message_sent", b"{}")], "place-2")
    assert spool.counts() == (2, 0)
    assert [waiting.event_id for waiting in spool.due(0, 10)] == ["evt_1", "evt_2"]
    spool.close()


async def test_a_full_disk_ends_the_relay_and_loses_nothing(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")
    target = Destination()
    (pages,) = spool._db.execute("PRAGMA page_count").fetchone()
    spool._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    texts = [f"{number} " + "long " * 1_000 for number in range(8)]
    async with server(tmp_path) as client:
        await say(client, *texts)
        with pytest.raises(ToolFailed, match="ERR_STATE_DIR"):
            async with relaying(spool, feed_of(client), target) as task:
                await asyncio.wait({task}, timeout=ENDS_WITHIN_S)
        spool._db.execute("PRAGMA max_page_count = 1000000")
        async with relaying(spool, feed_of(client), target):
            await eventually(lambda: target.accepted == texts)
    spool.close()


async def test_a_second_relay_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "state")
    with pytest.raises(ToolFailed) as refused:
        Spool.open(tmp_path / "state")
    assert refused.value.code == "ERR_RELAY_IN_USE"
    spool.close()
    Spool.open(tmp_path / "state").close()


async def test_where_to_begin_is_found_by_time(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        await say(client, *"abc")
        feed = (await client.call("GET", "/events?triggers=message_sent")).data
        rest = Rest(client.url, client.credentials.api_key)

        def behind(since_ms: int | None) -> list[str]:
            page = read_page(rest, place_at(rest, since_ms), ["message_sent"])
            return [event.event_id for event in page.events]

        assert await asyncio.to_thread(behind, None) == []
        assert await asyncio.to_thread(behind, 0) == [event["eventId"] for event in feed]
        last = await asyncio.to_thread(behind, feed[-1]["createdAt"])
        assert feed[-1]["eventId"] in last


# --- the command, killed and started again -------------------------------------------------------------------


def _listen(shell: ReceiverShell, client: Client, to: str, *more: str) -> Any:
    return shell.started(
        "listen", "--server", client.url, "--api-key", client.credentials.api_key, "--to", to,
        "--triggers", "message_sent", "--since", "all", "--poll", "0.05", "--retries", "0.1,0.1",
        "--json", *more,
    )  # fmt: skip


async def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    return await asyncio.to_thread(process.communicate, timeout=ENDS_WITHIN_S)


async def _until(condition: Callable[[], bool]) -> None:
    await eventually(condition, ENDS_WITHIN_S)


async def test_nothing_is_lost_over_kills_of_the_relay_and_restarts_of_the_target(
    shell: ReceiverShell, tmp_path: Path
) -> None:
    """The relay is killed in the middle, the target goes away and comes back: every event arrives."""
    good = kit(credentials=[], secrets=[])
    texts = [f"m{number}" for number in range(60)]

    def arrived() -> set[str]:
        return {text_of(arrival.body) for arrival in good.sink.arrivals}

    with reserved_port() as port:
        async with server(tmp_path) as client:
            await say(client, *texts[:20])
            with _listen(shell, client, f"http://127.0.0.1:{port}/webhook") as process:
                # Nothing listens yet: the relay reads, keeps and waits.
                await _until(lambda: any(shell.folder.rglob("spool.sqlite3")))
                with serving_app(good.app, port=port):
                    await _until(lambda: len(arrived()) >= 10)
                    process.kill()
            await say(client, *texts[20:40])
            with _listen(shell, client, f"http://127.0.0.1:{port}/webhook") as process:
                with serving_app(good.app, port=port):
                    await _until(lambda: arrived() >= set(texts[:40]))
                await say(client, *texts[40:])
                with serving_app(good.app, port=port):
                    await _until(lambda: arrived() == set(texts))
                process.send_signal(signal.SIGINT)
                out, err = await _ended(process)
    assert process.returncode == 0, err
    assert "0 waiting, 0 failed" in err
    assert "Traceback" not in err
    # The second run went back to the first event, and the target left out what it had.
    assert good.sink.count == 60
    fates = [json.loads(line)["fate"] for line in out.splitlines()]
    assert fates.count("forwarded") >= 40


async def test_the_command_goes_on_where_it_stopped(shell: ReceiverShell, tmp_path: Path) -> None:
    async with server(tmp_path) as client, ScriptedEndpoint() as endpoint:
        arguments = (
            "listen", "--server", client.url, "--api-key", client.credentials.api_key,
            "--to", endpoint.url(), "--poll", "0.05", "--json", "--username", "u", "--password", "p",
        )  # fmt: skip

        async def run(work: Callable[[], Awaitable[None]]) -> str:
            with shell.started(*arguments) as process:
                await work()
                process.send_signal(signal.SIGTERM)
                _, err = await _ended(process)
            assert process.returncode == 0, err
            return err

        await say(client, "before the first run")

        async def first() -> None:
            # It begins with now; its first sign of life is the line that says so.
            await _until(lambda: any(shell.folder.rglob("spool.sqlite3")))
            number = 0
            async with asyncio.timeout(ENDS_WITHIN_S):
                while not endpoint.requests:
                    await say(client, f"first {(number := number + 1)}")

        said = await run(first)
        assert "Requests are signed with whsec_" in said
        count = len(endpoint.requests)
        await say(client, "while it was away")

        async def second() -> None:
            await _until(
                lambda: "while it was away" in [text_of(r.body) for r in endpoint.requests[count:]]
            )

        again = await run(second)
        assert said.split("signed with ")[1].split()[0] == again.split("signed with ")[1].split()[0]
    found = [text_of(request.body) for request in endpoint.requests]
    assert "before the first run" not in found
    assert len(found) == len(set(found))
    assert all(r.headers["authorization"].startswith("Basic ") for r in endpoint.requests)


async def test_mistakes_are_refused_before_anything_is_read(
    shell: ReceiverShell, tmp_path: Path
) -> None:
    to = ("--to", "http://127.0.0.1:1/")
    for arguments, code in (
        (("--since", "soon"), "ERR_SINCE"),
        (("--triggers", "message_teleported"), "ERR_TRIGGER_NOT_FOUND"),
        (("--retries", "often"), "ERR_RETRIES"),
        ((), "ERR_NO_API_KEY"),
    ):
        run = await shell("listen", *to, *arguments)
        assert (run.code, run.err.split()[0]) == (2, code)
    assert not (tmp_path / "state").exists()


async def test_a_key_that_is_refused_while_it_runs_is_said(
    shell: ReceiverShell, tmp_path: Path
) -> None:
    """The place is kept from an earlier run, so the first look at the feed is the relay's own."""
    state = tmp_path / "kept"
    async with server(tmp_path) as client:
        spool = Spool.open(state)
        spool.write(CURSOR, "")
        spool.close()
        run = await shell(
            "listen", "--to", "http://127.0.0.1:1/", "--server", client.url, "--api-key", "wrong",
            "--state-dir", str(state),
        )  # fmt: skip
    assert run.code == 1
    assert "AUTH_ERR_APIKEY_NOT_FOUND" in run.err
    assert "Traceback" not in run.err


async def test_a_server_that_is_not_there_is_said_at_the_start(shell: ReceiverShell) -> None:
    run = await shell(
        "listen", "--to", "http://127.0.0.1:1/", "--server", "http://127.0.0.1:1", "--api-key", "k"
    )
    assert run.code == 3
    assert "ERR_UNREACHABLE" in run.err
