"""The consumer's side of an inbox: jobs that are leased, done, tried again or set aside.

A job is an event on its way through the workflows, or a timer that a workflow set. Jobs of one stream run strictly
one after the other, those of different streams side by side: the inbox keeps a *lane* per stream that has work, and what
is leased is a lane with its oldest job. Cost does not grow with what waits.

    waiting ──lease──▶ leased ──done──▶ gone
       ▲                  ├──retry──▶ waiting, later; its lane waits with it
       └──lease lapses────┘──bury──▶ dead: kept with its error, its lane goes on
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

TIMER_PREFIX = "timer:"
"""Kinds of jobs that begin so are timers; the rest of the kind is their name."""


class QueueUnavailable(Exception):
    """The inbox cannot be read or written now."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One leased job. `attempt` counts from 1. `finished` names the handlers that are through with it.

    `kind` is the trigger, or `timer:` and a name; `body` the event as it came, or the timer's JSON payload.
    """

    id: int
    key: str
    kind: str
    stream: str
    body: bytes
    headers: Mapping[str, str]
    received_at_ms: int
    attempt: int
    finished: Sequence[str]
    lease: str


class DeadJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that was set aside, and why."""

    id: int
    key: str
    kind: str
    stream: str
    attempts: int
    error: str


class Queue(Protocol):
    """What workflows need of an inbox. Every method raises `QueueUnavailable`."""

    async def lease(self, limit: int, lease_s: float) -> Sequence[Job]:
        """At most `limit` due jobs, each the oldest of its stream, held for `lease_s` seconds."""

    async def extend(self, jobs: Sequence[Job], lease_s: float) -> None:
        """Hold `jobs` for `lease_s` seconds from now."""

    async def done(self, job: Job) -> None:
        """Take the job out; its stream goes on. Without effect if the lease was lost."""

    async def retry(self, job: Job, delay_s: float, error: str, finished: Sequence[str]) -> None:
        """Try again after `delay_s` seconds; `finished` handlers are left out then."""

    async def bury(self, job: Job, error: str) -> None:
        """Set the job aside for good; its stream goes on."""

    async def dead(self, limit: int) -> Sequence[DeadJob]:
        """The newest jobs that were set aside."""

    async def revive(self, job_id: int) -> bool:
        """Put a job that was set aside back to the end of its stream; False if there is none."""

    async def schedule(self, key: str, name: str, payload: bytes, due_s: float) -> None:
        """Set the timer `key`, or set it anew: a job of the kind `timer:<name>`, due at the unix time `due_s`."""

    async def cancel(self, key: str) -> bool:
        """Take the timer `key` back; False if it is not set or runs already."""

    async def waiting(self) -> int:
        """How many jobs wait or run."""


def timer_digest(key: str) -> bytes:
    """What tells the timer `key` apart in an inbox: no event has the same."""
    return hashlib.sha256(b"timer\0" + key.encode("utf-8", "surrogatepass")).digest()
