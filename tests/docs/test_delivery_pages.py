"""What the pages say of deliveries is what the code does: states, transitions, headers, failures."""

import itertools
import re
from pathlib import Path

from chathooks.delivery import payload
from chathooks.delivery.policy import decide
from chathooks.delivery.records import ENDED_STATES, LIVE_STATES, State
from chathooks.egress.failures import FailureKind

DOCS = Path(__file__).parents[2] / "docs"
STATES_PAGE = DOCS / "explain" / "delivery-state-machine.md"

_ARROW = re.compile(r"^ +(\S+) --> (\S+): (.+)$", re.MULTILINE)
ARROWS = _ARROW.findall(STATES_PAGE.read_text("utf-8"))


def test_the_diagram_and_the_table_show_every_stored_state() -> None:
    names = {state.name.lower() for state in State}
    shown = {name for start, end, _ in ARROWS for name in (start, end)} - {"[*]"}
    assert shown == names
    rows = re.findall(r"^\| `(\w+)` \| (\d) \|", STATES_PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name: int(number) for name, number in rows} == {
        state.name.lower(): int(state) for state in State
    }


def test_what_follows_an_attempt_is_what_the_diagram_shows() -> None:
    decided = {
        decide(
            acknowledged=acknowledged,
            failures=failures,
            ended_at=0,
            retry_on_failure=retry,
            schedule_ms=(10_000, 30_000),
            withdrawn=withdrawn,
        ).state.name.lower()
        for acknowledged, retry, withdrawn in itertools.product((True, False), repeat=3)
        for failures in range(3)
    }
    attempted = {end for start, end, why in ARROWS if start == "in_flight" and "unsent" not in why}
    assert decided == attempted


def test_whatever_has_ended_can_be_replayed_and_nothing_else() -> None:
    replayed = {start for start, _, why in ARROWS if why == "replay"}
    assert replayed == {state.name.lower() for state in ENDED_STATES}
    leaving = {start for start, _, why in ARROWS if why != "replay"} - {"[*]"}
    assert leaving == {state.name.lower() for state in LIVE_STATES}


def test_every_header_of_a_delivery_is_documented_and_no_other() -> None:
    source = Path(payload.__file__).read_text("utf-8")
    sent = set(re.findall(r'f?"([A-Za-z]+(?:-[A-Za-z]+)*): ', source)) | {"User-Agent"}
    assert len(sent) > 8
    page = (DOCS / "reference" / "delivery-headers.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([A-Za-z-]+)` \|", page, re.MULTILINE)) == sent


def test_every_way_to_fail_is_documented() -> None:
    page = (DOCS / "explain" / "egress.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert documented == {str(kind) for kind in FailureKind}
