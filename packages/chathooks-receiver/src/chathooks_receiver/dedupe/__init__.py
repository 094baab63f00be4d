"""Which events were accepted already.

A store remembers SHA-256 digests of dedupe keys, in a bounded window. An event is *claimed* before it is handed to the
sink and *confirmed* after the sink has accepted it, never before: a crash in between leaves a claim that lapses, so
the next attempt hands the event over again. It can be handed over twice, it cannot get lost.
"""

import enum
from typing import Protocol

CLAIM_LEASE_S = 5.0
"""After how many seconds a claim lapses whose process said nothing more; above the time that one request may take."""


class Claim(enum.Enum):
    """What a store says of a digest."""

    FRESH = "fresh"
    """Ours to hand over."""
    SEEN = "seen"
    """Accepted before."""
    BUSY = "busy"
    """Another process is at it now."""


class DedupeUnavailable(Exception):
    """The store cannot be asked. The event is handed over all the same: rather twice than not at all."""


class Dedupe(Protocol):
    """A store of seen events. Within one process the receiver itself keeps the same event from running twice."""

    async def open(self) -> None:
        """Connect; make tables where needed."""

    def look(self, digest: bytes) -> Claim | None:
        """The answer of `claim` where it takes no waiting, else None. FRESH is as good as a claim then."""

    async def claim(self, digest: bytes) -> Claim:
        """Ask for the event, and take it where it is fresh. Raises `DedupeUnavailable`."""

    async def confirm(self, digest: bytes) -> None:
        """Record that the sink has accepted the event. Returns once that is recorded. Raises `DedupeUnavailable`."""

    def release(self, digest: bytes) -> None:
        """Give a claim back whose event was not accepted. Best effort and at once; a lapsing lease does the same."""

    async def close(self) -> None:
        """Record what is under way and disconnect."""
