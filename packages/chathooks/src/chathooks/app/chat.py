"""The chat core put together: its routes, and the work that it leaves for later."""

from collections.abc import Sequence
from dataclasses import dataclass

from chathooks.api.blocks_routes import BlockRoutes
from chathooks.api.groups_routes import GroupRoutes
from chathooks.api.members_routes import MemberRoutes
from chathooks.api.messages_routes import MessageRoutes
from chathooks.api.reactions_routes import ReactionRoutes
from chathooks.api.routing import Route
from chathooks.api.threads_routes import ThreadRoutes
from chathooks.api.tokens_routes import TokenRoutes
from chathooks.api.users_routes import UserRoutes
from chathooks.chat.bans import Bans
from chathooks.chat.blocks import Blocks
from chathooks.chat.departures import Departures
from chathooks.chat.groups import Groups
from chathooks.chat.history import History
from chathooks.chat.members import Members
from chathooks.chat.messages import Messages
from chathooks.chat.reactions import Reactions
from chathooks.chat.store import ChatTransaction
from chathooks.chat.threads import Threads
from chathooks.chat.tokens import AuthTokens
from chathooks.chat.upkeep import Upkeep
from chathooks.chat.users import Users
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import Clock
from chathooks.kernel.ids import RandomBytes
from chathooks.kernel.transactions import Store


@dataclass(frozen=True, slots=True)
class ChatCore:
    """All chat services on one store."""

    users: Users
    tokens: AuthTokens
    departures: Departures
    blocks: Blocks
    groups: Groups
    members: Members
    bans: Bans
    messages: Messages
    history: History
    reactions: Reactions
    threads: Threads
    upkeep: Upkeep

    @classmethod
    def on(
        cls, store: Store[ChatTransaction], outbox: Outbox, clock: Clock, random: RandomBytes
    ) -> "ChatCore":
        """The services on `store`."""
        departures = Departures(store, outbox, clock)
        groups = Groups(store, outbox, clock, random)
        reactions = Reactions(store, outbox, clock)
        return cls(
            users=Users(store, clock, random),
            tokens=AuthTokens(store, clock, random),
            departures=departures,
            blocks=Blocks(store, outbox, clock),
            groups=groups,
            members=Members(store, outbox, clock),
            bans=Bans(store, outbox, clock),
            messages=Messages(store, outbox, clock),
            history=History(store),
            reactions=reactions,
            threads=Threads(store),
            upkeep=Upkeep(departures, groups, reactions),
        )

    def routes(self) -> Sequence[Route]:
        """The calls that they serve."""
        return (
            *MessageRoutes(self.messages, self.history).routes(),
            *ThreadRoutes(self.messages, self.history, self.threads).routes(),
            *UserRoutes(self.users, self.departures).routes(),
            *TokenRoutes(self.tokens).routes(),
            *BlockRoutes(self.blocks).routes(),
            *GroupRoutes(self.groups).routes(),
            *MemberRoutes(self.members, self.bans).routes(),
            *ReactionRoutes(self.reactions).routes(),
        )
