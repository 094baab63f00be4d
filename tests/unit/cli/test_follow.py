"""What a live tail shows of a log that it reads again and again."""

from typing import Any

import msgspec
import pytest

from chathooks.cli.failures import EXIT_UNREACHABLE, CommandFailed
from chathooks.cli.fields import Request
from chathooks.cli.follow import POLL_PAGES_MAX, EventTail, LogTail, follow
from chathooks.cli.rest import Answer


class Log:
    """A webhook's log that answers as the API does, newest first."""

    def __init__(self) -> None:
        self.states: dict[int, tuple[str, int]] = {}
        self.requests: list[Request] = []

    def put(self, number: int, state: str = "delivered", attempts: int = 1) -> None:
        self.states[number] = (state, attempts)

    def send(self, request: Request) -> Answer:
        self.requests.append(request)
        below = int(request.query.get("cursor", 10**9))
        limit = request.query["limit"]
        numbers = sorted((n for n in self.states if n < below), reverse=True)
        page = [
            {
                "id": f"dlv_1_{number}",
                "number": number,
                "state": self.states[number][0],
                "attempts": [{}] * self.states[number][1],
            }
            for number in numbers[:limit]
        ]
        meta = {"next": {"cursor": str(page[-1]["number"])}} if len(numbers) > limit else {}
        return Answer(msgspec.json.encode(page), meta)


def shown(tail: LogTail, log: Log, last: int = 10) -> list[tuple[int, str]]:
    items = [msgspec.json.decode(item) for item in tail.poll(log.send, last)]
    return [(item["number"], item["state"]) for item in items]


def test_it_begins_with_the_last_ones_oldest_first() -> None:
    log = Log()
    for number in range(1, 6):
        log.put(number)
    assert shown(LogTail("w"), log, last=2) == [(4, "delivered"), (5, "delivered")]
    assert shown(LogTail("w"), log, last=0) == []


def test_it_shows_what_is_new_and_what_has_changed_once() -> None:
    log, tail = Log(), LogTail("w")
    log.put(1, "retrying")
    assert shown(tail, log) == [(1, "retrying")]
    assert shown(tail, log) == []
    log.put(1, "retrying", attempts=2)
    log.put(2, "pending", attempts=0)
    assert shown(tail, log) == [(1, "retrying"), (2, "pending")]
    log.put(1, "delivered", attempts=3)
    log.put(2)
    assert shown(tail, log) == [(1, "delivered"), (2, "delivered")]
    assert shown(tail, log) == []


def test_an_older_one_that_is_replayed_is_shown() -> None:
    log, tail = Log(), LogTail("w")
    for number in range(1, 4):
        log.put(number)
    shown(tail, log, last=0)
    log.put(2, "retrying")
    assert shown(tail, log) == [(2, "retrying")]


def test_it_reads_back_to_the_oldest_that_has_not_ended() -> None:
    log, tail = Log(), LogTail("w")
    log.put(1, "retrying")
    shown(tail, log)
    for number in range(2, 352):
        log.put(number)
    assert [number for number, _ in shown(tail, log)] == list(range(2, 352))
    log.put(1, "failed", attempts=3)
    assert shown(tail, log) == [(1, "failed")]
    log.requests.clear()
    assert shown(tail, log) == []
    assert len(log.requests) == 1


def test_it_says_when_it_cannot_read_back_far_enough() -> None:
    log, tail = Log(), LogTail("w")
    log.put(1)
    shown(tail, log)
    for number in range(2, 100 * POLL_PAGES_MAX + 50):
        log.put(number)
    log.requests.clear()
    assert len(shown(tail, log)) == 100 * POLL_PAGES_MAX
    assert tail.left_out
    assert len(log.requests) == POLL_PAGES_MAX
    assert shown(tail, log) == []
    assert not tail.left_out


def test_a_webhook_without_deliveries_is_followed_from_its_first() -> None:
    log, tail = Log(), LogTail("a/b")
    assert shown(tail, log) == []
    log.put(1)
    assert shown(tail, log) == [(1, "delivered")]
    assert log.requests[0].path == "/webhooks/a%2Fb/deliveries"


def feed(count: int, page: int, requests: list[dict[str, Any]]) -> Any:
    def send(request: Request) -> Answer:
        requests.append(dict(request.query))
        after = int(request.query.get("after", 0))
        numbers = list(range(after + 1, count + 1))[:page]
        events = [{"eventId": f"e{n}", "cursor": str(n)} for n in numbers]
        more = {"next": {"cursor": str(numbers[-1])}} if numbers and numbers[-1] < count else {}
        return Answer(msgspec.json.encode(events), more)

    return send


def test_events_are_read_on_from_the_last_one_seen() -> None:
    requests: list[dict[str, Any]] = []
    tail = EventTail()
    assert len(tail.poll(feed(5, 3, requests))[0]) == 3
    events, more = tail.poll(feed(5, 3, requests))
    assert (len(events), more, tail.after) == (2, False, "5")
    assert tail.poll(feed(5, 3, requests)) == ([], False)
    assert len(tail.poll(feed(6, 3, requests))[0]) == 1


def test_the_end_of_the_feed_is_found_whatever_the_triggers() -> None:
    requests: list[dict[str, Any]] = []
    tail = EventTail(triggers=("message_sent",))
    tail.skip(feed(7, 3, requests))
    assert tail.after == "7"
    assert not any("triggers" in query for query in requests)
    tail.poll(feed(7, 3, requests))
    assert requests[-1]["triggers"] == ["message_sent"]


AWAY = CommandFailed("ERR_UNREACHABLE", "Away.", exit_code=EXIT_UNREACHABLE)
GONE = CommandFailed("ERR_WEBHOOK_NOT_FOUND", "Gone.")
FULL = CommandFailed("ERR_STORE_UNAVAILABLE", "Full.")


def followed(*rounds: BaseException | None) -> list[str]:
    """What is said while rounds fail or not; Ctrl-C comes after the last."""
    left = [*rounds, KeyboardInterrupt()]
    said: list[str] = []

    def poll() -> None:
        failure = left.pop(0)
        if failure is not None:
            raise failure

    follow(poll, wait=lambda: None, remark=said.append)
    return said


def test_ctrl_c_ends_it_quietly() -> None:
    assert followed(None, None) == []
    assert followed() == []


def test_a_server_that_goes_away_is_waited_for_and_said_once() -> None:
    said = followed(None, AWAY, AWAY, FULL, None, None)
    assert said == ["Away. Waiting for it; Ctrl-C ends.", "The server is back."]


def test_a_first_failure_and_one_that_waiting_cannot_mend_end_it() -> None:
    for rounds in ((AWAY,), (GONE,), (None, GONE), (None, AWAY, GONE)):
        with pytest.raises(CommandFailed):
            followed(*rounds)
