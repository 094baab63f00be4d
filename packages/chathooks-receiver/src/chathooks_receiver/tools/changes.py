"""Changes to a sample from the command line: `data.message.data.text=Hello`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample
from chathooks_receiver.tools.failures import ToolFailed

CHANGES_MAX = 100
VALUE_CHARS_MAX = 1_000_000


def changed_data(trigger: str, changes: Sequence[str], *, checked: bool) -> bytes:
    """The sample `data` of a trigger with changes, as JSON.

    Each change is `path=value`: the path leads from `data` through objects and list indices, the value is JSON or
    else text. Where `checked`, the result must be of the trigger's documented shape.

    Raises:
        ToolFailed: ERR_SET, naming the change.
    """
    data = sample(trigger)
    if len(changes) > CHANGES_MAX:
        raise ToolFailed("ERR_SET", f"At most {CHANGES_MAX} fields can be changed.")
    for change in changes:
        path, equals, text = change.partition("=")
        steps = path.split(".")
        if not equals or steps[0] != "data" or len(steps) < 2 or len(text) > VALUE_CHARS_MAX:
            raise _refused(change, "it must be a path that begins with `data.`, then = and a value")
        _put(data, steps[1:], _value(text), change)
    encoded = msgspec.json.encode(data)
    if checked:
        try:
            msgspec.json.decode(encoded, type=TRIGGERS[trigger].data_type)
        except msgspec.ValidationError as error:
            raise ToolFailed(
                "ERR_SET",
                f"With these changes it is no {trigger}: {error}.",
                advice="Correct the value, or send it all the same with --unchecked.",
            ) from None
    return encoded


def _refused(change: str, why: str) -> ToolFailed:
    return ToolFailed(
        "ERR_SET",
        f"The change {change[:80]!r} cannot be made: {why}.",
        advice="For example: --set data.message.data.text=Hello",
    )


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


def _put(node: Any, steps: Sequence[str], value: Any, change: str) -> None:
    for step in steps[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(step, {})
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            raise _refused(change, f"there is nothing below `{step}`")
    last = steps[-1]
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and last.isdecimal() and int(last) < len(node):
        node[int(last)] = value
    else:
        raise _refused(change, f"there is no `{last}` to set")
