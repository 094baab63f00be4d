"""Campaigns: from the notification to the click, or to the campaign's failure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from chathooks_events import payloads as p
from chathooks_receiver.tools.simulation.moments import Moment
from chathooks_receiver.tools.simulation.world import Person, World

APP_ID = "sim"


def campaign(world: World, people: list[Person], *, fails: bool) -> Iterator[Moment]:
    """One campaign: a notification for each person in feed and push, then how it ended."""
    world.pass_time()
    campaign_id = f"campaign-{world.number()}"
    created_at = world.now_s
    totals: dict[str, Any] = {
        "campaign_id": campaign_id,
        "app_id": APP_ID,
        "name": "Spring reminder",
        "template_id": "reminder",
        "template_version": 1,
        "total_targets": len(people),
        "created_at": created_at,
        "tag": "spring",
    }

    def moment(tells: str, trigger: str, data: msgspec.Struct) -> Moment:
        return Moment(tells=tells, events=[world.event(trigger, data, None)])

    if fails:
        world.pass_time()
        failed = p.AfterCampaignFailed(
            **totals,
            status="failed",
            sent_count=0,
            failed_count=len(people),
            updated_at=world.now_s,
        )
        yield moment("A campaign fails", "after_campaign_failed", failed)
        return
    notification_id = f"notification-{world.number()}"
    notification = p.AfterNotificationCreated(
        notification_id=notification_id,
        app_id=APP_ID,
        template_id="reminder",
        template_version=1,
        category="reminders",
        send_mode="realtime",
        campaign_id=campaign_id,
        channels=["in_app", "push"],
        status="dispatching",
        total_targets=len(people),
        sent_count=0,
        failed_count=0,
        created_at=created_at,
    )
    yield moment("A campaign is dispatched", "after_notification_created", notification)
    for person in people:
        yield from _to(world, person, campaign_id, notification_id)
    world.pass_time()
    completed = p.AfterCampaignCompleted(
        **totals,
        status="completed",
        sent_count=len(people),
        failed_count=0,
        sent_at=created_at,
        completed_at=world.now_s,
        updated_at=world.now_s,
    )
    yield moment("The campaign is complete", "after_campaign_completed", completed)


def _to(world: World, person: Person, campaign_id: str, notification_id: str) -> Iterator[Moment]:
    world.pass_time()
    common: dict[str, Any] = {
        "app_id": APP_ID,
        "notification_id": notification_id,
        "campaign_id": campaign_id,
        "receiver": person.uid,
        "template_id": "reminder",
        "template_version": 1,
        "sent_at": world.now_s,
    }
    item = {**common, "id": f"item-{world.number()}", "channel_type": "in_app"}
    push = {**common, "push_notification_id": f"push-{world.number()}", "channel_type": "push"}

    def moment(what: str, trigger: str, data: msgspec.Struct) -> Moment:
        return Moment(tells=f"{what} {person.name}", events=[world.event(trigger, data, None)])

    text = "Spring is here. Have a look at what is new."
    sent = p.AfterFeedItemSent(
        **item, status="sent", alternative_text=text, content={"title": "Spring", "body": text}
    )
    yield moment("A feed item is sent to", "after_feed_item_sent", sent)
    pushed = p.AfterPushNotificationSent(**push, status="sent")
    yield moment("A push is sent to", "after_push_notification_sent", pushed)
    world.pass_time()
    delivered: dict[str, Any] = {"delivered_at": world.now_s}
    yield moment(
        "A feed item reaches",
        "after_feed_item_delivered",
        p.AfterFeedItemDelivered(**item, **delivered, status="delivered"),
    )
    yield moment(
        "A push reaches",
        "after_push_notification_delivered",
        p.AfterPushNotificationDelivered(**push, **delivered, status="delivered"),
    )
    world.pass_time()
    engaged = {**delivered, "engaged_at": world.now_s}
    yield moment(
        "A push is opened by",
        "after_push_notification_clicked",
        p.AfterPushNotificationClicked(**push, **engaged, status="clicked", clicked_at=world.now_s),
    )
    read = {**delivered, "read_at": world.now_s}
    yield moment(
        "A feed item is read by",
        "after_feed_item_read",
        p.AfterFeedItemRead(**item, **read, status="read"),
    )
    world.pass_time()
    used = p.AfterFeedItemInteracted(
        **item, **read, status="read", engaged_at=world.now_s, interacted_at=world.now_s
    )
    yield moment("A feed item is used by", "after_feed_item_interacted", used)
