"""The webhooks of the demo, and what each must get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chathooks.demo.endpoint import Stumble
from chathooks.demo.story import STORY, fired


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWebhook:
    """A webhook of the demo."""

    id: str
    name: str
    triggers: tuple[str, ...] | None
    """None: every trigger that the server knows."""
    ordered: bool = False
    stumble: Stumble | None = None


WEBHOOKS: Sequence[PlannedWebhook] = (
    PlannedWebhook(id="activity-log", name="Activity log", triggers=None, ordered=True),
    PlannedWebhook(
        id="moderation-bot",
        name="Moderation bot",
        triggers=("message_sent", "message_edited", "message_deleted", "user_mentioned"),
    ),
    PlannedWebhook(
        id="flaky-crm",
        name="Flaky CRM",
        triggers=(
            "group_created",
            "group_member_added",
            "group_member_kicked",
            "group_member_scope_changed",
            "user_mentioned",
        ),
        stumble=Stumble("group_member_added", 2),
    ),
)


def expected_deliveries() -> dict[str, Mapping[str, int]]:
    """By webhook id, how many events of each trigger the conversation must bring it."""
    counts = fired(STORY)
    return {
        webhook.id: {
            name: count
            for name, count in counts.items()
            if webhook.triggers is None or name in webhook.triggers
        }
        for webhook in WEBHOOKS
    }
