"""Verified events, as a sink gets them."""

from chathooks_events.samples import sample
from chathooks_receiver.intake import Arrival, Intake
from chathooks_receiver.testing import signed_request

NOW_S = 1_767_225_600.0

_intake = Intake(now_s=lambda: NOW_S)


def arrival(
    number: int, trigger: str = "message_sent", conversation: str | None = None, text: str = "hello"
) -> Arrival:
    """The event `evt_<number>`; those of one conversation share a stream."""
    data = sample(trigger)
    if conversation is not None:
        data["message"]["conversationId"] = conversation
    if trigger == "message_sent":
        data["message"]["data"]["text"] = text
    request = signed_request(
        trigger,
        data,
        event_id=f"evt_{number}",
        timestamp_s=NOW_S,
        headers={"chathooks-number": str(number)},
    )
    return _intake.admit("POST", request.headers, request.body)
