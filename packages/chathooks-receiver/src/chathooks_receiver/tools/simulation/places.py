"""Where people talk: conversations of two and groups, and what was said there."""

from collections.abc import Iterator

import msgspec

from chathooks_events.entities import (
    Group,
    GroupEntity,
    GroupType,
    MemberWithNewScope,
    Message,
    Scope,
    User,
    UserEntity,
)
from chathooks_events.payloads import (
    GroupCreated,
    GroupDeleted,
    GroupMemberAdded,
    GroupMemberBanned,
    GroupMemberJoined,
    GroupMemberKicked,
    GroupMemberLeft,
    GroupMemberRemoved,
    GroupMemberScopeChanged,
    GroupMemberUnbanned,
    GroupOwnerTransferred,
    GroupUpdated,
)
from chathooks_receiver.tools.simulation.moments import ApiCall, Moment
from chathooks_receiver.tools.simulation.world import (
    MESSAGES_KEPT_MAX,
    SYSTEM,
    Person,
    World,
)


class Said:
    """A message and how far it has come."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.delivered_to: set[str] = set()
        self.read_by: set[str] = set()
        self.reactions: dict[tuple[str, str], str] = {}
        """Id of the reaction by (uid, emoji)."""
        self.audience: frozenset[str] = frozenset()
        """Who could get it when it was sent, without the sender."""
        self.told: set[str] = set()
        """Which of the events "to all" and "by all" it has had; each fires once."""


class Place:
    """What conversations of two and groups share."""

    stream: str
    conversation_id: str

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.created_at = 0

    def keep(self, said: Said) -> None:
        """Remember a message; the oldest is forgotten where there are too many."""
        self.said.append(said)
        del self.said[:-MESSAGES_KEPT_MAX]

    def forget(self, said: Said) -> None:
        """A deleted message is not spoken of again."""
        self.said.remove(said)


class Pair(Place):
    """The conversation of two people."""

    def __init__(self, world: World, one: Person, other: Person) -> None:
        super().__init__()
        self.people = (one, other)
        first, second = sorted((one.uid, other.uid))
        self.stream = f"user/{first}/{second}"
        self.conversation_id = f"{first}_user_{second}"
        self.created_at = world.now_s

    def other(self, person: Person) -> Person:
        """Who is not `person`."""
        return self.people[1] if person is self.people[0] else self.people[0]


class Room(Place):
    """A group. Its first member owns it; members stand by uid with their scope."""

    def __init__(self, world: World, name: str, kind: GroupType, owner: Person) -> None:
        super().__init__()
        self.world = world
        self.guid = f"{name.lower().replace(' ', '-')}-{world.number():x}"
        self.name = name
        self.kind: GroupType = kind
        self.owner = owner
        self.members: dict[str, Scope] = {owner.uid: "admin"}
        self.banned: set[str] = set()
        self.created_at = world.now_s
        self.updated_at: int | None = None
        self.description: str | None = None
        self.stream = f"group/{self.guid}"
        self.conversation_id = f"group_{self.guid}"

    def people(self) -> list[Person]:
        """The members, in the order in which they came."""
        return [self.world.person(uid) for uid in self.members]

    def group(self) -> Group:
        """As payloads show the group now."""
        online = sum(person.connected_at_ms is not None for person in self.people())
        return Group(
            guid=self.guid,
            name=self.name,
            type=self.kind,
            description=self.description,
            owner=self.owner.uid,
            members_count=len(self.members),
            online_members_count=online,
            conversation_id=self.conversation_id,
            created_at=self.created_at,
            updated_at=self.updated_at,
            updated_by=None if self.updated_at is None else self.owner.uid,
        )

    def entity(self) -> GroupEntity:
        """As the receiver of a message."""
        return GroupEntity(entity=self.group())

    def member(self, person: Person) -> User:
        """A member as payloads show one."""
        return person.user(self.conversation_id)

    def all_of(self, audience: frozenset[str], done: set[str], told: set[str], what: str) -> bool:
        """Whether all of the audience who still are members have `done` it, true once per message and `what`."""
        if what in told or (audience & set(self.members)) - done:
            return False
        told.add(what)
        return True

    # --- what happens to a group -----------------------------------------------------------------------------

    @classmethod
    def found(
        cls, world: World, name: str, kind: GroupType, owner: Person
    ) -> "tuple[Room, Moment]":
        """A new group."""
        world.pass_time()
        room = cls(world, name, kind, owner)
        seen = msgspec.structs.replace(
            room.group(), scope="admin", has_joined=True, joined_at=room.created_at
        )
        data = GroupCreated(group=seen, members={owner.uid: room.member(owner)})
        call = ApiCall(
            method="POST",
            path="/groups",
            body={"guid": room.guid, "name": name, "type": kind},
            by=owner.uid,
        )
        moment = Moment(
            tells=f"{owner.name} creates the group {name}",
            events=[world.event("group_created", data, room.stream)],
            call=call,
        )
        return room, moment

    def _moment(
        self, tells: str, trigger: str, data: msgspec.Struct, call: ApiCall | None = None
    ) -> Moment:
        return Moment(tells=tells, events=[self.world.event(trigger, data, self.stream)], call=call)

    def add(self, *people: Person) -> Iterator[Moment]:
        """The owner adds who is neither a member nor banned."""
        new = [p for p in people if p.uid not in self.members and p.uid not in self.banned]
        if not new:
            return
        self.world.pass_time()
        for person in new:
            self.members[person.uid] = "participant"
        data = GroupMemberAdded(
            group=self.group(),
            members={person.uid: self.member(person) for person in new},
            by=self.owner.user(),
        )
        uids = [person.uid for person in new]
        yield self._moment(
            f"{self.owner.name} adds {', '.join(person.name for person in new)} to {self.name}",
            "group_member_added",
            data,
            self._adds(uids),
        )

    def _adds(self, uids: list[str]) -> ApiCall:
        """The call that takes users into the group."""
        return ApiCall(
            method="POST",
            path=f"/groups/{self.guid}/members",
            body={"participants": uids},
            by=self.owner.uid,
        )

    def join(self, person: Person) -> Iterator[Moment]:
        """A person joins by themselves; the API can only have them added."""
        if person.uid in self.members or person.uid in self.banned:
            return
        self.world.pass_time()
        self.members[person.uid] = "participant"
        data = GroupMemberJoined(group=self.group(), members={person.uid: self.member(person)})
        tells = f"{person.name} joins {self.name}"
        yield self._moment(tells, "group_member_joined", data, self._adds([person.uid]))

    def _ends(self, person: Person) -> bool:
        if person.uid not in self.members or person is self.owner:
            return False
        self.world.pass_time()
        del self.members[person.uid]
        return True

    def leave(self, person: Person) -> Iterator[Moment]:
        """A person leaves, unless they own the group; the API can only have them kicked."""
        if self._ends(person):
            data = GroupMemberLeft(group=self.group(), members={person.uid: self.member(person)})
            path = f"/groups/{self.guid}/members/{person.uid}"
            call = ApiCall(method="DELETE", path=path, by=self.owner.uid)
            yield self._moment(f"{person.name} leaves {self.name}", "group_member_left", data, call)

    def kick(self, person: Person, *, by_app: bool = False) -> Iterator[Moment]:
        """The owner kicks a member; where the app does it, the member counts as removed too."""
        if not self._ends(person):
            return
        members = {person.uid: self.member(person)}
        actor = SYSTEM if by_app else self.owner.user()
        kicked = GroupMemberKicked(group=self.group(), members=members, by=actor)
        events = [self.world.event("group_member_kicked", kicked, self.stream)]
        if by_app:
            removed = GroupMemberRemoved(group=self.group(), members=members, by=SYSTEM)
            events.append(self.world.event("group_member_removed", removed, self.stream))
        yield Moment(
            tells=f"{actor.name} kicks {person.name} from {self.name}",
            events=events,
            call=ApiCall(
                method="DELETE",
                path=f"/groups/{self.guid}/members/{person.uid}",
                by=None if by_app else self.owner.uid,
            ),
        )

    def ban(self, person: Person) -> Iterator[Moment]:
        """The owner bans a member, whose membership ends."""
        if not self._ends(person):
            return
        self.banned.add(person.uid)
        data = GroupMemberBanned(
            group=self.group(),
            members={person.uid: self.member(person)},
            by=self.owner.user(),
        )
        path = f"/groups/{self.guid}/bannedusers/{person.uid}"
        call = ApiCall(method="POST", path=path, by=self.owner.uid)
        yield self._moment(
            f"{self.owner.name} bans {person.name} from {self.name}",
            "group_member_banned",
            data,
            call,
        )

    def unban(self, person: Person) -> Iterator[Moment]:
        """The owner lifts a ban, if there is one."""
        if person.uid not in self.banned:
            return
        self.world.pass_time()
        self.banned.discard(person.uid)
        data = GroupMemberUnbanned(
            group=self.group(),
            members={person.uid: self.member(person)},
            by=self.owner.user(),
        )
        path = f"/groups/{self.guid}/bannedusers/{person.uid}"
        call = ApiCall(method="DELETE", path=path, by=self.owner.uid)
        yield self._moment(
            f"{self.owner.name} lifts the ban of {person.name}",
            "group_member_unbanned",
            data,
            call,
        )

    def promote(self, person: Person, scope: Scope) -> Iterator[Moment]:
        """The owner gives a member another scope."""
        old = self.members.get(person.uid)
        if old is None or old == scope or person is self.owner:
            return
        self.world.pass_time()
        self.members[person.uid] = scope
        member = MemberWithNewScope(
            uid=person.uid, name=person.name, role="default", scope=scope, old_scope=old
        )
        data = GroupMemberScopeChanged(
            group=self.group(), members={person.uid: member}, by=self.owner.user()
        )
        call = ApiCall(
            method="PUT",
            path=f"/groups/{self.guid}/members/{person.uid}",
            body={"scope": scope},
            by=self.owner.uid,
        )
        yield self._moment(
            f"{self.owner.name} makes {person.name} {scope}",
            "group_member_scope_changed",
            data,
            call,
        )

    def rename(self, name: str, description: str) -> Iterator[Moment]:
        """The owner changes name and description."""
        self.world.pass_time()
        self.name, self.description, self.updated_at = name, description, self.world.now_s
        call = ApiCall(
            method="PUT",
            path=f"/groups/{self.guid}",
            body={"name": name, "description": description},
            by=self.owner.uid,
        )
        data = GroupUpdated(group=self.group())
        yield self._moment(f"{self.owner.name} renames {name}", "group_updated", data, call)

    def hand_over(self, person: Person) -> Iterator[Moment]:
        """The owner makes a member the new owner; the API can only make them an admin."""
        if person.uid not in self.members or person is self.owner:
            return
        self.world.pass_time()
        previous, self.owner = self.owner, person
        self.members[person.uid] = "admin"
        self.updated_at = self.world.now_s
        group = msgspec.structs.replace(self.group(), old_owner=previous.uid)
        data = GroupOwnerTransferred(group=group)
        yield self._moment(
            f"{previous.name} hands {self.name} over to {person.name}",
            "group_owner_transferred",
            data,
            ApiCall(
                method="PUT",
                path=f"/groups/{self.guid}/members/{person.uid}",
                body={"scope": "admin"},
                by=previous.uid,
            ),
        )

    def end(self) -> Iterator[Moment]:
        """The owner deletes the group."""
        self.world.pass_time()
        call = ApiCall(method="DELETE", path=f"/groups/{self.guid}", by=self.owner.uid)
        data = GroupDeleted(group=self.group())
        yield self._moment(f"{self.owner.name} deletes {self.name}", "group_deleted", data, call)


def receiver_entity(place: Place, sender: Person) -> UserEntity | GroupEntity:
    """Who a message of `sender` in `place` is for."""
    if isinstance(place, Room):
        return place.entity()
    assert isinstance(place, Pair)  # noqa: S101 - there are two kinds of places
    return UserEntity(entity=place.other(sender).user(place.conversation_id))
