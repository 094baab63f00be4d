"""The words of the delivery engine: states, ids, and what the feed says of webhooks."""

from enum import IntEnum

import msgspec

_ID_PREFIX = "dlv"
_REPLAY_PREFIX = "rpl"
_ID_INTEGER_DIGITS_MAX = 18


class State(IntEnum):
    """Where a delivery stands, as stored. Source: delivery contract §2."""

    PENDING = 0
    """Waits for its first attempt (or, in an ordered lane, for its stream)."""
    IN_FLIGHT = 1
    RETRYING = 2
    """Waits for its next attempt."""
    DELIVERED = 3
    FAILED = 4
    EXPIRED = 5
    CANCELLED = 6
    HELD = 7
    """Waits for an earlier event of its stream in an ordered lane; shown as pending."""

    @property
    def shown(self) -> str:
        """The state's name in the API."""
        return "pending" if self is State.HELD else self.name.lower()


LIVE_STATES = frozenset({State.PENDING, State.IN_FLIGHT, State.RETRYING, State.HELD})
ENDED_STATES = tuple(state for state in State if state not in LIVE_STATES)


def delivery_id(lane: int, number: int) -> str:
    """Public id of a delivery: lane and number say which it is, so no index has to find it."""
    return f"{_ID_PREFIX}_{lane}_{number}"


def sample_delivery_id(event_id: str) -> str:
    """Id of a test fire's delivery, which is not kept: no delivery of the log has such a one."""
    return f"{_ID_PREFIX}_test_{event_id.rpartition('_')[2]}"


def parse_delivery_id(text: str) -> tuple[int, int] | None:
    """Lane and number of a delivery id, or None where it is not one."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != _ID_PREFIX:
        return None
    lane, number = parts[1], parts[2]
    for digits in (lane, number):
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _ID_INTEGER_DIGITS_MAX):
            return None
    return int(lane), int(number)


def replay_id(replay: int) -> str:
    """Public id of a replay that goes on after its call."""
    return f"{_REPLAY_PREFIX}_{replay}"


def parse_replay_id(text: str) -> int | None:
    """Key of a replay id, or None where it is not one."""
    prefix, _, digits = text.partition("_")
    fits = digits.isascii() and digits.isdigit() and len(digits) <= _ID_INTEGER_DIGITS_MAX
    return int(digits) if prefix == _REPLAY_PREFIX and fits else None


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook's state after a change, as an entry of the feed (delivery contract §3.1)."""

    lane: int
    webhook_id: str
    enabled: bool
    deleted: bool
    ordered: bool
    triggers: tuple[int, ...]


class AttemptDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of an attempt besides its status: stored as JSON, times in ms."""

    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0
    ip: str | None = None
    http: str | None = None
    reused: bool = False
    """A kept connection served it."""
    resent: bool = False
    """The kept connection closed unanswered and the request was sent once more (§3.2)."""
    note: str | None = None
    """The transport's own words on a failure."""
