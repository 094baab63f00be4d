"""Test fires over REST (delivery contract §6, §7 "Test fire")."""

from typing import Annotated, Any, Literal

import msgspec

from chathooks.api.deliveries_routes import Attempt, attempt_answer
from chathooks.api.routing import Answer, Call, Route
from chathooks.delivery.sample_changes import CHANGES_MAX
from chathooks.delivery.testfire import FiredTest, FireTest

TAG = "Delivery log"
TRIGGER_CHARS_MAX = 100
PLACE_CHARS_MAX = 200

PlaceInData = Annotated[str, msgspec.Meta(min_length=1, max_length=PLACE_CHARS_MAX)]


class FireTestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send."""

    trigger: Annotated[str, msgspec.Meta(min_length=1, max_length=TRIGGER_CHARS_MAX)]
    """Its sample is sent, whether the webhook is subscribed to it or not."""
    set: Annotated[dict[PlaceInData, Any], msgspec.Meta(max_length=CHANGES_MAX)] = {}
    """Values to put into the sample's `data`, by dotted place, e.g. `message.data.text`."""


class SampleDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sample that was sent; it is not kept in the log. Times in unix ms."""

    id: str
    event_id: str
    trigger: str
    webhook: str
    state: Literal["delivered", "failed"]
    created_at: int
    attempts: list[Attempt]


def _answer(fired: FiredTest) -> SampleDelivery:
    return SampleDelivery(
        id=fired.id,
        event_id=fired.event_id,
        trigger=fired.trigger,
        webhook=fired.webhook_id,
        state=msgspec.convert(fired.state.shown, Literal["delivered", "failed"]),
        created_at=fired.created_at,
        attempts=[attempt_answer(fired.attempt)],
    )


class FireTestRoutes:
    """Handler of test fires."""

    def __init__(self, test_fire: FireTest) -> None:
        self._test_fire = test_fire

    def routes(self) -> list[Route]:
        """The call."""
        return [
            Route(
                method="POST",
                path="/webhooks/{webhookId}/test",
                handler=self.fire,
                summary="Send a trigger's sample to a webhook and get the attempt",
                tag=TAG,
                answer=SampleDelivery,
                body=FireTestBody,
                errors=("ERR_WEBHOOK_NOT_FOUND", "ERR_TRIGGER_NOT_FOUND", "ERR_TOO_MANY_REQUESTS"),
                management=True,
            )
        ]

    async def fire(self, call: Call) -> Answer:
        """Send the sample as a delivery is sent, and answer what came of it; a failed attempt answers 200 too."""
        body: FireTestBody = call.body
        fired = await self._test_fire.fire(
            call.app.key, call.path["webhookId"], body.trigger, body.set
        )
        return Answer(_answer(fired))
