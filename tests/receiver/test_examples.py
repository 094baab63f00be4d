"""The example apps do what they say, driven through their ASGI interface with signed deliveries."""

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chathooks_events.samples import sample
from chathooks_receiver.actions.http import HttpCall
from chathooks_receiver.adapters.asgi import ReceiverApp
from chathooks_receiver.testing import TEST_CREDENTIALS, TEST_SECRET, FakeSender
from chathooks_receiver.workflows import RetryPolicy
from support.counterparts import Mailbox, crm, served
from support.waiting import eventually

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ACCESS: dict[str, Any] = {"credentials": [TEST_CREDENTIALS], "secrets": [TEST_SECRET]}
Load = Callable[[str], ModuleType]


@pytest.fixture
def load() -> Iterator[Load]:
    """Import an example as it is imported when it is started: with its folder on the path."""
    sys.path.insert(0, str(ROOT / "examples"))
    names = [path.stem for path in (ROOT / "examples").glob("*.py")]
    yield importlib.import_module
    sys.path.remove(str(ROOT / "examples"))
    for name in names:
        sys.modules.pop(name, None)


Post = Callable[..., Awaitable[int]]


@asynccontextmanager
async def started(app: ReceiverApp) -> AsyncIterator[Post]:
    """The app with its lifespan run; `post(trigger, data)` delivers and gives the status."""
    inbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbound: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan"}, inbound.get, outbound.put))  # type: ignore[arg-type]  # queues of dicts
    await inbound.put({"type": "lifespan.startup"})
    assert (await outbound.get())["type"] == "lifespan.startup.complete"
    sender = FakeSender()

    async def post(trigger: str, data: Any = None, event_id: str | None = None) -> int:
        request = sender.request(trigger, data, event_id=event_id)
        headers = [(k.lower().encode(), v.encode()) for k, v in request.headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return int(sent[0]["status"])

    try:
        yield post
    finally:
        await inbound.put({"type": "lifespan.shutdown"})
        assert (await outbound.get())["type"] == "lifespan.shutdown.complete"
        await life


class HandClock:
    now_s = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now_s


class Outbox:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def send(self, title: str, text: str) -> None:
        self.sent.append((title, text))


def message(number: int, sender: str = "alice", receiver: str = "bob") -> dict[str, Any]:
    data = sample("message_sent")
    data["message"] |= {
        "id": str(number),
        "sender": sender,
        "receiver": receiver,
        "receiverType": "user",
        "conversationId": "alice_user_bob",
    }
    return data


def read_receipt(number: int) -> dict[str, Any]:
    data = sample("message_read_receipt")
    data |= {
        "sender": "bob",
        "receiver": "alice",
        "receiverType": "user",
        "messageSender": "alice",
    }
    data["body"]["messageId"] = str(number)
    return data


async def test_unread_email_writes_after_ten_minutes_and_only_if_unread(
    load: Load, tmp_path: Path
) -> None:
    example = load("unread_email")
    time_s, outbox = HandClock(), Outbox()
    access = {"credentials": [TEST_CREDENTIALS]}  # the clock by hand is not that of the signatures
    app, inbox, _ = example.build(tmp_path, outbox.send, time_s, **access)
    async with started(app) as post:
        assert await post("message_sent", message(1)) == 200
        assert await post("message_sent", message(2)) == 200
        assert await post("message_sent", message(3)) == 200
        await eventually(lambda: timers_of(inbox) == 3)
        assert await post("message_read_receipt", read_receipt(2)) == 200

        def receipt_is_handled() -> bool:
            return all(
                state == "done" for _, kind, _, _, state in inbox.stored(100) if kind[0] == "m"
            )

        await eventually(receipt_is_handled)
        time_s.now_s += example.UNREAD_S - 1
        inbox.on_work()
        assert outbox.sent == []
        time_s.now_s += 1
        inbox.on_work()

        async def nothing_waits() -> bool:
            return await inbox.waiting() == 0

        await eventually(nothing_waits)
    # Message 2 was read, and 1 with it; 3 was not.
    assert outbox.sent == [
        ("You have an unread message", "bob, there is an unread message from alice for you.")
    ]


def timers_of(inbox: Any) -> int:
    return sum(kind == "timer:remind" for _, kind, _, _, _ in inbox.stored(100))


async def test_moderation_alert_writes_to_moderators_by_real_mail(
    load: Load, tmp_path: Path
) -> None:
    from chathooks_receiver.actions.notify import Notifier

    example = load("moderation_alert")
    mailbox = Mailbox()
    with served(mailbox):
        app = example.build(tmp_path, Notifier([mailbox.url]).send, **ACCESS)
        async with started(app) as post:
            assert await post("moderation_engine_blocked") == 200
            assert await post("moderation_engine_failed") == 200
            assert await post("moderation_engine_approved") == 200
            await eventually(lambda: len(mailbox.mails) == 2)
    subjects = sorted(
        line for mail in mailbox.mails for line in mail.splitlines() if line.startswith("Subject")
    )
    assert subjects == ["Subject: A message could not be judged", "Subject: A message was blocked"]


async def test_activity_log_keeps_one_line_an_event_and_no_text(load: Load, tmp_path: Path) -> None:
    app = load("activity_log").build(tmp_path, **ACCESS)
    path = tmp_path / "activity.jsonl"
    async with started(app) as post:
        assert await post("message_sent", message(1), event_id="evt_1") == 200
        assert await post("message_sent", message(1), event_id="evt_1") == 200
        assert await post("group_member_kicked") == 200
        await eventually(lambda: path.exists() and path.read_bytes().count(b"\n") == 2)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert {line["trigger"] for line in lines} == {"message_sent", "group_member_kicked"}
    assert all(line["actor"] for line in lines)
    assert "text" not in path.read_text("utf-8")


async def test_crm_sync_fills_the_tables_and_calls_until_it_is_answered(
    load: Load, tmp_path: Path
) -> None:
    with crm(503, 200) as (url, calls):
        policy = RetryPolicy(first_s=0.01, jitter=0.0)
        app = load("crm_sync").build(tmp_path, HttpCall(url), policy, **ACCESS)
        async with started(app) as post:
            assert await post("message_sent", message(7), event_id="evt_7") == 200
            await eventually(lambda: len(calls.calls) == 2)
            assert await post("group_created") == 200

            def groups_are_there() -> bool:
                return bool(query(tmp_path, "SELECT guid FROM groups"))

            await eventually(groups_are_there)
    assert {key for _, key, _ in calls.calls} == {"evt_7"}
    assert calls.calls[0][2]["contact"] == "alice"
    assert query(tmp_path, "SELECT id, sender FROM messages") == [("7", "alice")]


def query(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    import sqlite3

    connection = sqlite3.connect(folder / "chat.sqlite3")
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()
