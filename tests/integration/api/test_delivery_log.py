"""The delivery log over HTTP, on rows as the engine writes them (delivery contract §6, §7 "Field names")."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chathooks.delivery import log as delivery_log
from chathooks.delivery.queue import EndedAttempt, LaneRow, NewDelivery, Settled
from chathooks.delivery.records import AttemptDetail, State
from chathooks.events.streams import conversation
from chathooks.kernel.clock import ManualClock
from chathooks_events.catalog import TRIGGERS
from support.server import Server, serving
from support.stores import execute

pytestmark = pytest.mark.anyio

START_MS = 1_700_000_000_000
LANE = 1


async def webhook(server: Server, webhook_id: str = "w1") -> None:
    body = {"id": webhook_id, "name": "n", "webhookURL": "https://example.com/"}
    assert (await server.call("POST", "/webhooks", body)).status == 200


async def deliveries(
    server: Server,
    numbers: Sequence[int],
    *,
    trigger: str = "message_sent",
    state: State = State.DELIVERED,
    lane: int = LANE,
    step_ms: int = 1000,
) -> None:
    """Deliveries as fan-out makes them, one second apart."""

    async def command(tx: Any) -> None:
        rows = []
        for number in numbers:
            await server.outbox.append(
                tx, app=1, trigger=trigger, data=b"{}", stream=conversation("a", "b")
            )
            ((position,),) = await execute(tx, "SELECT max(position) FROM feed")
            rows.append(
                NewDelivery(
                    lane,
                    number,
                    position,
                    TRIGGERS[trigger].number,
                    int(state),
                    None,
                    START_MS + number * step_ms,
                )
            )
        await tx.insert_deliveries(rows)

    await server.store.write(command)


async def attempt(server: Server, number: int, attempt: int, **fields: Any) -> None:
    row = EndedAttempt(
        LANE,
        number,
        attempt,
        fields.get("started_at", START_MS),
        fields.get("duration_us", 12_500),
        fields.get("status", 200),
        fields.get("failure"),
        msgspec.json.encode(fields.get("detail", AttemptDetail(total=12.5))),
        fields.get("headers", b""),
        fields.get("body", b""),
    )

    async def command(tx: Any) -> None:
        await tx.record_attempts([row])

    await server.store.write(command)


def numbers(data: list[dict[str, Any]]) -> list[int]:
    return [delivery["number"] for delivery in data]


async def test_a_delivery_is_shown_with_its_attempts(tmp_path: Path) -> None:
    async with serving(tmp_path, clock=ManualClock(START_MS)) as server:
        await webhook(server)
        await deliveries(server, [1], state=State.RETRYING)
        await attempt(
            server,
            1,
            1,
            status=503,
            failure="http_status",
            detail=AttemptDetail(
                dns=1.5, connect=2.5, tls=8.0, first_byte=11.0, total=12.5, ip="192.0.2.7", http="2"
            ),
            headers=b"HTTP/2 503\r\nServer: nginx\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
            body=b"try \xff later",
        )
        shown = (await server.call("GET", "/deliveries/dlv_1_1")).data
        assert shown.pop("eventId").startswith("evt_")
        assert shown == {
            "id": "dlv_1_1",
            "trigger": "message_sent",
            "webhook": "w1",
            "state": "retrying",
            "number": 1,
            "sequence": 1,
            "createdAt": START_MS + 1000,
            "attempts": [
                {
                    "number": 1,
                    "startedAt": START_MS,
                    "durationMs": 12.5,
                    "timings": {
                        "dns": 1.5,
                        "connect": 2.5,
                        "tls": 8.0,
                        "firstByte": 11.0,
                        "total": 12.5,
                    },
                    "remoteIp": "192.0.2.7",
                    "httpVersion": "2",
                    "connectionReused": False,
                    "resent": False,
                    "status": 503,
                    "headers": {"server": "nginx", "x-a": "1, 2"},
                    "body": "try \ufffd later",
                    "failure": "http_status",
                    "explanation": shown["attempts"][0]["explanation"],
                }
            ],
        }
        assert "503" in shown["attempts"][0]["explanation"]


async def test_the_next_attempt_is_told_in_wall_time(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    async with serving(tmp_path, clock=clock) as server:
        await webhook(server)
        await deliveries(server, [1], state=State.RETRYING)
        clock.step_wall(3_600_000)

        async def wait(tx: Any) -> None:
            due = clock.steady_ms() + 10_000
            await tx.settle([Settled(int(State.RETRYING), 1, due, None, LANE, 1)])

        await server.store.write(wait)
        clock.advance(4_000)
        shown = (await server.call("GET", "/deliveries/dlv_1_1")).data
        assert shown["nextAttemptAt"] == clock.wall_ms() + 6_000


async def test_every_failure_class_and_unknown_ones_are_explained(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1])
        for number, failure in enumerate(("timeout_response", "tls", "interrupted", "novel"), 1):
            await attempt(server, 1, number, status=None, failure=failure)
        await attempt(server, 1, 5, status=204)
        attempts = (await server.call("GET", "/deliveries/dlv_1_1")).data["attempts"]
        assert [one["number"] for one in attempts] == [1, 2, 3, 4, 5]
        assert [one.get("failure") for one in attempts] == [
            "timeout_response",
            "tls",
            "interrupted",
            "internal",
            None,
        ]
        assert "status" not in attempts[0]
        assert all(one["explanation"].endswith(".") for one in attempts)
        assert "exactly 200" in attempts[4]["explanation"]


async def test_the_log_pages_from_the_newest_to_the_oldest(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, range(1, 8))
        seen: list[int] = []
        cursor = ""
        while True:
            answer = await server.call("GET", f"/webhooks/w1/deliveries?limit=3{cursor}")
            seen += numbers(answer.data)
            if "next" not in answer.json["meta"]:
                break
            cursor = f"&cursor={answer.json['meta']['next']['cursor']}"
            # What arrives meanwhile shifts nothing.
            await deliveries(server, [100 + len(seen)])
        assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_a_page_that_is_just_full_is_the_last_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, range(1, 4))
        answer = await server.call("GET", "/webhooks/w1/deliveries?limit=3")
        assert (numbers(answer.data), answer.json["meta"]) == ([3, 2, 1], {})


async def test_the_log_is_filtered_by_state_trigger_and_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1, 2])
        await deliveries(server, [3, 4], state=State.FAILED)
        await deliveries(server, [5, 6], trigger="user_blocked", state=State.HELD)

        async def found(query: str) -> list[int]:
            return numbers((await server.call("GET", f"/webhooks/w1/deliveries?{query}")).data)

        assert await found("state=failed") == [4, 3]
        assert await found("state=failed,pending") == [6, 5, 4, 3]
        assert await found("state=failed&state=delivered") == [4, 3, 2, 1]
        assert await found("trigger=user_blocked") == [6, 5]
        assert await found("trigger=user_blocked&state=failed") == []
        at_3_s = START_MS // 1000 + 3
        assert await found(f"from={at_3_s}") == [6, 5, 4, 3]
        assert await found(f"from={at_3_s}000") == [6, 5, 4, 3]
        assert await found(f"to={at_3_s}") == [2, 1]
        assert await found("from=2023-11-14T22:13:23Z&to=2023-11-14T23:13:25%2B01:00") == [4, 3]


async def test_a_filter_that_matches_nothing_ends_after_a_bounded_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "ROWS_SCANNED_MAX", 10)
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1], trigger="user_blocked")
        await deliveries(server, range(2, 26))
        path = "/webhooks/w1/deliveries?trigger=user_blocked"
        pages = []
        cursor = ""
        while True:
            answer = await server.call("GET", path + cursor)
            pages.append(numbers(answer.data))
            if "next" not in answer.json["meta"]:
                break
            cursor = f"&cursor={answer.json['meta']['next']['cursor']}"
        assert pages == [[], [], [1]]


async def test_what_did_not_go_well_is_found_without_walking_over_what_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "ROWS_SCANNED_MAX", 10)
    async with serving(tmp_path) as server:
        await webhook(server)
        states = (State.FAILED, State.EXPIRED, State.CANCELLED, State.RETRYING)
        for number, state in enumerate(states, 1):
            await deliveries(server, [number], state=state)
        await deliveries(server, range(5, 200))
        for number, state in enumerate(states, 1):
            answer = await server.call("GET", f"/webhooks/w1/deliveries?state={state.shown}")
            assert (numbers(answer.data), answer.json["meta"]) == ([number], {})
        several = "/webhooks/w1/deliveries?state=failed,expired,cancelled&limit=2"
        first = await server.call("GET", several)
        cursor = first.json["meta"]["next"]["cursor"]
        second = await server.call("GET", f"{several}&cursor={cursor}")
        assert (numbers(first.data), numbers(second.data)) == ([3, 2], [1])
        assert "next" not in second.json["meta"]


async def test_attempts_in_flight_are_found_in_a_large_backlog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "ROWS_SCANNED_MAX", 10)
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1, 2])
        await deliveries(server, [3, 5], state=State.IN_FLIGHT)
        await deliveries(server, [4])
        await deliveries(server, range(6, 200), state=State.PENDING)

        async def move(tx: Any) -> None:
            row = LaneRow(LANE, 1, True, False, frozenset(), 200, 6, 3, {})
            await tx.save_lane(row)
            await execute(tx, "UPDATE deliveries SET state = 1, due_at = 0 WHERE number = 1")

        await server.store.write(move)
        answer = await server.call("GET", "/webhooks/w1/deliveries?state=in_flight")
        assert (numbers(answer.data), answer.json["meta"]) == ([5, 3, 1], {})


async def test_numbers_narrow_the_log_and_combine_with_all_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, range(1, 6))
        await deliveries(server, range(6, 11), state=State.FAILED)
        await deliveries(server, range(11, 16), trigger="user_blocked", state=State.FAILED)

        async def found(query: str) -> list[int]:
            return numbers((await server.call("GET", f"/webhooks/w1/deliveries?{query}")).data)

        assert await found("fromNumber=4&toNumber=7") == [7, 6, 5, 4]
        assert await found("fromNumber=14") == [15, 14]
        assert await found("toNumber=2") == [2, 1]
        assert await found("fromNumber=7&toNumber=7") == [7]
        assert await found("fromNumber=16") == []
        assert await found("fromNumber=100&toNumber=200") == []
        assert await found("fromNumber=4&toNumber=12&state=failed") == [12, 11, 10, 9, 8, 7, 6]
        assert await found("fromNumber=4&toNumber=12&state=failed&trigger=user_blocked") == [12, 11]
        at_9_s = START_MS // 1000 + 9
        assert await found(f"from={at_9_s}&toNumber=12&state=failed") == [12, 11, 10, 9]
        both = f"fromNumber=7&to={at_9_s}&state=failed&trigger=message_sent"
        assert await found(both) == [8, 7]


async def test_a_time_window_is_found_without_walking_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "ROWS_SCANNED_MAX", 10)
    monkeypatch.setattr(delivery_log, "CLOCK_STEP_MS", 2000)
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, range(1, 200))
        at_s = START_MS // 1000 + 50
        answer = await server.call("GET", f"/webhooks/w1/deliveries?from={at_s}&to={at_s + 3}")
        assert (numbers(answer.data), answer.json["meta"]) == ([52, 51, 50], {})


async def test_the_log_of_a_deleted_webhook_stays_readable(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1])
        await server.call("DELETE", "/webhooks/w1")
        for call in (server.call, server.manage):
            assert numbers((await call("GET", "/webhooks/w1/deliveries")).data) == [1]
        assert (await server.call("GET", "/deliveries/dlv_1_1")).status == 200
        await webhook(server)
        assert numbers((await server.call("GET", "/webhooks/w1/deliveries")).data) == [1]


async def test_a_delivery_of_another_app_is_not_found(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1])

        async def give_away(tx: Any) -> None:
            other = await tx.insert_app("other", "Other", "us", 0)
            await execute(tx, "UPDATE webhooks SET app = ?", other.key)

        await server.store.write(give_away)
        answer = await server.call("GET", "/deliveries/dlv_1_1")
        assert (answer.status, answer.code) == (404, "ERR_DELIVERY_NOT_FOUND")


@pytest.mark.parametrize("delivery", ["dlv_1_2", "dlv_2_1", "dlv_1", "evt_1_1", "x", "dlv_1_1_1"])
async def test_an_unknown_delivery_is_not_found(tmp_path: Path, delivery: str) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        await deliveries(server, [1])
        answer = await server.call("GET", f"/deliveries/{delivery}")
        assert (answer.status, answer.code) == (404, "ERR_DELIVERY_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("state=lost", "state[0]"),
        ("from=yesterday", "from"),
        ("to=2023-13-01", "to"),
        ("to=99999999999999999999999", "to"),
        ("from=5&to=4", "from"),
        ("fromNumber=5&toNumber=4", "fromNumber"),
        ("fromNumber=-1", "fromNumber"),
        ("toNumber=x", "toNumber"),
        ("cursor=!", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("cursor=YmVsb3ctLTE", "cursor"),
        ("cursor=%C3%A4", "cursor"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_by_name(
    tmp_path: Path, query: str, field: str
) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        answer = await server.call("GET", f"/webhooks/w1/deliveries?{query}")
        assert (answer.status, answer.code) == (400, "ERR_BAD_REQUEST")
        assert field in answer.details


async def test_an_unknown_trigger_in_a_filter_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await webhook(server)
        answer = await server.call("GET", "/webhooks/w1/deliveries?trigger=nope")
        assert (answer.status, answer.code) == (404, "ERR_TRIGGER_NOT_FOUND")
