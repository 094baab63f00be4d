"""What is noted of lanes' health follows the order in which attempts ended, however they were recorded."""

from hypothesis import given
from hypothesis import strategies as st

from chathooks.delivery.fanout import Subscription
from chathooks.delivery.health import Health
from chathooks.delivery.outcome import classify
from chathooks.delivery.payload import unreadable
from chathooks.delivery.queue import Candidate, Settled, WebhookRow
from chathooks.delivery.recording import Ended, Recorded
from chathooks.delivery.records import State
from chathooks.egress.exchange import Exchange

ENDPOINT = unreadable(
    WebhookRow(
        1, 1, "a", "us", "w", "https://x.example/", False, None, None, True, False, False, False, 64, b"", None, None
    )
)  # fmt: skip
STATUS = {"plain": 200, "late": 200, "failed": 500, "retrying": 500, "replay failed": 500}


def ended(lane: int, number: int, kind: str) -> Ended:
    item = Candidate(
        lane, number, 0, int(kind == "late"), kind.startswith("replay"), False, 1, None, 0, "evt", None, b"{}"
    )  # fmt: skip
    subscription = Subscription(lane, 1, True, False, frozenset({1}), 1, {})
    status = STATUS[kind]
    return Ended(
        subscription, ENDPOINT, item, 0, 0, Exchange(status=status), classify(status, None)
    )


def note(health: Health, kinds: list[tuple[int, str]]) -> None:
    """Let a cycle record attempts that ended so."""
    recorded, all_ended = Recorded(), []
    for number, (lane, kind) in enumerate(kinds, 1):
        one = ended(lane, number, kind)
        all_ended.append(one)
        if kind == "plain":
            recorded.delivered.setdefault(lane, []).append(number)
            continue
        state = {"late": State.DELIVERED, "retrying": State.RETRYING}.get(kind, State.FAILED)
        due_at = 99 if kind == "retrying" else None
        recorded.others.append(one)
        recorded.settled.append(Settled(int(state), 1, due_at, None, lane, number))
    health.recorded(all_ended, recorded)


@given(st.lists(st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from(sorted(STATUS))))))
def test_failures_in_a_row_are_counted_in_the_order_in_which_attempts_ended(
    cycles: list[list[tuple[int, str]]],
) -> None:
    health = Health()
    in_row: dict[int, int] = {}
    acknowledged = set()
    for kinds in cycles:
        note(health, kinds)
        for lane, kind in kinds:
            if kind in ("plain", "late"):
                acknowledged.add(lane)
                in_row.pop(lane, None)
            elif kind == "failed":
                in_row[lane] = in_row.get(lane, 0) + 1
    assert health.failed_in_row == in_row
    assert health.acknowledged == acknowledged
