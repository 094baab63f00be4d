"""The conversation that the demo plays: calls of the public REST API as data, and what each must fire.

Whether everything arrived is judged by what is written down here, not by what the server says it sent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CAST: Mapping[str, str] = {
    "amara": "Amara Okafor",
    "ben": "Ben Lindqvist",
    "chiara": "Chiara Rossi",
    "diego": "Diego Fuentes",
    "eunji": "Eun-ji Park",
}
GROUP = "lisbon-trip"
OTHER_GROUP = "porto-maybe"

TYPING_S = 0.2
"""The usual pause before a step."""
THINKING_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of the story.

    `path` may hold `{name}`, which stands for the id of the message that an earlier step remembered as `name`.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    by: str
    tells: str
    """What the viewer reads."""
    fires: tuple[str, ...]
    """The triggers of the events that it causes, in order."""
    remember: str | None = None
    pause_s: float = TYPING_S
    """Seconds to wait before the call."""


def _say(by: str, to: str, text: str, *, remember: str | None = None, pause: float = 0) -> Step:
    in_group = to in (GROUP, OTHER_GROUP)
    shown = text
    for uid in CAST:
        shown = shown.replace(f"<@uid:{uid}>", f"@{uid}")
    return Step(
        method="POST",
        path="/messages",
        body={
            "receiver": to,
            "receiverType": "group" if in_group else "user",
            "category": "message",
            "type": "text",
            "data": {"text": text},
        },
        by=by,
        tells=f"→ {to}: {shown}",
        fires=("message_sent", "user_mentioned") if "<@uid:" in text else ("message_sent",),
        remember=remember,
        pause_s=pause or TYPING_S,
    )


def _edit(by: str, message: str, text: str) -> Step:
    return Step(
        method="PUT",
        path=f"/messages/{{{message}}}",
        body={"data": {"text": text}},
        by=by,
        tells=f"edits: {text}",
        fires=("message_edited",),
        pause_s=THINKING_S,
    )


def _take_back(by: str, message: str) -> Step:
    return Step(
        method="DELETE",
        path=f"/messages/{{{message}}}",
        by=by,
        tells="deletes that message",
        fires=("message_deleted",),
    )


def _found(by: str, guid: str, name: str) -> Step:
    return Step(
        method="POST",
        path="/groups",
        body={"guid": guid, "name": name, "type": "public"},
        by=by,
        tells=f"creates the group {guid}",
        fires=("group_created",),
    )


def _add(by: str, guid: str, *uids: str) -> Step:
    return Step(
        method="POST",
        path=f"/groups/{guid}/members",
        body={"participants": list(uids)},
        by=by,
        tells=f"adds {', '.join(uids)} to {guid}",
        fires=("group_member_added",),
    )


def _change(by: str, guid: str, **fields: str) -> Step:
    return Step(
        method="PUT",
        path=f"/groups/{guid}",
        body=fields,
        by=by,
        tells=f"changes the {' and '.join(fields)} of {guid}",
        fires=("group_updated",),
    )


STORY: Sequence[Step] = (
    _found("amara", GROUP, "Lisbon trip"),
    _add("amara", GROUP, "ben", "chiara", "diego"),
    _say("amara", GROUP, "Morning! Four days in Lisbon, who is in?"),
    _say("ben", GROUP, "Me! I was born ready."),
    _say("chiara", GROUP, "In. Are trams included?", remember="trams"),
    _edit("chiara", "trams", "In. Is tram 28 included?"),
    _say("diego", GROUP, "Depends on the dates, let me look", remember="dates"),
    _say("amara", GROUP, "<@uid:diego> the 12th to the 15th", pause=THINKING_S),
    _say("diego", GROUP, "Then yes!"),
    _take_back("diego", "dates"),
    _add("amara", GROUP, "eunji"),
    _say("eunji", GROUP, "Hello everyone, thanks for having me"),
    _say("ben", "eunji", "Glad you are here. Shall we share a flat?"),
    _say("eunji", "ben", "Gladly. Two rooms, no ghosts.", remember="ghosts"),
    _edit("eunji", "ghosts", "Gladly. Two rooms, friendly ghosts only."),
    _change("amara", GROUP, name="Lisbon, 12–15", description="Trams, tiles and custard tarts"),
    Step(
        method="PUT",
        path=f"/groups/{GROUP}/members/ben",
        body={"scope": "moderator"},
        by="amara",
        tells="makes ben a moderator",
        fires=("group_member_scope_changed",),
    ),
    _say("ben", GROUP, "With great power comes a packing list", pause=THINKING_S),
    _say("chiara", GROUP, "1. comfortable shoes 2. the shoes you will really wear"),
    _found("chiara", OTHER_GROUP, "Porto, maybe"),
    _say("chiara", OTHER_GROUP, "What about a day in Porto?"),
    _say("amara", "chiara", "Porto is three hours by train …"),
    _say("chiara", "amara", "Fair. Another time.", remember="fair"),
    Step(
        method="DELETE",
        path=f"/groups/{OTHER_GROUP}",
        by="chiara",
        tells=f"deletes the group {OTHER_GROUP}",
        fires=("group_deleted",),
        pause_s=THINKING_S,
    ),
    _say("diego", GROUP, "BUY CHEAP WATCHES at watches.example", remember="spam"),
    _say("diego", GROUP, "That was not me! Somebody has my phone"),
    _take_back("diego", "spam"),
    Step(
        method="DELETE",
        path=f"/groups/{GROUP}/members/diego",
        by="amara",
        tells=f"kicks diego from {GROUP}",
        fires=("group_member_kicked",),
    ),
    _say("ben", GROUP, "<@uid:amara> he just called, he has it back"),
    _add("amara", GROUP, "diego"),
    _say("diego", GROUP, "Phew. New password, same me.", pause=THINKING_S),
    _say("eunji", GROUP, "Welcome back <@uid:diego>, we kept you a seat"),
    _say("amara", GROUP, "Flights are booked: 07:40, gate opens at 07:10", remember="gate"),
    _edit("amara", "gate", "Flights are booked: 07:40, gate closes at 07:10!"),
    _say("chiara", GROUP, "07:10 is not a time, it is a threat"),
    _say("ben", GROUP, "See you all at the gate"),
    _say("amara", GROUP, "See you there!"),
)


def fired(steps: Iterable[Step]) -> Counter[str]:
    """How many events of each trigger the steps cause."""
    return Counter(trigger for step in steps for trigger in step.fires)
