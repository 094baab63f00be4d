"""Webhooks made, changed, disabled and deleted while fan-out is far behind (delivery contract §2, §3.1).

Exactly the events that were committed while a webhook was enabled and subscribed get a delivery, in commit order. Each arrives
once, unless the webhook was disabled or deleted, or lost the trigger, later in the feed: then what still waits when fan-out
reaches that change is cancelled.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chathooks.kernel.clock import ManualClock
from support.rig import Rig, running
from support.scripted_endpoint import ScriptedEndpoint

TRIGGERS = ("message_sent", "group_created", "user_blocked")
HOOKS = ("first", "second")
EXAMPLES = 40


@dataclass
class Hook:
    """A webhook as of the feed, and what it is owed."""

    exists: bool = False
    enabled: bool = True
    triggers: frozenset[str] = frozenset()
    owed: list[tuple[str, str]] = field(default_factory=list)
    """(event id, trigger) of each event committed while it was enabled and subscribed."""
    may_be_cancelled: set[str] = field(default_factory=set)

    def change(self, *, exists: bool, enabled: bool, triggers: frozenset[str]) -> None:
        was_open = self.exists and self.enabled
        closed = was_open and not (exists and enabled)
        for event_id, trigger in self.owed:
            if closed or (trigger in self.triggers and trigger not in triggers):
                self.may_be_cancelled.add(event_id)
        self.exists, self.enabled, self.triggers = exists, enabled, triggers

    def committed(self, event_id: str, trigger: str) -> None:
        if self.exists and self.enabled and trigger in self.triggers:
            self.owed.append((event_id, trigger))


event = st.tuples(st.just("event"), st.sampled_from(TRIGGERS))
change = st.tuples(
    st.just("change"),
    st.sampled_from(HOOKS),
    st.booleans(),  # enabled
    st.frozensets(st.sampled_from(TRIGGERS)),
)
delete = st.tuples(st.just("delete"), st.sampled_from(HOOKS))
phase = st.lists(st.one_of(event, event, change, delete), min_size=1, max_size=25)


async def commit(rig: Rig, url: str, hooks: dict[str, Hook], step: tuple[object, ...]) -> None:
    """Make a step happen, with the engine on or off, and note what is owed."""
    if step[0] == "event":
        trigger = str(step[1])
        event_id = await rig.event(trigger)
        for hook in hooks.values():
            hook.committed(event_id, trigger)
        return
    name = str(step[1])
    hook = hooks[name]
    if step[0] == "delete":
        if not hook.exists:
            return
        exists, enabled, triggers = False, hook.enabled, hook.triggers
    else:
        exists, enabled, triggers = True, bool(step[2]), frozenset(step[3])  # type: ignore[call-overload] # -- as drawn
    await rig.webhook(
        f"{url}{name}",
        webhook_id=name,
        enabled=enabled,
        deleted=not exists,
        triggers=sorted(triggers),
        concurrency=1,
    )
    hook.change(exists=exists, enabled=enabled, triggers=triggers)


async def lanes(rig: Rig) -> dict[str, int]:
    """Lane of each webhook that was made."""
    found = {}
    for name in HOOKS:
        webhook = await rig.store.read(lambda tx, name=name: tx.find_webhook(1, name))  # type: ignore[misc] # mypy cannot infer lambdas with defaults
        if webhook is not None:
            found[name] = webhook.lane
    return found


async def play(folder: Path, phases: list[list[tuple[object, ...]]]) -> None:
    clock = ManualClock()
    hooks = {name: Hook() for name in HOOKS}
    async with ScriptedEndpoint() as endpoint, running(folder, clock) as rig:
        for steps in phases:
            await rig.stop()
            await rig.open()
            for step in steps:
                await commit(rig, endpoint.url("/"), hooks, step)
            await rig.start()
            await rig.quiet()
        await check(rig, endpoint, hooks)


async def check(rig: Rig, endpoint: ScriptedEndpoint, hooks: dict[str, Hook]) -> None:
    known = await lanes(rig)
    for name, hook in hooks.items():
        arrived = [one for one in endpoint.requests if one.path == f"/{name}"]
        states = await rig.states(known[name]) if name in known else {}
        assert list(states) == list(range(1, len(hook.owed) + 1)), "one delivery each, no gaps"
        delivered = []
        for (number, state), (event_id, _) in zip(states.items(), hook.owed, strict=True):
            if state == "cancelled":
                assert event_id in hook.may_be_cancelled, (name, number)
            else:
                assert state == "delivered", (name, number)
                delivered.append((number, event_id))
        assert sorted((one.number, one.event.event_id) for one in arrived) == delivered


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(phase, min_size=1, max_size=3))
def test_exactly_what_was_committed_while_enabled_and_subscribed_arrives(
    phases: list[list[tuple[object, ...]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), phases))
