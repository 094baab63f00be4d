"""The state of a simulated chat: its clock, its people, its ids and its random choices, all from one seed.

The same seed gives the same choices, times, ids and bytes, on every machine. Nothing here reads a clock. Ids begin
at a place of the seed's own, so that runs with different seeds do not look like duplicates of each other.
"""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from chathooks_events.entities import User
from chathooks_events.payloads import (
    CurrentConnection,
    UserBlocked,
    UserConnectionStatusChanged,
    UserUnblocked,
)
from chathooks_receiver.testing import event_id_at
from chathooks_receiver.tools.simulation.cast import PEOPLE, PLATFORMS
from chathooks_receiver.tools.simulation.moments import ApiCall, Moment, SimulatedEvent

STARTS_AT_S = 1_767_225_600
"""2026-01-01T00:00:00Z, where the simulated clock begins unless told otherwise."""
PAUSE_S_MAX = 20
"""The longest pause between two moments, in simulated seconds."""
SYSTEM_UID = "app_system"
SYSTEM = User(uid=SYSTEM_UID, name="System", role="default", status="offline")
MESSAGES_KEPT_MAX = 200
"""Of a place: older ones are not edited, read or reacted to any more."""

_IDS_FROM, _IDS_BELOW = 10_000, 1_000_000_000
T = TypeVar("T")


class Person:
    """A user, online or not."""

    def __init__(self, uid: str, name: str, created_at: int) -> None:
        self.uid = uid
        self.name = name
        self.created_at = created_at
        self.connected_at_ms: int | None = None
        self.platform = "web"
        self.last_active_at = created_at
        self.on_call = False
        self.blocks: set[str] = set()

    def user(self, conversation_id: str | None = None) -> User:
        """As payloads show the user now."""
        return User(
            uid=self.uid,
            name=self.name,
            avatar=f"https://media.example.com/avatars/{self.uid}.png",
            role="default",
            status="online" if self.connected_at_ms is not None else "offline",
            created_at=self.created_at,
            last_active_at=self.last_active_at,
            conversation_id=conversation_id,
        )


class Deck(Iterator[T]):
    """Deals its cards in random order and shuffles anew when all were dealt: random, and yet nothing is left out."""

    def __init__(self, randomness: random.Random, cards: Sequence[T]) -> None:
        self._randomness = randomness
        self._cards = tuple(cards)
        self._left: list[T] = []

    def __next__(self) -> T:
        if not self._left:
            self._left = list(self._cards)
            self._randomness.shuffle(self._left)
        return self._left.pop()


class World:
    """One simulated chat."""

    def __init__(self, seed: int, starts_at_s: int = STARTS_AT_S) -> None:
        """Begin at `starts_at_s`, unix seconds of the simulated clock."""
        self.random = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.now_s = starts_at_s
        self._next_id = self.random.randrange(_IDS_FROM, _IDS_BELOW)
        self.mark = f"{self._next_id:x}"
        """Part of ids that must differ from seed to seed."""
        self._sequences: dict[str, int] = {}
        born_at = starts_at_s - 30 * 86_400
        self.people = [Person(f"{uid}-{self.mark}", name, born_at) for uid, name in PEOPLE]
        self._by_uid = {person.uid: person for person in self.people}

    def person(self, uid: str) -> Person:
        """The person with this uid."""
        return self._by_uid[uid]

    def number(self) -> int:
        """A new number, larger than all before."""
        self._next_id += 1
        return self._next_id

    def pass_time(self, seconds_max: int = PAUSE_S_MAX) -> None:
        """Let up to `seconds_max` simulated seconds pass, at least one."""
        self.now_s += self.random.randint(1, seconds_max)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return self.random.choice(items)

    def event(self, trigger: str, data: msgspec.Struct, stream: str | None) -> SimulatedEvent:
        """An event that happens now, the next of its stream."""
        sequence = None
        if stream is not None:
            sequence = self._sequences[stream] = self._sequences.get(stream, 0) + 1
        return SimulatedEvent(
            event_id=event_id_at(self.now_s, self.random),
            trigger=trigger,
            data=data,
            at_s=self.now_s,
            stream=stream,
            sequence=sequence,
        )

    # --- users -----------------------------------------------------------------------------------------------

    def connect(self, person: Person) -> Iterator[Moment]:
        """The person's client connects, unless it is."""
        if person.connected_at_ms is None:
            self.pass_time()
            person.platform = self.pick(PLATFORMS)
            person.connected_at_ms = self.now_s * 1_000
            yield self._presence(person, person.connected_at_ms, came=True)

    def disconnect(self, person: Person) -> Iterator[Moment]:
        """The person's client disconnects, if it is connected."""
        if person.connected_at_ms is not None:
            self.pass_time()
            connected_at_ms, person.connected_at_ms = person.connected_at_ms, None
            person.last_active_at = self.now_s
            yield self._presence(person, connected_at_ms, came=False)

    def _presence(self, person: Person, connected_at_ms: int, *, came: bool) -> Moment:
        data = UserConnectionStatusChanged(
            timestamp=self.now_s * 1_000,
            user=person.user(),
            status="online" if came else "offline",
            current_connection=CurrentConnection(
                action="connected" if came else "disconnected",
                platform=person.platform,
                connected_at=connected_at_ms,
            ),
            user_presence_changed=True,
        )
        event = self.event("user_connection_status_changed", data, None)
        return Moment(
            tells=f"{person.name} {'comes online' if came else 'goes offline'}", events=[event]
        )

    def block(self, by: Person, other: Person) -> Iterator[Moment]:
        """`by` blocks `other`, unless that is so."""
        if other.uid in by.blocks or by is other:
            return
        self.pass_time()
        by.blocks.add(other.uid)
        user = msgspec.structs.replace(
            other.user(), blocked_by_me=True, blocked_by_me_at=self.now_s, blocked_at=self.now_s
        )
        event = self.event("user_blocked", UserBlocked(users={other.uid: user}, by=by.user()), None)
        yield Moment(
            tells=f"{by.name} blocks {other.name}",
            events=[event],
            call=ApiCall(
                method="POST",
                path=f"/users/{by.uid}/blockedusers",
                body={"blockedUids": [other.uid]},
            ),
        )

    def unblock(self, by: Person, other: Person) -> Iterator[Moment]:
        """`by` takes the block of `other` back, if there is one."""
        if other.uid not in by.blocks:
            return
        self.pass_time()
        by.blocks.discard(other.uid)
        data = UserUnblocked(users={other.uid: other.user()}, by=by.user())
        yield Moment(
            tells=f"{by.name} unblocks {other.name}",
            events=[self.event("user_unblocked", data, None)],
            call=ApiCall(
                method="DELETE",
                path=f"/users/{by.uid}/blockedusers",
                body={"blockedUids": [other.uid]},
            ),
        )
