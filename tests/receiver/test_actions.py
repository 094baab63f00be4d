"""The ready-made actions against real counterparts: an SMTP server, an HTTP server, a database."""

from pathlib import Path

import msgspec
import pytest

from chathooks_events.samples import sample
from chathooks_receiver.actions.http import CallFailed, HttpCall
from chathooks_receiver.actions.notify import Notifier, NotifyFailed
from chathooks_receiver.actions.read_model import ReadModel
from chathooks_receiver.intake import Arrival
from chathooks_receiver.queue import Job
from chathooks_receiver.sinks.sqlite import SqliteInbox
from chathooks_receiver.workflows import Context
from support.arrivals import NOW_S, arrival
from support.counterparts import Mailbox, crm, served
from support.services import free_port

pytestmark = pytest.mark.anyio


async def test_a_mail_reaches_its_server() -> None:
    mailbox = Mailbox()
    with served(mailbox):
        await Notifier([mailbox.url]).send("Unread", "There is a message for you.")
    (mail,) = mailbox.mails
    assert "Subject: Unread" in mail


async def test_a_mail_that_cannot_be_sent_is_an_error() -> None:
    url = f"mailto://127.0.0.1:{free_port()}/?from=a@example.com&to=b@example.com&mode=insecure"
    with pytest.raises(NotifyFailed):
        await Notifier([url]).send("t", "x")


def test_a_service_that_nobody_knows_is_refused_without_telling_its_secret() -> None:
    with pytest.raises(ValueError, match="URL number 1") as caught:
        Notifier(["unknown://user:secret@host"])
    assert "secret" not in str(caught.value)


async def test_a_call_is_made_with_its_idempotency_key() -> None:
    with crm() as (url, calls):
        assert await HttpCall(url).send({"a": 1}, idempotency_key="evt_1 ü") == b"{}"
    assert calls.calls == [("/contacts", "evt_1%20%C3%BC", {"a": 1})]


@pytest.mark.parametrize("status", [302, 400, 503])
async def test_a_call_that_is_not_answered_2xx_has_failed(status: int) -> None:
    with crm(status) as (url, calls):
        with pytest.raises(CallFailed, match=str(status)) as caught:
            await HttpCall(url).send({})
        assert caught.value.status == status
    assert len(calls.calls) == 1


async def test_a_call_that_nobody_answers_has_failed() -> None:
    with pytest.raises(CallFailed, match="failed"):
        await HttpCall(f"http://127.0.0.1:{free_port()}/").send({})


def test_a_call_goes_to_the_web_only() -> None:
    with pytest.raises(ValueError, match="http"):
        HttpCall("file:///etc/passwd")


def context_of(item: Arrival) -> Context:
    job = Job(
        id=1,
        key=item.key,
        kind=item.event.trigger,
        stream=item.stream,
        body=item.body,
        headers={},
        received_at_ms=item.received_at_ms,
        attempt=1,
        finished=[],
        lease="",
    )
    return Context(job, SqliteInbox("unused.sqlite3"), lambda: NOW_S)


async def test_the_read_model_follows_the_chat_and_ignores_what_is_late(tmp_path: Path) -> None:
    async with ReadModel(tmp_path / "chat.sqlite3") as model:

        async def tell(trigger: str, data: dict[str, object] | None = None) -> None:
            item = arrival(1, trigger=trigger)
            if data is not None:
                from chathooks_receiver.intake import Intake
                from chathooks_receiver.testing import signed_request

                request = signed_request(trigger, data, event_id="evt_1")
                item = Intake(now_s=lambda: NOW_S).admit("POST", request.headers, request.body)
            await model(item.event, context_of(item))

        def text_of(message_id: str) -> list[tuple[object, ...]]:
            return model.query("SELECT text, deleted FROM messages WHERE id = ?", (message_id,))

        edited = sample("message_edited")
        message_id = edited["message"]["id"]
        await tell("message_edited", edited)
        original = sample("message_edited")
        for name in ("editedAt", "editedBy"):
            original["message"].pop(name)
        original["message"]["data"]["text"] = "older text that comes late"
        original["message"]["updatedAt"] = original["message"]["sentAt"]
        await tell("message_sent", original)
        assert text_of(message_id) == [(edited["message"]["data"]["text"], 0)]

        deleted = sample("message_deleted")
        deleted["message"]["id"] = message_id
        await tell("message_deleted", deleted)
        await tell("message_edited", edited)
        assert text_of(message_id) == [(None, 1)]

        await tell("group_created")
        await tell("group_deleted")
        assert model.query("SELECT deleted FROM groups") == [(1,)]
        assert model.query("SELECT count(*) FROM users")[0][0] > 0


async def test_every_trigger_can_be_told_to_the_read_model(tmp_path: Path) -> None:
    from chathooks_events.catalog import TRIGGERS

    async with ReadModel(tmp_path / "chat.sqlite3") as model:
        for name in TRIGGERS:
            item = arrival(1, trigger=name)
            await model(item.event, context_of(item))
        unknown = msgspec.structs.replace(arrival(1).event, data={"x": 1}, trigger="new")
        await model(unknown, context_of(arrival(1)))
