"""How many calls an app may make in a minute: core operations, and all others (rest-api.md A7, delivery contract §7).

Minutes are those of the clock on the wall, since `X-Rate-Limit-Reset` names their end. A call that is refused counts
nothing. Pure but for the clock that is given; what is kept is a number per app and kind that called in this minute.
"""

from dataclasses import dataclass

from chathooks.kernel.clock import MS_PER_S, Clock
from chathooks.kernel.errors import ChathooksError

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may be made, and what the caller is told of the limit."""

    allowed: bool
    limit: int
    """Calls per minute."""
    remaining: int
    """Calls that are left in this minute."""
    reset_at_s: int
    """When the next minute begins (unix s)."""
    retry_after_s: int
    """Seconds until then, at least 1."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer carries."""
        told = [
            (b"x-rate-limit", b"%d" % self.limit),
            (b"x-rate-limit-remaining", b"%d" % self.remaining),
        ]
        if not self.allowed:
            told += [
                (b"retry-after", b"%d" % self.retry_after_s),
                (b"x-rate-limit-reset", b"%d" % self.reset_at_s),
            ]
        return told

    def refusal(self) -> ChathooksError:
        """ERR_TOO_MANY_REQUESTS."""
        return ChathooksError(
            "ERR_TOO_MANY_REQUESTS",
            f"The app has made the {self.limit} calls of this kind that it may make in a minute; "
            f"try again in {self.retry_after_s} s.",
        )


def decide(used: int, limit: int, now_s: int) -> Verdict:
    """The verdict on one more call.

    Args:
        used: calls of this minute that were allowed.
        limit: calls that a minute may have.
        now_s: unix seconds.
    """
    reset_at_s = now_s - now_s % WINDOW_S + WINDOW_S
    return Verdict(
        allowed=used < limit,
        limit=limit,
        remaining=max(0, limit - used - 1),
        reset_at_s=reset_at_s,
        retry_after_s=reset_at_s - now_s,
    )


class RateLimits:
    """Counts the calls of all apps."""

    def __init__(self, clock: Clock, *, core: int = 0, standard: int = 0) -> None:
        """
        Args:
            clock: says which minute it is.
            core: core operations that an app may make in a minute; 0 is no limit.
            standard: other operations that an app may make in a minute; 0 is no limit.
        """
        self._clock = clock
        self._core = core
        self._standard = standard
        self._minute = 0
        self._used: dict[tuple[int, bool], int] = {}

    @property
    def on(self) -> bool:
        """Whether there is any limit."""
        return bool(self._core or self._standard)

    def take(self, app: int, *, core: bool) -> Verdict | None:
        """Count a call if it may be made; None where its kind has no limit."""
        limit = self._core if core else self._standard
        if not limit:
            return None
        now_s = self._clock.wall_ms() // MS_PER_S
        minute = now_s // WINDOW_S
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get((app, core), 0)
        verdict = decide(used, limit, now_s)
        if verdict.allowed:
            self._used[(app, core)] = used + 1
        return verdict
