"""Streams: what an event's sequence number counts in, and what an ordered webhook keeps in order.

A conversation between two users, a group, a session of a meeting (delivery contract §1). A stream is named by
its kind and ids joined with `/`, which is legal in no id, so ids that look alike never share one (§7).
"""

import msgspec


class Stream(msgspec.Struct, frozen=True, gc=False):
    """One stream of events within an app."""

    name: str


def conversation(uid: str, other_uid: str) -> Stream:
    """The one-to-one conversation of two users, whichever is named first."""
    if uid < other_uid:
        return Stream(f"user/{uid}/{other_uid}")
    return Stream(f"user/{other_uid}/{uid}")


def group(guid: str) -> Stream:
    """A group: its messages, its members and its settings."""
    return Stream(f"group/{guid}")


def session(session_id: str) -> Stream:
    """A session of a meeting."""
    return Stream(f"session/{session_id}")
