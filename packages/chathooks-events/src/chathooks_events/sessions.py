"""The parts of the call and meeting session events (REST contract D2, calls and meetings).

These payloads mix snake_case and camelCase on the wire, and some flags are the strings `"true"` and `"false"`:
that is the documented form, kept as it is.
"""

from typing import Literal, TypeAlias

import msgspec

from chathooks_events.wire import UnixSeconds

Flag: TypeAlias = Literal["true", "false"]


class Occupant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A participant of a session."""

    name: str
    uid: str | None = None
    avatar: str | None = None
    joined_at: UnixSeconds
    left_at: UnixSeconds | None = None
    audio_call: Flag


class LeftOccupant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A participant who has left a session."""

    name: str
    uid: str | None = None
    avatar: str | None = None
    joined_at: UnixSeconds
    left_at: UnixSeconds
    audio_call: Flag


class InitialConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How a participant's client joined. Every value is a string."""

    is_video_muted: str | None = None
    is_audio_muted: str | None = None
    is_audio_only: str | None = None
    start_recording_on_call_start: str | None = None
    call_version: str | None = None
    sdk: str | None = None
    mode: str | None = None
    platform: str | None = None
