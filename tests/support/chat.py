"""The chat services on a real store with a clock that tests move, and the events they append."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chathooks.api.routing import Route
from chathooks.app.chat import ChatCore
from chathooks.apps.bootstrap import Given, bootstrap
from chathooks.chat.requests import MemberUids, NewContent, NewGroup, NewUser, SendMessage
from chathooks.events.outbox import Outbox
from chathooks.kernel.clock import MS_PER_S, Clock, ManualClock, SystemClock
from chathooks.kernel.ids import EventIds, RandomBytes, system_random
from chathooks_events.catalog import TRIGGERS
from chathooks_events.entities import Message
from support import stores

TRIGGER_NAMES = {trigger.number: trigger.name for trigger in TRIGGERS.values()}


@dataclass(frozen=True)
class Event:
    """An event as it stands in the feed."""

    trigger: str
    data: Any
    stream: str | None
    sequence: int | None


def plain(value: Any) -> Any:
    """What `value` is on the wire."""
    return msgspec.json.decode(msgspec.json.encode(value))


@dataclass
class Chat:
    """Chat services of one app."""

    path: Path
    store: stores.Store
    clock: ManualClock
    app: int
    core: ChatCore

    def __getattr__(self, name: str) -> Any:
        """A service by its name: `chat.groups` is `chat.core.groups`."""
        return getattr(self.core, name)

    @property
    def now_s(self) -> int:
        return self.clock.wall_ms() // MS_PER_S

    def sql(self, statement: str, *parameters: Any) -> list[Any]:
        """Look at the committed rows, or change them behind the services' back."""
        return stores.current.run(self.path, statement, parameters)

    def events(self) -> list[Event]:
        """All events that were committed, in feed order."""
        rows = self.sql(
            "SELECT trigger_number, data, streams.name, feed.sequence FROM feed "
            "LEFT JOIN streams USING (stream) ORDER BY position"
        )
        return [
            Event(TRIGGER_NAMES[number], msgspec.json.decode(data), stream, sequence)
            for number, data, stream, sequence in rows
        ]

    def triggers(self) -> list[str]:
        return [event.trigger for event in self.events()]

    async def add_users(self, *uids: str) -> None:
        for uid in uids:
            await self.users.create(self.app, NewUser(uid=uid, name=uid.title()))

    async def add_group(
        self,
        guid: str,
        *,
        owner: str | None = None,
        admins: Sequence[str] = (),
        moderators: Sequence[str] = (),
        participants: Sequence[str] = (),
        **fields: Any,
    ) -> None:
        wanted = MemberUids(
            admins=list(admins), moderators=list(moderators), participants=list(participants)
        )
        request = NewGroup(guid=guid, name=guid.title(), owner=owner, members=wanted, **fields)
        await self.groups.create(self.app, request)

    async def say(
        self, text: str, *, by: str | None, to: str, group: bool = False, **fields: Any
    ) -> Message:
        request = SendMessage(
            receiver=to,
            receiver_type="group" if group else "user",
            category="message",
            type="text",
            data=NewContent(text=text),
            **fields,
        )
        return await self.messages.send(self.app, request, by)

    def deactivate(self, uid: str) -> None:
        self.sql("UPDATE users SET deactivated_at = ? WHERE uid = ?", self.now_s, uid)


def seeded_random(size: int) -> bytes:
    """Bytes that are the same in every run."""
    return bytes(index % 256 for index in range(size))


@asynccontextmanager
async def open_chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """Chat on a fresh store below `tmp_path`."""
    clock = ManualClock()
    path = tmp_path / "chat.db"
    store = await stores.open_store(path)
    try:
        given = Given(app_id="app1")
        await bootstrap(store, random=system_random, now_ms=clock.wall_ms(), given=given)
        outbox = Outbox(clock, EventIds(clock.wall_ms, system_random))
        core = ChatCore.on(store, outbox, clock, seeded_random)
        yield Chat(path=path, store=store, clock=clock, app=1, core=core)
    finally:
        await store.close()


def chat_routes(
    store: stores.Store,
    outbox: Outbox,
    clock: Clock | None = None,
    random: RandomBytes = system_random,
) -> list[Route]:
    """The routes of chat, for `support.server.serving`."""
    return list(ChatCore.on(store, outbox, clock or SystemClock(), random).routes())
