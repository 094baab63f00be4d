"""The samples of the campaign triggers."""

from typing import TypedDict

import msgspec

from chathooks_events import payloads as p
from chathooks_events.sample_cast import APP_ID, NOW_S


class _Common(TypedDict):
    app_id: str
    notification_id: str
    campaign_id: str
    receiver: str
    template_id: str
    template_version: int
    label: str
    tags: list[str]
    data_type: str
    sent_at: int


_COMMON: _Common = {
    "app_id": APP_ID,
    "notification_id": "notification-1",
    "campaign_id": "campaign-1",
    "receiver": "alice",
    "template_id": "tour-reminder",
    "template_version": 2,
    "label": "Reminder",
    "tags": ["tour"],
    "data_type": "template",
    "sent_at": NOW_S,
}


class _FeedItem(_Common):
    id: str
    channel_id: str
    template_category: str
    category_id: str


_ITEM: _FeedItem = {
    **_COMMON,
    "id": "feed-item-1",
    "channel_id": "feed",
    "template_category": "reminders",
    "category_id": "category-1",
}


def campaign_samples() -> list[msgspec.Struct]:
    """One sample Struct for each campaign trigger."""
    return [*_campaigns(), *_feed_items(), *_push_notifications()]


def _campaigns() -> list[msgspec.Struct]:
    return [
        p.AfterCampaignCompleted(
            campaign_id="campaign-1",
            app_id=APP_ID,
            name="Tour reminder",
            status="completed",
            template_id="tour-reminder",
            template_version=2,
            total_targets=120,
            sent_count=119,
            failed_count=1,
            tag="tour",
            scheduled_at=NOW_S - 600,
            sent_at=NOW_S,
            completed_at=NOW_S + 30,
            created_at=NOW_S - 3_600,
            updated_at=NOW_S + 30,
        ),
        p.AfterCampaignFailed(
            campaign_id="campaign-2",
            app_id=APP_ID,
            name="Tour reminder",
            status="failed",
            template_id="tour-reminder",
            template_version=2,
            total_targets=120,
            sent_count=0,
            failed_count=120,
            created_at=NOW_S - 3_600,
            updated_at=NOW_S + 30,
        ),
        p.AfterNotificationCreated(
            notification_id="notification-1",
            app_id=APP_ID,
            template_id="tour-reminder",
            template_version=2,
            category="reminders",
            label="Reminder",
            tags=["tour"],
            send_mode="realtime",
            priority="normal",
            channels=["in_app", "push"],
            data_type="template",
            status="dispatching",
            total_targets=1,
            sent_count=0,
            failed_count=0,
            created_at=NOW_S,
        ),
    ]


def _feed_items() -> list[msgspec.Struct]:
    at = NOW_S
    return [
        p.AfterFeedItemSent(
            **_ITEM,
            channel_type="in_app",
            status="sent",
            alternative_text="The tour starts tomorrow at nine.",
            variables={"start": "09:00"},
            realtime_fanout=["alice"],
            content={"title": "Tour", "body": "The tour starts tomorrow at nine."},
        ),
        p.AfterFeedItemDelivered(
            **_ITEM, channel_type="in_app", status="delivered", delivered_at=at + 1
        ),
        p.AfterFeedItemRead(
            **_ITEM, channel_type="in_app", status="read", delivered_at=at + 1, read_at=at + 9
        ),
        p.AfterFeedItemInteracted(
            **_ITEM,
            channel_type="in_app",
            status="read",
            delivered_at=at + 1,
            read_at=at + 9,
            engaged_at=at + 12,
            interacted_at=at + 12,
        ),
    ]


def _push_notifications() -> list[msgspec.Struct]:
    at = NOW_S
    push = "push-1"
    return [
        p.AfterPushNotificationSent(
            **_COMMON,
            push_notification_id=push,
            channel_type="push",
            category="reminders",
            status="sent",
        ),
        p.AfterPushNotificationDelivered(
            **_COMMON,
            push_notification_id=push,
            channel_type="push",
            category="reminders",
            status="delivered",
            delivered_at=at + 1,
        ),
        p.AfterPushNotificationClicked(
            **_COMMON,
            push_notification_id=push,
            channel_type="push",
            category="reminders",
            status="clicked",
            delivered_at=at + 1,
            clicked_at=at + 8,
            engaged_at=at + 8,
        ),
    ]
