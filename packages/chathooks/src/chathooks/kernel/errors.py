"""The root of every error that a caller may see: a code, a plain message, named details.

HTTP statuses are not decided here: `chathooks.api.problems` maps codes to statuses in one table.
"""

from collections.abc import Mapping


class ChathooksError(Exception):
    """A refusal or failure with a stable code.

    Args:
        code: stable machine-readable name, as in the CometChat error guide where it has one.
        message: plain sentence for the caller that says what to do; never a secret.
        details: names of offending fields and what is wrong with each.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details: Mapping[str, str] = details or {}


class StoreUnavailable(ChathooksError):
    """The store cannot take or read this now (disk full, database locked); nothing was changed.

    Source: delivery contract §7 "Codes": 503 ERR_STORE_UNAVAILABLE.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "ERR_STORE_UNAVAILABLE",
            f"The store is not available: {reason}. Nothing was changed; try again in a moment.",
        )


class StartRefused(ChathooksError):
    """The process cannot start as configured; the message says what to change."""


class SeatLost(Exception):
    """The session's seat was taken from it: what it had belongs to others now (docs/adr/0008)."""
