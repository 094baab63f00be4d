"""Samples with other values in places, for test fires: still data that the trigger may have."""

from collections.abc import Mapping
from typing import Any

import msgspec

from chathooks.kernel.errors import ChathooksError
from chathooks_events.catalog import TRIGGERS
from chathooks_events.samples import sample

CHANGES_MAX = 50
_QUOTED_CHARS_MAX = 200


def _refused(path: str, why: str) -> ChathooksError:
    shown = path[:_QUOTED_CHARS_MAX]
    return ChathooksError(
        "ERR_BAD_REQUEST",
        f"{shown!r} cannot be set in this sample: it {why}. GET /v3/triggers/{{name}} shows the sample and its schema.",
        {"set": f"{shown}: {why}"},
    )


def _step(place: Any, name: str) -> Any:
    """What stands under a name, or a number in a list; raises LookupError where nothing does."""
    if isinstance(place, dict):
        return place[name]
    if isinstance(place, list) and name.isascii() and name.isdigit():
        return place[int(name)]
    raise LookupError(name)


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    place: Any = data
    try:
        for name in above:
            place = _step(place, name)
        if isinstance(place, list):
            _step(place, last)
            place[int(last)] = value
        elif isinstance(place, dict):
            place[last] = value
        else:
            raise LookupError(last)
    except LookupError:
        raise _refused(path, "is no place in the sample") from None


def _at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = _step(data, name)
    return data


def changed_sample(trigger: str, changes: Mapping[str, Any]) -> bytes:
    """The `data` of a trigger's sample as JSON, with values at dotted places put in.

    Args:
        trigger: a name of the catalog.
        changes: values by dotted place in `data`, e.g. `message.data.text`; a number is a place in a list.

    Raises:
        ChathooksError: ERR_BAD_REQUEST where the trigger's data has no such place or takes no such value.
    """
    plain = sample(trigger)
    for path, value in changes.items():
        _put(plain, path, value)
    if not changes:
        return msgspec.json.encode(plain)
    try:
        data = msgspec.json.encode(msgspec.convert(plain, TRIGGERS[trigger].data_type))
    except msgspec.ValidationError as error:
        raise ChathooksError(
            "ERR_BAD_REQUEST",
            f"With these values it is no data of {trigger}: {str(error)[:_QUOTED_CHARS_MAX]}.",
            {"set": str(error)[:_QUOTED_CHARS_MAX]},
        ) from None
    whole = msgspec.json.decode(data)
    for path, value in changes.items():
        try:
            kept = _at(whole, path) == value
        except (LookupError, ValueError):
            kept = False
        if not kept:
            raise _refused(path, "is no part of the trigger's data")
    return data
