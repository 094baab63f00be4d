"""Values put into samples leave them valid data of their trigger, or are refused by place."""

from typing import Any

import jsonschema
import msgspec
import pytest

from chathooks.delivery.sample_changes import changed_sample
from chathooks.kernel.errors import ChathooksError
from chathooks_events.catalog import TRIGGERS, schema
from chathooks_events.samples import sample, sample_body


def data(trigger: str, changes: dict[str, Any]) -> Any:
    return msgspec.json.decode(changed_sample(trigger, changes))


@pytest.mark.parametrize("trigger", sorted(TRIGGERS))
def test_without_changes_it_is_the_sample(trigger: str) -> None:
    assert data(trigger, {}) == sample(trigger)


def test_values_are_put_in_their_places_and_all_else_stays() -> None:
    changes = {
        "message.data.text": "Hi",
        "message.receiver": "zoe",
        "message.data.metadata": {"a": [1]},
    }
    found = data("message_sent", changes)
    assert found["message"]["data"]["text"] == "Hi"
    assert found["message"]["receiver"] == "zoe"
    assert found["message"]["data"]["metadata"] == {"a": [1]}
    found["message"]["data"].pop("metadata")
    expected = sample("message_sent")
    expected["message"]["data"]["text"] = "Hi"
    expected["message"]["receiver"] = "zoe"
    expected["message"]["data"].pop("metadata", None)
    assert found == expected
    body = msgspec.json.decode(sample_body("message_sent"))
    jsonschema.validate({**body, "data": data("message_sent", changes)}, schema("message_sent"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"message.data.no.such": 1}, "message.data.no.such"),
        ({"nothing": 1}, "nothing"),
        ({"message.sentAt": "late"}, "sentAt"),
        ({"message": 1}, "message"),
        ({"message.data.text.deeper": 1}, "message.data.text.deeper"),
        ({"": 1}, ""),
    ],
)
def test_what_the_data_has_no_place_for_is_refused_by_name(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ChathooksError) as refused:
        changed_sample("message_sent", changes)
    assert refused.value.code == "ERR_BAD_REQUEST"
    assert named in refused.value.details["set"]
