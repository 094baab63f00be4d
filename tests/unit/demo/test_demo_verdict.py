"""The demo says that every event arrived only if every one did."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from chathooks.demo.client import Attempt, Delivery
from chathooks.demo.endpoint import Acceptance
from chathooks.demo.plan import WEBHOOKS, expected_deliveries
from chathooks.demo.summary import summarise
from chathooks.demo.verdict import missing

ANSWERED = Attempt(
    number=1, started_at=1_767_225_600_000, duration_ms=1.5, status=200, explanation="Accepted."
)


def all_delivered() -> list[Delivery]:
    """The log after a conversation in which nothing went wrong."""
    return [
        Delivery(
            id=f"dlv_{lane}_{number}",
            event_id=f"evt_{trigger}_{number}",
            trigger=trigger,
            webhook=webhook,
            state="delivered",
            number=number,
            created_at=1_767_225_600_000,
            attempts=[ANSWERED],
        )
        for lane, (webhook, counts) in enumerate(expected_deliveries().items(), start=1)
        for number, trigger in enumerate(Counter(counts).elements(), start=1)
    ]


def all_accepted(deliveries: list[Delivery]) -> list[Acceptance]:
    """What endpoints accepted that got all of these."""
    return [
        Acceptance(
            webhook=delivery.webhook,
            number=delivery.number,
            event_id=delivery.event_id,
            trigger=delivery.trigger,
            duplicate=False,
        )
        for delivery in deliveries
    ]


@pytest.fixture
def log() -> list[Delivery]:
    return all_delivered()


@pytest.fixture
def accepted(log: list[Delivery]) -> list[Acceptance]:
    return all_accepted(log)


def judged(log: list[Delivery], accepted: list[Acceptance]) -> list[str]:
    return missing(expected_deliveries(), log, accepted)


def test_nothing_is_missing_when_everything_arrived(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    assert judged(log, accepted) == []


def test_nothing_at_all_is_far_from_everything() -> None:
    expected = expected_deliveries()
    found = judged([], [])
    assert len(found) == sum(len(counts) for counts in expected.values())
    assert "flaky-crm: 0 of 3 user_mentioned events are in the log" in found


def test_a_delivery_that_the_endpoint_never_saw_is_named(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    lost = accepted.pop(7)
    assert judged(log, accepted) == [
        f"{lost.webhook} #{lost.number} {lost.trigger}: the log says delivered, "
        "but the endpoint never accepted it"
    ]


@pytest.mark.parametrize("state", ["failed", "expired", "cancelled", "retrying", "pending"])
def test_a_delivery_in_any_state_but_delivered_is_named_with_its_reason(
    state: str, log: list[Delivery], accepted: list[Acceptance]
) -> None:
    refused = msgspec.structs.replace(ANSWERED, status=503, explanation="It is overloaded.")
    last = log[-1] = msgspec.structs.replace(log[-1], state=state, attempts=[refused])
    accepted.pop()
    assert judged(log, accepted) == [
        f"{last.webhook} #{last.number} {last.trigger}: is {state}: It is overloaded."
    ]


def test_an_event_that_the_server_never_fanned_out_is_missed_by_its_count(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    gone = log.pop()
    accepted.pop()
    count = expected_deliveries()[gone.webhook][gone.trigger]
    assert judged(log, accepted) == [
        f"{gone.webhook}: {count - 1} of {count} {gone.trigger} events are in the log"
    ]


def test_a_hole_in_the_numbers_is_missed_even_if_the_counts_are_right(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    last = log[-1] = msgspec.structs.replace(log[-1], number=log[-1].number + 1)
    accepted[-1] = replace(accepted[-1], number=last.number)
    assert judged(log, accepted) == [f"{last.webhook} #{last.number - 1}: is not in the log"]


def test_another_event_under_the_number_of_a_delivery_is_noticed(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    accepted[0] = replace(accepted[0], event_id="evt_other")
    assert judged(log, accepted) == [
        "activity-log #1 group_created: the endpoint accepted evt_other group_created in its place"
    ]


def test_what_the_endpoint_got_beyond_the_log_is_noticed(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    extra = replace(accepted[-1], number=99)
    assert judged(log, [*accepted, extra]) == [
        f"{extra.webhook} #99: the endpoint accepted it, but it is not in the log"
    ]


def test_more_events_than_the_conversation_has_are_no_fault(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    mine = msgspec.structs.replace(
        log[-1], number=log[-1].number + 1, event_id="evt_mine", id="dlv_9_9"
    )
    assert judged([*log, mine], [*accepted, *all_accepted([mine])]) == []


def test_a_summary_is_ok_only_without_gaps_and_failures(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    def ok(kept: list[Acceptance], *failures: str) -> bool:
        return summarise(
            url="http://x", seconds=1, deliveries=log, accepted=kept, failures=failures
        ).ok

    assert ok(accepted)
    assert not ok(accepted[1:])
    assert not ok(accepted, "the server went away")


def test_a_summary_tells_retries_and_duplicates(
    log: list[Delivery], accepted: list[Acceptance]
) -> None:
    began = ANSWERED.started_at
    log[-1] = msgspec.structs.replace(
        log[-1],
        attempts=[
            msgspec.structs.replace(ANSWERED, status=503, duration_ms=20.0),
            msgspec.structs.replace(
                ANSWERED, number=2, status=None, failure="timeout", started_at=began + 10_020
            ),
            msgspec.structs.replace(ANSWERED, number=3, started_at=began + 40_021),
        ],
    )
    again = replace(accepted[-1], duplicate=True)
    summary = summarise(url="http://x", seconds=41.23, deliveries=log, accepted=[*accepted, again])
    assert summary.ok
    assert summary.seconds == 41.2
    [retried] = summary.retried
    assert retried.answers == ["503", "timeout", "200"]
    assert retried.waits_s == [10.0, 30.0]
    crm = summary.webhooks[WEBHOOKS[-1].id]
    assert (crm.accepted, crm.deliveries, crm.duplicates) == (10, 10, 1)
