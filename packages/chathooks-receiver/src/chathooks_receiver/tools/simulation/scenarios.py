"""The scenarios: endless, each a chat of its own kind, from one seed.

A scenario deals its variations like cards: random in order, but none is left out for long.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import msgspec

from chathooks_receiver.tools.simulation.campaigns import campaign
from chathooks_receiver.tools.simulation.cast import (
    ANSWERS,
    GROUP_NAMES,
    QUESTIONS,
    REACTIONS,
    TALK,
    UNWANTED,
)
from chathooks_receiver.tools.simulation.moments import Moment, SimulatedEvent
from chathooks_receiver.tools.simulation.places import Pair, Place, Room, Said
from chathooks_receiver.tools.simulation.sessions import CallEnd, Sessions
from chathooks_receiver.tools.simulation.talk import Talk
from chathooks_receiver.tools.simulation.world import STARTS_AT_S, Deck, Person, World

EPISODE_MESSAGES_MAX = 8
STORM_PEOPLE = 12


def _talks(world: World, talk: Talk, place: Place, people: list[Person]) -> Iterator[Moment]:
    """A few messages, with what usually follows each."""
    deck = Deck(world.random, ("plain", "edit", "delete", "react", "mention", "read", "pin"))
    for _ in range(world.random.randint(3, EPISODE_MESSAGES_MAX)):
        by = world.pick(people)
        others = [person for person in people if person is not by]
        what = next(deck)
        mentions = [world.pick(others)] if what == "mention" else []
        yield from talk.say(by, place, world.pick(TALK), *mentions)
        yield from _follows(world, talk, place, place.said[-1], others, what)


def _follows(
    world: World, talk: Talk, place: Place, said: Said, others: list[Person], what: str
) -> Iterator[Moment]:
    for person in others:
        if world.chance(0.8):
            yield from talk.deliver(place, said, person)
    if what == "edit":
        yield from talk.edit(place, said, f"{world.pick(TALK)} (edited)")
    elif what == "react":
        by, emoji = world.pick(others), world.pick(REACTIONS)
        yield from talk.react(place, said, by, emoji)
        if world.chance(0.5):
            yield from talk.react(place, said, by, emoji)
    elif what == "pin":
        by = world.pick(others)
        yield from talk.pin(place, said, by)
        yield from talk.pin(place, said, by)
    if what == "delete":
        yield from talk.delete(place, said)
    else:
        for person in others:
            if what == "read" or world.chance(0.5):
                yield from talk.read(place, said, person)


def chat(world: World) -> Iterator[Moment]:
    """Conversations of two: presence, messages, receipts, edits, reactions, pins, now and then a block."""
    talk = Talk(world)
    extras = Deck(world.random, ("block", "pin", "none"))
    pairs: dict[frozenset[str], Pair] = {}
    while True:
        one, other = world.random.sample(world.people, 2)
        pair = pairs.setdefault(frozenset((one.uid, other.uid)), Pair(world, one, other))
        people = [one, other]
        for person in people:
            yield from world.connect(person)
        yield from _talks(world, talk, pair, people)
        extra = next(extras)
        if extra == "block":
            yield from world.block(one, other)
            yield from world.unblock(one, other)
        elif extra == "pin":
            yield from talk.pin_conversation(pair, one, pinned=True)
            yield from talk.pin_conversation(pair, one, pinned=False)
        yield from world.disconnect(world.pick(people))


def group(world: World) -> Iterator[Moment]:
    """A group from its foundation to its end: members come, talk, rise, go, are kicked and banned."""
    talk = Talk(world)
    kinds = Deck(world.random, ("public", "private"))
    while True:
        owner, *people = world.random.sample(world.people, 6)
        kind = next(kinds)
        room, moment = Room.found(
            world, world.pick(GROUP_NAMES), "public" if kind == "public" else "private", owner
        )
        yield moment
        yield from room.add(*people[:3])
        yield from room.join(people[3])
        yield from _talks(world, talk, room, room.people())
        yield from room.promote(people[0], "moderator")
        yield from room.add(people[4])
        yield from _talks(world, talk, room, room.people())
        changes = _changes(talk, room, people)
        world.random.shuffle(changes)
        for change in changes:
            yield from change()
            if len(room.members) > 1:
                yield from islice(_talks(world, talk, room, room.people()), 4)
        yield from room.hand_over(people[0])
        yield from room.end()


def _changes(talk: Talk, room: Room, people: list[Person]) -> list[Callable[[], Iterator[Moment]]]:
    return [
        lambda: room.rename(f"{room.name} 2", "Now with a plan"),
        lambda: room.leave(people[3]),
        lambda: room.kick(people[4]),
        lambda: room.kick(people[2], by_app=True),
        lambda: _ban(room, people[1]),
        lambda: talk.pin_conversation(room, room.owner, pinned=True),
    ]


def _ban(room: Room, person: Person) -> Iterator[Moment]:
    yield from room.ban(person)
    yield from room.unban(person)
    yield from room.add(person)


def support_desk(world: World) -> Iterator[Moment]:
    """Tickets: a customer writes in a private group, an agent answers, a second one is called in, it is closed."""
    talk = Talk(world)
    agents, customers = world.people[:4], world.people[4:]
    endings = Deck(world.random, ("solved", "escalated", "reopened"))
    while True:
        customer, agent = world.pick(customers), world.pick(agents)
        yield from world.connect(customer)
        room, moment = Room.found(world, f"Ticket {world.number() % 10_000}", "private", agent)
        yield moment
        yield from room.add(customer)
        question = world.pick(QUESTIONS).format(number=world.random.randint(10, 99))
        yield from talk.say(customer, room, question)
        yield from talk.read(room, room.said[-1], agent)
        yield from talk.say(agent, room, world.pick(ANSWERS))
        yield from talk.read(room, room.said[-1], customer)
        ending = next(endings)
        if ending == "escalated":
            second = world.pick([person for person in agents if person is not agent])
            yield from room.add(second)
            yield from room.promote(second, "moderator")
            yield from talk.say(agent, room, "Can you take this one?", second)
            yield from talk.say(second, room, world.pick(ANSWERS))
        elif ending == "reopened":
            yield from talk.react(room, room.said[-1], customer, world.pick(REACTIONS))
            yield from talk.say(customer, room, "It is still not right, sorry.")
            yield from talk.say(agent, room, world.pick(ANSWERS))
            yield from talk.read(room, room.said[-1], customer)
        yield from talk.say(customer, room, "That helped, thank you!")
        yield from talk.edit(room, room.said[-1], "That helped a lot, thank you!")
        yield from room.rename(f"{room.name} (closed)", "Closed")
        yield from room.leave(customer)
        yield from world.disconnect(customer)


def call(world: World) -> Iterator[Moment]:
    """Calls of two with every way to end, and meetings of several with recordings."""
    talk, sessions = Talk(world), Sessions(world)
    ends: Deck[CallEnd] = Deck(
        world.random, ("answered", "answered", "rejected", "busy", "cancelled", "unanswered")
    )
    while True:
        one, other = world.random.sample(world.people, 2)
        pair = Pair(world, one, other)
        for person in (one, other):
            yield from world.connect(person)
        yield from talk.say(one, pair, "Do you have a minute?")
        yield from sessions.ring(one, pair, next(ends))
        if world.chance(0.5):
            yield from sessions.meet(world.random.sample(world.people, world.random.randint(2, 5)))


def moderation(world: World) -> Iterator[Moment]:
    """Messages that engines approve or block, that people approve later, and engines that fail."""
    talk = Talk(world)
    fates = Deck(world.random, ("approved", "approved", "approved", "blocked", "manual", "failed"))
    owner, *people = world.random.sample(world.people, 6)
    room, moment = Room.found(world, "Market", "public", owner)
    yield moment
    yield from room.add(*people)
    while True:
        by, fate = world.pick(people), next(fates)
        if fate == "approved":
            yield from talk.say(by, room, world.pick(TALK), moderated=True)
            yield from talk.deliver(room, room.said[-1], owner)
        elif fate == "failed":
            yield from talk.engine_fails(by, room, world.pick(TALK))
        else:
            yield from talk.blocked(by, room, world.pick(UNWANTED), approved_later=fate == "manual")


def storm(world: World) -> Iterator[Moment]:
    """A big group at once: bursts of short messages, reactions and receipts of everybody."""
    talk = Talk(world)
    owner, *people = world.random.sample(world.people, STORM_PEOPLE)
    room, moment = Room.found(world, "Final match", "public", owner)
    yield moment
    yield from room.add(*people)
    while True:
        for person in world.random.sample(people, 4):
            yield from talk.say(person, room, world.pick(("GOAL!", "⚽", "no!", "yes!!", "WHAT")))
        said = room.said[-1]
        for person in people:
            yield from talk.react(room, said, person, world.pick(REACTIONS))
        for person in room.people():
            yield from talk.read(room, said, person)


def everything(world: World) -> Iterator[Moment]:
    """All scenarios side by side, and campaigns: every trigger of the catalog within the first 3,000 events."""
    streams = [
        scenario(world) for scenario in (chat, group, support_desk, call, moderation, _campaigns)
    ]
    while True:
        for stream in world.random.sample(streams, len(streams)):
            yield from islice(stream, world.random.randint(1, 6))


def _campaigns(world: World) -> Iterator[Moment]:
    endings = Deck(world.random, (True, False))
    while True:
        yield from campaign(world, world.random.sample(world.people, 2), fails=next(endings))


SCENARIOS: Mapping[str, Callable[[World], Iterator[Moment]]] = {
    "chat": chat,
    "group": group,
    "support-desk": support_desk,
    "call": call,
    "moderation": moderation,
    "storm": storm,
    "everything": everything,
}
"""By the names of the command line."""


def moments(scenario: str, seed: int, starts_at_s: int = STARTS_AT_S) -> Iterator[Moment]:
    """The moments of a scenario, without end; the same for the same arguments."""
    return SCENARIOS[scenario](World(seed, starts_at_s))


def events(scenario: str, seed: int, starts_at_s: int = STARTS_AT_S) -> Iterator[SimulatedEvent]:
    """The events of a scenario, without end; the same for the same arguments."""
    for moment in moments(scenario, seed, starts_at_s):
        yield from moment.events


def data_bytes(event: SimulatedEvent) -> bytes:
    """The bytes of the event's `data`, as every webhook gets them."""
    return msgspec.json.encode(event.data)
