"""Calls and meetings: a ring and what becomes of it, a session with those who come and go."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from chathooks_events import payloads as p
from chathooks_events.entities import Call, CallData, CallEntity, CallSession, Entities, UserEntity
from chathooks_events.sessions import InitialConfig, LeftOccupant, Occupant
from chathooks_receiver.tools.simulation.moments import Moment
from chathooks_receiver.tools.simulation.places import Pair
from chathooks_receiver.tools.simulation.world import Person, World

RING_S = 45
"""How long a call rings before it counts as unanswered."""
CallEnd: TypeAlias = Literal["answered", "rejected", "busy", "cancelled", "unanswered"]

_ENDS: Mapping[str, tuple[type[msgspec.Struct], bool]] = {
    "rejected": (p.CallRejected, True),
    "busy": (p.CallBusy, True),
    "cancelled": (p.CallCancelled, False),
    "unanswered": (p.CallUnanswered, False),
}
"""Payload, and whether the one who was called acts."""


class _Kind(msgspec.Struct, frozen=True):
    name: str
    started: type[p.SessionStarted]
    joined: type[p.SessionParticipantJoined]
    left: type[p.SessionParticipantLeft]
    ended: type[p.SessionEnded]


_CALL = _Kind("call", p.CallStarted, p.CallParticipantJoined, p.CallParticipantLeft, p.CallEnded)
_MEETING = _Kind(
    "meeting",
    p.MeetingStarted,
    p.MeetingParticipantJoined,
    p.MeetingParticipantLeft,
    p.MeetingEnded,
)


class Sessions:
    """Calls and meetings of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ring(self, caller: Person, place: Pair, end: CallEnd) -> Iterator[Moment]:
        """A video call that ends as said, unless one of the two is on a call."""
        called = place.other(caller)
        if caller.on_call or called.on_call:
            return
        world = self._world
        world.pass_time()
        session_id = f"v1.us.sim.{world.number()}{world.mark}"
        caller.on_call = True
        call = self._call("initiated", session_id, caller, called, place, world.now_s)
        begun = world.event("call_initiated", p.CallInitiated(call=call), place.stream)
        yield Moment(tells=f"{caller.name} calls {called.name}", events=[begun])
        if end == "answered":
            called.on_call = True
            yield from self._session(_CALL, session_id, [caller, called], place.stream)
        else:
            payload, called_acts = _ENDS[end]
            if end == "unanswered":
                world.now_s += RING_S
            else:
                world.pass_time(RING_S - 5)
            acting, other = (called, caller) if called_acts else (caller, called)
            over = self._call(end, session_id, acting, other, place, begun.at_s, caller)
            event = world.event(f"call_{end}", payload(call=over), place.stream)
            yield Moment(tells=f"The call of {caller.name} is {end}", events=[event])
        caller.on_call = called.on_call = False

    def _call(
        self,
        action: str,
        session_id: str,
        acting: Person,
        other: Person,
        place: Pair,
        begun_at: int,
        caller: Person | None = None,
    ) -> Call:
        by = caller or acting
        session = CallSession(
            sessionid=session_id,
            status=action,
            type="video",
            conversation_id=place.conversation_id,
            sender=by.uid,
            receiver=place.other(by).uid,
            receiver_type="user",
            initiated_at=begun_at,
        )
        return Call(
            id=str(self._world.number()),
            conversation_id=place.conversation_id,
            sender=acting.uid,
            receiver_type="user",
            receiver=other.uid,
            category="call",
            type="video",
            data=CallData(
                action=action,
                entities=Entities(
                    by=UserEntity(entity=acting.user()),
                    on=CallEntity(entity=session),
                    for_=UserEntity(entity=other.user()),
                ),
            ),
            sent_at=self._world.now_s,
            updated_at=self._world.now_s,
        )

    def meet(self, people: Sequence[Person]) -> Iterator[Moment]:
        """A meeting of these people, with a recording and its transcript afterwards."""
        session_id = f"v1.us.meet.{self._world.number()}{self._world.mark}"
        yield from self._session(_MEETING, session_id, people, f"session/{session_id}")

    def _session(
        self, kind: _Kind, session_id: str, people: Sequence[Person], stream: str
    ) -> Iterator[Moment]:
        world = self._world

        def moment(tells: str, trigger: str, data: msgspec.Struct) -> Moment:
            return Moment(tells=tells, events=[world.event(trigger, data, stream)])

        world.pass_time()
        created_at = world.now_s
        started = kind.started(created_at=created_at, session_id=session_id)
        yield moment(f"A {kind.name} begins", f"{kind.name}_started", started)
        present: list[tuple[Person, Occupant]] = []
        for person in people:
            world.pass_time()
            occupant = Occupant(
                name=person.name, uid=person.uid, joined_at=world.now_s, audio_call="false"
            )
            present.append((person, occupant))
            joined = kind.joined(
                occupant=occupant, initial_config=_config(person), session_id=session_id
            )
            yield moment(
                f"{person.name} joins the {kind.name}", f"{kind.name}_participant_joined", joined
            )
        world.pass_time(600)
        gone: list[Occupant] = []
        world.random.shuffle(present)
        for person, occupant in present:
            world.pass_time()
            left_at = world.now_s
            gone.append(msgspec.structs.replace(occupant, left_at=left_at))
            left = LeftOccupant(
                name=person.name,
                uid=person.uid,
                joined_at=occupant.joined_at,
                left_at=left_at,
                audio_call="false",
            )
            yield moment(
                f"{person.name} leaves the {kind.name}",
                f"{kind.name}_participant_left",
                kind.left(occupant=left, session_id=session_id),
            )
        world.pass_time()
        # Kept, since other scenarios may move the clock while this one waits at a yield.
        destroyed_at = world.now_s
        ended = kind.ended(
            all_occupants=gone,
            destroyed_at=destroyed_at,
            created_at=created_at,
            session_id=session_id,
        )
        yield moment(f"The {kind.name} ends", f"{kind.name}_ended", ended)
        if kind is _MEETING:
            yield from self._records(session_id, created_at, destroyed_at, stream)

    def _records(
        self, session_id: str, created_at: int, destroyed_at: int, stream: str
    ) -> Iterator[Moment]:
        world = self._world
        day = f"2026-01-{1 + (created_at // 86_400) % 28:02d}"
        world.pass_time(60)
        recording = p.RecordingGenerated(
            recording_date=day,
            duration=str(destroyed_at - created_at),
            start_time=str(created_at),
            session_id=session_id,
            recording_url=f"https://media.example.com/recordings/{session_id}.mp4",
        )
        yield Moment(
            tells="The recording is ready",
            events=[world.event("recording_generated", recording, stream)],
        )
        world.pass_time(60)
        transcript = p.TranscriptionGenerated(
            session_id=session_id,
            tid=f"transcript-{world.number()}",
            transcript_date=f"{day}T12:00:00Z",
            transcript_url=f"https://media.example.com/transcripts/{session_id}.json",
            start_time=created_at,
            end_time=destroyed_at,
        )
        yield Moment(
            tells="The transcript is ready",
            events=[world.event("transcription_generated", transcript, stream)],
        )


def _config(person: Person) -> InitialConfig:
    return InitialConfig(
        is_video_muted="false",
        is_audio_muted="false",
        is_audio_only="false",
        start_recording_on_call_start="false",
        call_version="v5",
        sdk="javascript",
        mode="DEFAULT",
        platform=person.platform,
    )
