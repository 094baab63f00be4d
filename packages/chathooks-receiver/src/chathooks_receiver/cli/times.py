"""Times as people write them on a command line."""

from datetime import UTC, datetime, timedelta

from chathooks_receiver.tools.failures import ToolFailed

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now_s: float) -> int:
    """Unix milliseconds of an ISO time, unix seconds, or an age such as 10m, 2h, 3d before the unix time `now_s`.

    Raises:
        ToolFailed: ERR_SINCE.
    """
    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            age = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            return int((now_s - age.total_seconds()) * 1000)
        if text.isdecimal():
            return int(text) * 1000
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ToolFailed(
            "ERR_SINCE",
            f"{text[:40]!r} is no time.",
            advice="--since takes 10m, 2h, 3d, unix seconds or 2026-01-31T12:00:00Z; `listen` takes now and all, too.",
        ) from None
