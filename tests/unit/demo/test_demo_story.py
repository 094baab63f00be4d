"""The conversation is whole in itself, and what the viewer is told fits the screen."""

import json
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from chathooks.demo.client import Attempt, Delivery
from chathooks.demo.hints import next_steps
from chathooks.demo.plan import WEBHOOKS, expected_deliveries
from chathooks.demo.screen import save_picture
from chathooks.demo.story import CAST, STORY, fired
from chathooks.demo.table import View, hint, line, render
from chathooks_events.catalog import TRIGGERS

NOW_MS = 1_767_225_600_000
URL = "http://127.0.0.1:8080"


def delivery(number: int, **fields: object) -> Delivery:
    shown = {
        "id": f"dlv_1_{number}",
        "event_id": f"evt_{number}",
        "trigger": "group_member_scope_changed",
        "webhook": "moderation-bot",
        "state": "delivered",
        "number": number,
        "created_at": NOW_MS + number,
        "attempts": [attempt(200)],
    }
    return Delivery(**{**shown, **fields})  # type: ignore[arg-type] # -- the fields vary


def attempt(status: int | None, **fields: object) -> Attempt:
    return Attempt(
        number=1,
        started_at=NOW_MS,
        duration_ms=fields.get("duration_ms", 12.3),  # type: ignore[arg-type] # -- a number
        status=status,
        failure=None if status else "timeout_response",
        body='{"status":"accepted"}' if status == 200 else "",
        explanation="The endpoint did not answer within 2 s.",
    )


def drawn(view: View, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as captured:
        console.print(render(view, width, height))
    return captured.get().splitlines()


RETRYING = delivery(
    3,
    webhook="flaky-crm",
    state="retrying",
    attempts=[attempt(503), attempt(503)],
    next_attempt_at=NOW_MS + 7_300,
)


def test_it_fires_the_triggers_of_messages_and_groups() -> None:
    assert set(fired(STORY)) == {
        "message_sent",
        "message_edited",
        "message_deleted",
        "user_mentioned",
        "group_created",
        "group_updated",
        "group_deleted",
        "group_member_added",
        "group_member_kicked",
        "group_member_scope_changed",
    }


def test_it_is_lively_and_short() -> None:
    assert fired(STORY)["message_sent"] >= 20
    assert 6 <= sum(step.pause_s for step in STORY) <= 10
    assert {step.by for step in STORY} == set(CAST)


def test_messages_are_remembered_before_they_are_edited_or_deleted() -> None:
    known: dict[str, str] = {}
    for step in STORY:
        assert "{" not in step.path.format(**known)
        if step.remember is not None:
            known[step.remember] = "1"


def test_every_webhook_asks_for_triggers_that_exist_and_gets_some() -> None:
    for webhook in WEBHOOKS:
        assert webhook.triggers is None or set(webhook.triggers) <= TRIGGERS.keys()
        assert expected_deliveries()[webhook.id]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("height", [24, 40])
def test_the_table_fits_the_terminal_and_cuts_no_name(width: int, height: int) -> None:
    view = View(
        url=URL,
        deliveries=[RETRYING, *(delivery(number) for number in range(100, 180))],
        now_ms=NOW_MS,
        told=[("amara", "→ lisbon-trip: " + "a long sentence " * 20)] * 5,
    )
    lines = drawn(view, width, height)
    assert len(lines) < height
    assert max(len(text) for text in lines) <= width
    text = "\n".join(lines)
    for shown in ("group_member_scope_changed", "moderation-bot", "delivered", "179", "12"):
        assert shown in text
    assert "81 deliveries" in text


def test_a_delivery_that_waits_for_a_retry_stays_on_top() -> None:
    view = View(
        url=URL, deliveries=[*(delivery(number) for number in range(100, 180)), RETRYING], now_ms=0
    )
    rows = [text for text in drawn(view, 80, 24) if "flaky-crm" in text]
    assert "retrying" in rows[0]
    assert "503→503" in rows[0]


def test_the_hint_counts_down_to_the_next_retry() -> None:
    def shown(now_ms: int) -> str:
        return hint(View(url=URL, deliveries=[RETRYING], now_ms=now_ms)).plain

    assert shown(NOW_MS) == "next retry in 7.3 s: flaky-crm #3, attempt 3"
    assert shown(NOW_MS + 7_000) == "next retry in 0.3 s: flaky-crm #3, attempt 3"
    assert shown(NOW_MS + 9_000) == "next retry in 0.0 s: flaky-crm #3, attempt 3"


def test_lost_deliveries_are_counted_as_failed() -> None:
    lost = [delivery(1, state="failed"), delivery(2, state="expired"), delivery(3)]
    assert "2 failed" in "\n".join(drawn(View(url=URL, deliveries=lost, now_ms=0), 80, 24))


def test_a_plain_line_tells_the_attempts() -> None:
    failed = delivery(3, state="failed", attempts=[attempt(503), attempt(None)])
    assert line(failed).endswith("moderation-bot #3  failed    503 → timeout_response")


def test_commands_can_be_pasted_into_a_shell() -> None:
    steps = next_steps(URL, "k" * 40, "dlv_3_2", "activity-log")
    assert len(steps) == 4
    for _, command in steps:
        joined = command.replace("\\\n", " ")
        words = shlex.split(joined)
        assert words[0] == "curl"
        assert any(word.startswith(f"{URL}/v3/") for word in words)
        assert f"apikey: {'k' * 40}" in words
        assert max(len(text) for text in command.splitlines()) <= 90
    message = shlex.split(steps[0][1].replace("\\\n", " "))
    body = json.loads(message[message.index("-d") + 1])
    assert body["data"] == {"text": "Hello from curl"}
    assert body["receiver"] == "lisbon-trip"


def test_without_a_retried_delivery_no_command_names_one() -> None:
    assert all("/deliveries/" not in text for _, text in next_steps(URL, "k", None, "log"))


def test_a_picture_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    path = tmp_path / "demo.svg"
    save_picture(View(url=URL, deliveries=[RETRYING], now_ms=NOW_MS, done=True), path)
    picture = path.read_text("utf-8")
    addresses = {word.split('"')[0] for word in picture.split("http")[1:]}
    assert addresses == {"://www.w3.org/2000/svg", "://127.0.0.1:8080</text><text class="}
    assert "@font-face" not in picture
    assert len(picture) < 200 * 1024
